"""`rollguard wait`: what a pipeline is told, and never about another rollout than the one it waits for."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import pytest
from rich.console import Console

from rollguard.cli import exits
from rollguard.cli.main import call
from rollguard.cli.output import Format
from rollguard.cli.wait import Lines, Live, Waiting
from rollguard.cli.waiting import Answer, Goal
from rollguard.model.action import Absent, FetchOutcome, Found, Unknown
from rollguard.model.judgement import Phase, VerdictKind
from rollguard.model.names import TemplateHash
from rollguard.model.policy import Mode
from rollguard.model.records import (
    LifecycleState,
    Outcome,
    RolloutRecord,
    StoredRollout,
    StoredUnit,
    UnitRecord,
)
from rollguard.model.time import Instant, Mono
from tests.unit.cli.stories import GOOD, NEW, NOW, WOULD, ended, held, unit, watched
from tests.unit.records import PLAN, START, WORKLOAD, rollout_record

OLD_BODY = json.dumps({"spec": {"containers": [{"name": "app", "image": "registry.example.com/translation:v1"}]}})
NEW_BODY = json.dumps({"spec": {"containers": [{"name": "app", "image": "registry.example.com/translation:v2"}]}})
BEGUN = replace(watched(), started=NOW)


def deployment(**changes: object) -> Found:
    """The Deployment with the new version, its controller up to date."""
    found = Found(
        uid="uid-1",
        resource_version="1",
        generation=7,
        observed_generation=7,
        paused=False,
        template_body=NEW_BODY,
        template_digest="bad-digest",
        receipt="",
        has_annotations=True,
        revision=2,
        raw_template="{}",
    )
    return replace(found, **changes)  # type: ignore[arg-type]


OLD = deployment(template_digest="good-digest", template_body=OLD_BODY, revision=1)


class World:
    """A cluster that a test moves: the Records port as far as `wait` reads, and a clock that only `wait` advances."""

    def __init__(self, found: FetchOutcome, unit_: UnitRecord | None, *rollouts: RolloutRecord) -> None:
        self.found = found
        self.unit = unit_
        self.rollouts = list(rollouts)
        self.away = False
        self.seconds = NOW.seconds
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.answers: list[Answer] = []

    def after(self, seconds: float, change: Callable[[], None]) -> None:
        """Changes the world so many seconds into the wait."""
        self.later.append((NOW.seconds + seconds, change))

    def now(self) -> Instant:
        return Instant(self.seconds)

    def mono(self) -> Mono:
        return Mono(self.seconds)

    async def sleep_until(self, when: Mono) -> None:
        self.seconds = max(self.seconds, when.seconds)
        for at, change in [entry for entry in self.later if entry[0] <= self.seconds]:
            self.later.remove((at, change))
            change()

    async def fetch(self) -> FetchOutcome:
        return self.found

    async def read_unit(self, name: object) -> StoredUnit | Absent | Unknown:
        if self.away:
            return Unknown(detail="503 Service Unavailable")
        return StoredUnit(record=self.unit, version="1") if self.unit is not None else Absent()

    async def read_rollout(self, unit_: object, id_: object) -> StoredRollout | Absent | Unknown:
        found = [StoredRollout(record=record, version="1") for record in self.rollouts if record.id == id_]
        return Unknown(detail="503") if self.away else next(iter(found), Absent())

    async def list_rollouts(self, *, open_only: bool) -> tuple[StoredRollout, ...] | Unknown:
        if self.away:
            return Unknown(detail="503 Service Unavailable")
        return tuple(StoredRollout(record=record, version="1") for record in self.rollouts)

    def live(self) -> AbstractContextManager[object]:
        return nullcontext()

    def change(self, at: Instant, answer: Answer, code: int | None) -> None:
        self.answers.append(answer)

    def set(self, *rollouts: RolloutRecord) -> None:
        self.rollouts = list(rollouts)

    @property
    def last(self) -> str:
        return self.answers[-1].line

    def wait(self, goal: Goal = Goal.HEALTHY, *, image: str = "", timeout: float = 2100.0) -> int:
        """Waits, and says the exit code."""
        waiting = Waiting(
            name=WORKLOAD,
            fetch=self.fetch,
            records=self,  # type: ignore[arg-type]
            clock=self,
            screen=self,
        )
        return asyncio.run(waiting.until(goal, image, timeout))

    @property
    def waited(self) -> float:
        return self.seconds - NOW.seconds


def under_way(**changes: object) -> UnitRecord:
    return unit(current_rollout=BEGUN.id, **changes)


def test_it_ends_with_0_when_the_version_is_judged_healthy() -> None:
    world = World(deployment(), under_way(), BEGUN)
    world.after(10, lambda: world.set(replace(BEGUN, phase=Phase.VALIDATION)))
    world.after(1800, lambda: world.set(replace(BEGUN, phase=Phase.STEADY, verdict=VerdictKind.HEALTHY)))
    assert world.wait() == 0
    assert 1800 <= world.waited <= 1804
    assert [answer.line.split(":")[0] for answer in world.answers] == [
        "revision 2 is undecided in phase startup",
        "revision 2 is undecided in phase validation",
        "revision 2 is healthy",
    ]


def test_a_pipeline_may_go_on_when_a_phase_has_passed() -> None:
    world = World(deployment(), under_way(), BEGUN)
    world.after(300, lambda: world.set(replace(BEGUN, phase=Phase.STABILIZATION)))
    assert world.wait(Goal.STARTUP) == 0
    assert 300 <= world.waited <= 304
    assert world.last.startswith("revision 2 passed the phase startup")


@pytest.mark.parametrize("goal", list(Goal))
def test_no_goal_is_reached_with_a_bad_verdict(goal: Goal) -> None:
    bad = replace(BEGUN, phase=Phase.STEADY, verdict=VerdictKind.BAD, state=LifecycleState.HELD)
    assert World(deployment(), under_way(), bad).wait(goal, timeout=60) == 2
    asked = replace(bad, state=LifecycleState.AWAITING_APPROVAL)
    world = World(deployment(), under_way(), asked)
    assert (world.wait(goal), world.waited) == (1, 0.0)
    assert "`rollguard approve production/translation`" in world.last


def test_a_rollback_is_waited_for_and_is_1() -> None:
    acting = replace(BEGUN, verdict=VerdictKind.BAD, state=LifecycleState.ACTING, plan=PLAN, why="14.8% > 10%")
    world = World(deployment(), under_way(), acting)
    world.after(5, lambda: world.set(replace(acting, state=LifecycleState.VERIFYING)))
    assert world.wait() == 1
    assert [answer.line for answer in world.answers] == [
        "revision 2 is bad and being rolled back: 14.8% > 10%",
        "revision 2 was rolled back: 14.8% > 10%",
    ]
    assert World(deployment(), under_way(), acting).wait(timeout=30) == 1


def test_what_mode_observe_would_have_rolled_back_is_1_at_once() -> None:
    seen = replace(BEGUN, mode=Mode.OBSERVE, responses=(WOULD,))
    world = World(deployment(), under_way(), seen)
    assert world.wait() == 1
    assert "would have rolled back at 2026-11-03T02:05:30Z, because error-rate" in world.last


def test_a_hold_that_is_lifted_may_still_end_well_and_one_that_stands_is_2() -> None:
    frozen = replace(held(), started=NOW)
    world = World(deployment(), under_way(), frozen)
    world.after(900, lambda: world.set(replace(BEGUN, verdict=VerdictKind.HEALTHY)))
    assert world.wait() == 0
    stands = World(deployment(), under_way(), frozen)
    assert (stands.wait(), stands.waited) == (2, 2100.0)
    assert stands.last.startswith("not decided within 35m: revision 2 is held, a person is needed")


def test_undecided_at_the_timeout_is_2() -> None:
    assert World(deployment(), under_way(), BEGUN).wait(timeout=60) == 2


def test_the_deployments_controller_is_waited_for_first() -> None:
    world = World(replace(OLD, generation=8), unit(healthy=(GOOD,)))
    world.after(4, lambda: setattr(world, "found", deployment(generation=8, observed_generation=8)))
    world.after(8, lambda: world.set(BEGUN))
    world.after(8, lambda: setattr(world, "unit", under_way(healthy=(GOOD,))))
    assert world.wait(timeout=60) == 2
    assert [answer.line.split(":")[0] for answer in world.answers] == [
        "the Deployment controller has not seen the newest spec yet",
        "the guard has yet to take up revision 2",
        "revision 2 is undecided in phase startup",
        "not decided within 1m",
    ]


def test_the_answer_of_an_earlier_rollout_of_the_same_template_is_none() -> None:
    before = replace(rollout_record(), target_number=2, started=START, closed=START.plus(300))
    again = deployment(revision=4)
    world = World(again, unit(healthy=(GOOD,)), before)
    fresh = replace(BEGUN, id=BEGUN.id, target_number=4)
    world.after(6, lambda: world.set(before, fresh))
    world.after(60, lambda: world.set(before, replace(fresh, verdict=VerdictKind.HEALTHY)))
    assert world.wait() == 0
    assert world.answers[0].line == "the guard has yet to take up revision 4"
    assert world.last.startswith("revision 4 is healthy")


def test_the_same_version_deployed_again_is_answered_at_once() -> None:
    world = World(OLD, unit())
    assert (world.wait(), world.waited) == (0, 0.0)
    assert world.last == "no rollout: revision 1 runs unchanged, adopted, not judged, since 2026-11-02T02:00:00Z"
    judged = World(deployment(), replace(unit(healthy=(NEW,)), last_target=NEW.hash))
    assert judged.wait() == 0
    assert judged.last == "no rollout: revision 2 runs unchanged, judged healthy since 2026-11-03T02:30:00Z"


def test_a_workload_that_was_deleted_and_made_anew_has_nothing_of_its_namesakes_good_name() -> None:
    world = World(replace(OLD, uid="uid-2"), unit())
    assert world.wait(timeout=60) == 3
    assert world.answers[0].line == "the guard has yet to take up revision 1"


def test_a_paused_deployment_has_no_version_to_wait_for_until_it_is_resumed() -> None:
    world = World(deployment(paused=True, revision=1), unit(healthy=(GOOD,)))
    world.after(30, lambda: setattr(world, "found", deployment()))
    world.after(32, lambda: world.set(BEGUN))
    world.after(60, lambda: world.set(replace(BEGUN, verdict=VerdictKind.HEALTHY)))
    assert world.wait() == 0
    assert world.answers[0].line.startswith("the Deployment is paused")


def test_a_version_that_runs_unchanged_and_was_never_judged_is_2_at_once() -> None:
    undecided = ended(2, Outcome.UNDECIDED, target_number=2)
    world = World(deployment(revision=9), replace(unit(), last_target=TemplateHash("bbb")), undecided)
    assert (world.wait(), world.waited) == (2, 0.0)
    assert "was never judged healthy (its rollout: undecided" in world.last


def test_a_guard_that_knows_a_workload_and_nothing_of_its_revisions_says_so() -> None:
    world = World(OLD, replace(unit(), adopted=None))
    assert world.wait() == 2
    assert world.last == "no rollout: revision 1 runs unchanged and is neither judged nor adopted yet"


def test_a_pipeline_that_comes_after_the_rollback_is_told_of_it() -> None:
    undone = replace(rollout_record(), closed=NOW.plus(-60))
    restored = replace(OLD, revision=3)
    world = World(restored, unit(), undone)
    assert (world.wait(), world.waited) == (1, 0.0)
    assert world.last.startswith("revision 2 was rolled back, revision 3 runs again: error-rate 14.8% > 10%")
    assert World(restored, unit(), replace(undone, closed=NOW.plus(-3600))).wait() == 0


def test_the_image_says_which_version_is_meant() -> None:
    undone = replace(rollout_record(), closed=NOW.plus(-60))
    restored = replace(OLD, revision=3)
    meant_old = World(restored, unit(), undone)
    assert meant_old.wait(image="registry.example.com/translation:v1") == 0
    meant_new = World(restored, unit(), replace(undone, closed=NOW.plus(-36000)))
    assert meant_new.wait(image="registry.example.com/translation:v2") == 1
    assert "runs registry.example.com/translation:v1, not registry.example.com/translation:v2" in meant_new.last
    never = World(restored, unit(), undone)
    assert never.wait(image="registry.example.com/translation:v9") == 3


def test_a_version_that_somebody_replaced_meanwhile_is_2() -> None:
    world = World(deployment(), under_way(), BEGUN)
    gone = replace(BEGUN, closed=NOW.plus(10), state=LifecycleState.CLOSED, outcome=Outcome.SUPERSEDED, why="r3 is")
    world.after(10, lambda: world.set(gone, replace(BEGUN, target_number=3, target_digest="third")))
    world.after(10, lambda: setattr(world, "found", deployment(template_digest="third", revision=3)))
    assert world.wait() == 2
    assert world.last == "revision 2 came to no conclusion (superseded): r3 is"


def test_what_is_not_guarded_is_3() -> None:
    absent = World(Absent(), None)
    assert absent.wait() == 3
    assert absent.last == "there is no Deployment translation in production"
    out = World(deployment(guard="off"), unit())
    assert (out.wait(), out.waited) == (3, 0.0)
    assert 'by the annotation rollguard.dev/guard: "off"' in out.last
    unwatched = World(deployment(), None)
    assert unwatched.wait() == 3
    assert unwatched.waited < 40
    asleep = World(deployment(), unit(healthy=(GOOD,)))
    assert asleep.wait() == 3
    assert "does a controller run" in asleep.last


def test_a_cluster_that_never_answers_is_3_soon_and_one_that_goes_away_is_waited_for() -> None:
    never = World(Unknown(detail="connection refused"), None)
    with pytest.raises(exits.CommandError, match="connection refused"):
        never.wait()
    assert never.waited < 40
    world = World(deployment(), under_way(), BEGUN)
    world.after(20, lambda: setattr(world, "away", True))
    world.after(200, lambda: setattr(world, "away", False))
    world.after(300, lambda: world.set(replace(BEGUN, verdict=VerdictKind.HEALTHY)))
    assert world.wait() == 0
    away = World(deployment(), under_way(), BEGUN)
    away.after(20, lambda: setattr(away, "away", True))
    assert away.wait(timeout=60) == 3


def test_wrong_usage_is_3_for_2_is_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["wait", "production"]) == 3
    assert call(["wait", "production", "api", "--timeout", "soon"]) == 3
    assert "expected a duration such as 35m" in capsys.readouterr().err


def test_programs_get_a_document_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    Lines(Format.JSON).change(NOW, Answer(line="revision 2 is healthy", code=0, rollout=BEGUN), 0)
    told = json.loads(capsys.readouterr().out)
    assert (told["code"], told["rollout"], told["verdict"]) == (0, BEGUN.id, "undecided")
    Lines(Format.TABLE).change(NOW, Answer(line="revision 2 is healthy", code=0), 0)
    assert capsys.readouterr().out == "2026-11-03T03:00:00Z  revision 2 is healthy\n"


def test_in_a_terminal_the_changes_stay_and_what_is_waited_for_moves_below() -> None:
    console = Console(force_terminal=True, width=100, file=io.StringIO())
    live = Live(console)
    with live.live():
        live.change(NOW, Answer(line="revision 2 is undecided [x]"), None)
        live.change(NOW, Answer(line="revision 2 is healthy", code=0), 0)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "2026-11-03T03:00:00Z  revision 2 is undecided [x]" in shown
    assert "waiting: revision 2 is undecided" in shown
    assert shown.index("revision 2 is undecided [x]") < shown.index("2026-11-03T03:00:00Z  revision 2 is healthy")
