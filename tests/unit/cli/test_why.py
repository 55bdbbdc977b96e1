"""Why a rollout stands as it does: every level, every interlock, and what would change it."""

from __future__ import annotations

from dataclasses import replace

from rollguard.cli.why import changes, page
from rollguard.model.action import DecisionKind
from rollguard.model.judgement import VerdictKind
from rollguard.model.policy import Mode
from rollguard.model.records import LifecycleState
from rollguard.model.signals import LevelName
from tests.unit.cli.stories import HELD, LOOK, NOW, WOULD, held, reading, watched
from tests.unit.records import ERRORS, START, rollout_record

LATER = START.plus(400)
HELD_FOR_ERRORS = replace(
    held(), why=ERRORS.text, responses=(replace(HELD, reason=ERRORS.text),), last_look=replace(LOOK, reason=ERRORS.text)
)


def test_the_whole_answer_for_a_hold() -> None:
    assert (
        page(HELD_FOR_ERRORS, LATER)
        == """\
Rollout translation-r2-bbb-uid1 of production/translation
  revision 1 -> 2, v1->v2
  began 2026-11-03T02:00:00Z (6m ago), mode automatic
  held, phase startup, verdict bad
  held at 2026-11-03T02:05:30Z, because error-rate: 14.8% of 1,234 requests over 5m, bound 10%, on the new pods

Levels as of 2026-11-03T02:05:30Z (70s ago):
SIGNAL       LEVEL      VALUE   BOUND   FOR   REQUESTS   SLOTS   GAPS   REACHED           BESIDE
error-rate   critical   14.8%   5%      5m    1,234      20      1      since 02:00:30Z   0.2% (old pods beside it)
error-rate   rollback   14.8%   10%     5m    1,234      20      1      since 02:00:30Z   0.2% (old pods beside it)

Without a complete answer then:
- latency (required): 2 slots, timeout: no answer within 12 s

Interlocks as of then:
INTERLOCK      STANDS    BECAUSE
freeze         forbids   this unit is frozen by ana
stale-status   clear     the status is of the newest spec

What would change it:
- the interlock freeze lifted, which says: this unit is frozen by ana
- error-rate: back inside the bound over the window
- time: decided again at 2026-11-03T04:00:00Z even if nothing happens
- a person: `rollguard rollback production translation --reason ...`, `rollguard freeze production/translation`"""
    )


def test_wide_adds_each_levels_sentence() -> None:
    assert ERRORS.text in page(
        replace(held(), why="", responses=(), last_look=replace(LOOK, reason="")), LATER, wide=True
    )


def test_before_the_first_look_it_says_so() -> None:
    assert "No look at it is written down yet" in page(watched(), LATER)


def test_what_had_no_room_is_counted() -> None:
    record = replace(held(), last_look=replace(LOOK, left_out=7))
    assert "7 more levels and interlocks had no room" in page(record, LATER)


def test_while_nothing_is_reached_the_nearest_level_is_named() -> None:
    near = reading(LevelName.ROLLBACK, 0.1, value=0.02, reached=False)
    far = replace(near, signal="latency", value=0.001, bound=0.05)
    unknown = replace(near, signal="database", value=None)
    look = replace(LOOK, decision=DecisionKind.CONTINUE, readings=(far, unknown, near), standings=(), wake_at=None)
    first, *_ = changes(watched(last_look=look), LATER)
    said = "error-rate: past 10% over its whole window of 5m it is bad"
    assert first == f"{said} (now 2%, the nearest of its levels)"
    young = replace(near, value=0.3, lacks="12 of the window's 20 slots have passed")
    first, *_ = changes(watched(last_look=replace(look, readings=(far, young))), LATER)
    assert first == f"{said} (now 30%, but 12 of the window's 20 slots have passed)"
    assert "not yet: 12 of the window's 20 slots have passed" in page(
        watched(last_look=replace(look, readings=(young,))), LATER
    )


def test_a_question_names_the_commands_that_answer_it_and_until_when() -> None:
    asked = watched(state=LifecycleState.AWAITING_APPROVAL, verdict=VerdictKind.BAD, asked_until=START.plus(1200))
    first, *_ = changes(asked, LATER)
    assert first == (
        "an answer (until 2026-11-03T02:20:00Z): `rollguard approve production/translation --reason ...`"
        " or `rollguard reject production/translation --reason ...`"
    )


def test_in_mode_observe_the_mode_is_what_would_change_it() -> None:
    seen = watched(mode=Mode.OBSERVE, verdict=VerdictKind.BAD, responses=(WOULD,))
    assert changes(seen, LATER)[0].startswith("the policy's mode: in mode observe")
    assert "would have rolled back at 2026-11-03T02:05:30Z, because error-rate" in page(seen, LATER)


def test_what_is_over_or_under_way_is_not_decided_again() -> None:
    assert changes(rollout_record(), NOW)[0].startswith("nothing: it was closed 2026-11-03T02:08:00Z")
    assert changes(watched(state=LifecycleState.ACTING), NOW) == [
        "nothing decides any more: the rollback is under way (a freeze stops what has not begun)"
    ]
