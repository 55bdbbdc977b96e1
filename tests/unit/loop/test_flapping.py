"""What comes and goes within one rollout is told, counted, and then told no more often than the interval."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from rollguard import decide, lifecycle
from rollguard.decide.interlocks.every import Interlock
from rollguard.lifecycle import recurring, response
from rollguard.loop import changes, telling
from rollguard.model.action import Decision, DecisionKind
from rollguard.model.handling import Acknowledgement
from rollguard.model.judgement import Verdict, VerdictKind
from rollguard.model.lifecycle import Decided, LifecycleInput, Tell, WindowOver
from rollguard.model.notices import NoticeClass
from rollguard.model.records import LifecycleState, Recurrence, RolloutRecord
from rollguard.model.situation import Situation
from rollguard.model.time import Instant
from rollguard.notify import words
from tests.simulation import policies
from tests.unit.decide import situations
from tests.unit.judge.building import policy as some_policy
from tests.unit.loop.stage import FAILING, Stage, play
from tests.unit.notify.test_words import POLICY
from tests.unit.records import ERRORS, START, rollout_record, unit_record

FRESH = replace(
    rollout_record(), state=LifecycleState.WATCHING, notices=(), closed=None, outcome=None, findings=(), plan=None
)
PLATFORM = situations.verdict(kind=VerdictKind.BAD)


def decided(kind: DecisionKind, evidence: str = "error-rate") -> Decided:
    found = VerdictKind.BAD if kind in (DecisionKind.HOLD, DecisionKind.ASK) else VerdictKind.UNDECIDED
    findings = (replace(ERRORS, signal=evidence),) if found is VerdictKind.BAD else ()
    verdict = replace(PLATFORM, kind=found, findings=findings)
    return Decided(decision=Decision(kind=kind, reason=kind.value, interlocks=(), verdict=verdict, target=None))


HELD, OVER, ASKED = decided(DecisionKind.HOLD), decided(DecisionKind.CONTINUE), decided(DecisionKind.ASK)


def after(record: RolloutRecord, input_: LifecycleInput, minute: float) -> RolloutRecord:
    transition = lifecycle.advance(record.state, input_)
    now = START.plus(60 * minute)
    return changes.advanced(record, transition, unit=unit_record(), policy=some_policy(), now=now)


def reminded(record: RolloutRecord, minute: float) -> RolloutRecord:
    now = START.plus(60 * minute)
    return telling.with_over_told(record, unit=unit_record(), policy=some_policy(), now=now)


def flapping(until: float) -> RolloutRecord:
    """Held at minutes 0, 2, 4, ... and over at 1, 3, 5, ..."""
    record = FRESH
    for minute in range(int(until) + 1):
        record = after(record, OVER if minute % 2 else HELD, minute)
    return record


def topics(record: RolloutRecord) -> list[tuple[str, float]]:
    """(topic, minute) of all notices."""
    return [(notice.topic, notice.at.since(START) / 60) for notice in record.notices]


FIRST = [("hold", 0.0), ("hold-over", 1.0), ("hold", 2.0)]
"""What is told of it at once: that it came, went, and came again."""


def test_a_hold_that_comes_and_goes_is_told_until_it_has_come_again_and_then_people_know_it_as_held() -> None:
    assert topics(flapping(30)) == FIRST
    assert topics(flapping(31)) == FIRST


def test_while_it_comes_and_goes_each_is_told_once_in_the_interval() -> None:
    assert topics(flapping(60)) == FIRST
    told = [*FIRST, ("hold-over", 61.0), ("hold", 62.0)]
    assert topics(flapping(62)) == topics(flapping(120)) == told


def test_a_hold_that_stays_away_is_told_to_be_over_after_the_interval() -> None:
    record = flapping(9)
    assert topics(reminded(record, 61)) == FIRST
    over = reminded(record, 62)
    assert topics(over) == [*FIRST, ("hold-over", 62.0)]
    assert reminded(over, 200) == over


def test_a_hold_that_is_over_when_its_rollout_ends_is_told_to_be_over_before_the_end() -> None:
    closed = after(flapping(9), WindowOver(), 10)
    assert topics(closed) == [*FIRST, ("hold-over", 10.0), ("ended", 10.0)]
    assert reminded(closed, 500) == closed


def test_a_hold_that_stands_is_never_told_to_be_over() -> None:
    record = flapping(10)
    assert record.state is LifecycleState.HELD
    assert reminded(record, 500) == record


def test_a_hold_for_something_else_is_a_page_at_once() -> None:
    other = after(flapping(9), decided(DecisionKind.HOLD, "latency"), 10)
    assert topics(other) == [*FIRST, ("hold", 10.0)]


def test_a_question_is_paged_each_time_for_each_has_a_time_limit_of_its_own() -> None:
    record = after(flapping(9), ASKED, 10)
    assert topics(record) == [*FIRST, ("ask", 10.0)]
    again = after(after(record, OVER, 11), ASKED, 12)
    assert topics(again)[-3:] == [("ask", 10.0), ("ask-withdrawn", 11.0), ("ask", 12.0)]
    assert reminded(after(again, OVER, 13), 500).notices[-1].topic == "ask-withdrawn"


def test_who_has_not_acknowledged_a_hold_that_is_back_unsaid_is_told_to_others() -> None:
    record = flapping(10)
    tell = response.escalation(record, 300, START.plus(600))
    assert tell is not None and tell.reason.startswith("nobody has acknowledged the page of 2026-11-03T02:02:00Z")
    known = response.acknowledged(record, Acknowledgement(actor="ana", at=START.plus(601)))
    assert response.escalation(known, 300, START.plus(900)) is None
    assert topics(after(after(known, OVER, 59), HELD, 60)) == FIRST


WARNING = Tell(class_=NoticeClass.WARNING, topic="warning", reason="errors: 3% > 1%")


def counted(*looks: tuple[str, ...]) -> RolloutRecord:
    """The record after looks, a minute apart, that each found something of those signals."""
    record = FRESH
    for minute, signals in enumerate(looks):
        found = tuple(replace(ERRORS, signal=signal) for signal in signals)
        times = recurring.counted(record, found, START.plus(60 * minute))
        record = replace(record, findings=found, recurrences=times)
    return record


def test_a_finding_has_come_as_often_as_it_was_there_after_it_was_not() -> None:
    record = counted(("errors",), ("errors", "latency"), (), ("errors",), ("errors",), (), ("errors",))
    assert record.recurrences == (
        Recurrence(signal="latency", first=START.plus(60), times=1),
        Recurrence(signal="errors", first=START, times=3),
    )


def test_another_level_of_the_same_signal_has_not_gone_in_between() -> None:
    record = counted(("errors",))
    worse = (replace(ERRORS, signal="errors", text="much worse"),)
    assert recurring.counted(record, worse, START.plus(60)) == record.recurrences


def test_no_more_signals_are_counted_than_a_record_has_room_for() -> None:
    record = counted(*((f"signal-{n}",) for n in range(30)))
    assert [each.signal for each in record.recurrences] == [f"signal-{n}" for n in range(14, 30)]


def test_a_notice_says_for_which_time_since_when_a_finding_is_there() -> None:
    back = counted(("errors",), (), ("errors",), (), ("errors",))
    said = words(WARNING, back, unit_record(), POLICY, START.plus(600)).text
    assert "errors comes and goes: for the 3rd time since 2026-11-03 02:00:00 UTC (2026-11-03 03:00:00" in said
    assert "That it comes and goes is told at most every 1h." in said
    once = words(WARNING, counted(("errors",)), unit_record(), POLICY, START).text
    gone = words(WARNING, counted(("errors",), (), ("errors",), ()), unit_record(), POLICY, START).text
    assert "comes and goes" not in once + gone


@pytest.mark.parametrize(("times", "said"), [(2, "2nd"), (4, "4th"), (11, "11th"), (22, "22nd"), (113, "113th")])
def test_how_often_is_said_in_english(times: int, said: str) -> None:
    back = replace(counted(("errors",)), recurrences=(Recurrence(signal="errors", first=START, times=times),))
    assert f"for the {said} time since" in words(WARNING, back, unit_record(), POLICY, START).text


class Wavering:
    """A guard that decides to hold what it would roll back, or nothing, as the test says."""

    def __init__(self) -> None:
        self.bad = True

    @contextmanager
    def at_work(self) -> Iterator[None]:
        honest = decide.decide

        def wavers(
            situation: Situation, verdict: Verdict, now: Instant, *, interlocks: tuple[Interlock, ...]
        ) -> Decision:
            decision = honest(situation, verdict, now, interlocks=interlocks)
            if decision.kind is not DecisionKind.ROLL_BACK:
                return decision
            if self.bad:
                return replace(decision, kind=DecisionKind.HOLD, reason="held by the test")
            calm = replace(verdict, kind=VerdictKind.UNDECIDED, findings=())
            return replace(decision, kind=DecisionKind.CONTINUE, reason="calm", verdict=calm)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(decide, "decide", wavers)
            yield


@pytest.mark.parametrize("killed", [False, True])
def test_a_release_that_wavers_pages_twice_and_no_more_also_where_another_guard_leads(killed: bool) -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        wavering = Wavering()
        with wavering.at_work():
            await stage.until(stage.adopted)
            stage.world.set_image(stage.api, FAILING)
            for n in range(6):
                wavering.bad = n % 2 == 0
                state = LifecycleState.HELD if wavering.bad else LifecycleState.WATCHING
                await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().verdict is not VerdictKind.BLIND)
                await stage.until(lambda s=state: stage.rollout().state is s, within=90)  # type: ignore[misc]
                if killed and n == 3:
                    await running.kill()
                    running = stage.start("guard-1")
                await asyncio.sleep(6)
            await stage.until(stage.all_sent)
            assert len(stage.told("hold")) == 2
            assert len(stage.told("hold-over")) == 1
            (errors,) = [each for each in stage.rollout().recurrences if each.signal == "error-rate"]
            assert errors.times == 3
            assert f"for the 2nd time since {errors.first.iso()[:10]}" in stage.told("hold")[1]
            await stage.until(lambda: stage.rollout().closed is not None, within=900)
            await stage.until(stage.all_sent)
        assert len(stage.told("hold-over")) == 2
        assert len(stage.told("hold")) == 2

    timing = replace(policies.TIMING, automatic=600.0, close=600.0, repeat_notice=3600.0)
    play(story, policy=replace(policies.policy(), timing=timing))
