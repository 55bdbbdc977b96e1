"""A question, and what takes it away: who was not asked has not declined."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from rollguard import decide, lifecycle
from rollguard.decide.interlocks.every import Interlock
from rollguard.loop import changes
from rollguard.model.action import Absent, Decision, DecisionKind, Unknown
from rollguard.model.judgement import Verdict, VerdictKind
from rollguard.model.lifecycle import Decided
from rollguard.model.metrics import GapCause
from rollguard.model.names import RolloutId, UnitName
from rollguard.model.policy import Limits, Mode
from rollguard.model.records import LifecycleState, RolloutRecord, StoredRollout
from rollguard.model.requests import Freeze, HumanRequest, RequestKind
from rollguard.model.situation import Situation
from rollguard.model.time import Instant
from rollguard.sim.objects import at
from rollguard.sim.world import Blind
from tests.simulation import policies
from tests.unit.decide import situations
from tests.unit.judge.building import policy as some_policy
from tests.unit.loop.stage import CRASHING, FAILING, GOOD, Stage, play
from tests.unit.loop.test_conditions import refused_pods
from tests.unit.loop.test_guard import request
from tests.unit.records import START, rollout_record, unit_record

APPROVE = policies.policy(mode=Mode.APPROVE)
LONG = replace(APPROVE, timing=replace(APPROVE.timing, automatic=400.0, close=900.0))


async def asked(stage: Stage) -> None:
    await stage.until(stage.adopted)
    stage.world.set_image(stage.api, FAILING)
    await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().state is LifecycleState.AWAITING_APPROVAL)


def test_after_a_freeze_that_took_the_question_away_it_is_asked_again_and_paged() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await asked(stage)
        unit, now = UnitName.of_workload(stage.api.name), stage.world.loop.time()
        stage.world.records.freeze(unit, Freeze(until=at(now + 1000), actor="alice", reason="wait, I look at it"))
        await stage.until(lambda: stage.rollout().state is LifecycleState.HELD)
        await asyncio.sleep(40)
        assert len(stage.told("ask")) == 1
        stage.world.records.freeze(unit, None)
        await stage.until(lambda: stage.rollout().state is LifecycleState.AWAITING_APPROVAL, within=20)
        await stage.until(lambda: len(stage.told("ask")) == 2, within=5)
        request(stage, RequestKind.APPROVE, "yes")
        await stage.until(lambda: stage.image() == GOOD, within=10)

    play(story, policy=LONG)


def test_a_watch_that_is_away_for_some_seconds_neither_ends_a_question_nor_begins_a_hold() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await asked(stage)
        until = stage.rollout().asked_until
        give_back = refused_pods(running)
        await asyncio.sleep(40)
        assert (stage.rollout().state, stage.rollout().asked_until) == (LifecycleState.AWAITING_APPROVAL, until)
        give_back()
        await asyncio.sleep(20)
        assert (stage.told("hold"), len(stage.told("ask"))) == ([], 1)
        give_back = refused_pods(running)
        await asyncio.sleep(80)
        assert (stage.rollout().state, len(stage.told("hold"))) == (LifecycleState.HELD, 1)

    play(story, policy=replace(LONG, timing=replace(LONG.timing, approval_within=300.0)))


def test_a_question_that_blindness_took_away_is_asked_again_when_sight_is_back() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await asked(stage)
        now = stage.world.loop.time()
        stage.world.blind.append(Blind(start=now + 4, end=now + 36, cause=GapCause.TIMEOUT))
        await stage.until(lambda: stage.rollout().state is LifecycleState.HELD)
        await stage.until(lambda: len(stage.told("ask")) == 2, within=80)
        assert stage.rollout().state is LifecycleState.AWAITING_APPROVAL

    play(story, policy=LONG)


def test_a_lost_answer_of_the_store_takes_no_question_away() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await asked(stage)
        now = stage.world.loop.time()
        stage.world.blind.append(Blind(start=now, end=now + 5, cause=GapCause.TIMEOUT))
        await asyncio.sleep(25)
        assert stage.rollout().state is LifecycleState.AWAITING_APPROVAL
        assert len(stage.told("ask")) == 1
        assert not stage.told("ask-withdrawn")

    play(story, policy=LONG)


def test_a_question_that_nobody_answered_is_not_asked_again() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await asked(stage)
        await asyncio.sleep(90)
        assert stage.rollout().state is LifecycleState.HELD
        assert len(stage.told("approval-timed-out")) == len(stage.told("ask")) == 1

    play(story, policy=LONG)


@pytest.mark.parametrize(
    ("kind", "said"), [(RequestKind.APPROVE, "the rollback is held"), (RequestKind.REJECT, "from here on this rollout")]
)
def test_who_answers_while_nothing_is_asked_is_told(kind: RequestKind, said: str) -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await asked(stage)
        unit, now = UnitName.of_workload(stage.api.name), stage.world.loop.time()
        stage.world.records.freeze(unit, Freeze(until=at(now + 1000), actor="bob", reason="wait"))
        await stage.until(lambda: stage.rollout().state is LifecycleState.HELD)
        request(stage, kind, "answer-1")
        await asyncio.sleep(1)
        request(stage, kind, "answer-2")
        await stage.until(lambda: len(stage.told("answer-unasked")) == 2, within=10)
        assert all(said in text for text in stage.told("answer-unasked"))
        assert "alice's answer answer-1" in stage.told("answer-unasked")[0]
        assert stage.image() == FAILING

    play(story, policy=LONG)


def test_who_answers_after_the_rollout_is_over_is_told() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        request(stage, RequestKind.APPROVE, "late")
        await stage.until(lambda: bool(stage.told("answer-unasked")), within=10)
        assert "there is no rollout" in stage.told("answer-unasked")[0]

    play(story, policy=LONG)


def test_what_nobody_answered_about_is_rolled_back_within_the_fleets_budget_also_by_a_new_leader() -> None:
    async def story(stage: Stage) -> None:
        every = (stage.api, *(stage.deploy(f"other-{n}") for n in range(5)))
        await stage.warm_up()
        running = stage.start()
        await stage.until(stage.adopted)
        await asyncio.sleep(10)
        for deployment in every:
            stage.world.set_image(deployment, CRASHING)
        await stage.until(lambda: [r.state for r in stage.rollouts()] == [LifecycleState.AWAITING_APPROVAL] * 6)
        await stage.until(lambda: any(r.state is LifecycleState.PLANNED for r in stage.rollouts()))
        await running.kill()
        stage.start("guard-1")
        await asyncio.sleep(60)
        assert sum(deployment.template.images[0][1] == GOOD for deployment in every) == 2
        held = [record for record in stage.rollouts() if record.state is LifecycleState.HELD]
        assert len(held) == 4
        assert all(any("fleet's budget is spent" in n.text for n in record.notices) for record in held)

    rolling_back = replace(LONG, limits=Limits(fleet_units=2), on_timeout_roll_back=True)
    play(story, policy=rolling_back)


def test_a_question_whose_time_is_up_while_the_value_is_inside_its_bound_waits_for_evidence_of_then() -> None:
    honest = decide.decide

    def inside(situation: Situation, verdict: Verdict, now: Instant, *, interlocks: tuple[Interlock, ...]) -> Decision:
        degraded = replace(verdict, kind=VerdictKind.DEGRADED)
        return replace(honest(situation, verdict, now, interlocks=interlocks), kind=DecisionKind.PAGE, verdict=degraded)

    async def story(stage: Stage) -> None:
        stage.start()
        await asked(stage)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(decide, "decide", inside)
            await asyncio.sleep(60)
            assert stage.image() == FAILING
            assert stage.rollout().state is LifecycleState.AWAITING_APPROVAL
        await stage.until(lambda: stage.image() == GOOD, within=10)

    play(story, policy=replace(LONG, on_timeout_roll_back=True))


@pytest.mark.parametrize("kind", [DecisionKind.HOLD, DecisionKind.ASK])
def test_what_begins_again_within_the_interval_is_paged_again(kind: DecisionKind) -> None:
    def after(record: RolloutRecord, kind: DecisionKind, found: VerdictKind, minute: float) -> RolloutRecord:
        decision = Decision(
            kind=kind,
            reason=f"error-rate: {14 + minute:g}% over 5m; but frozen",
            interlocks=(),
            verdict=situations.verdict(kind=found),
            target=None,
        )
        transition = lifecycle.advance(record.state, Decided(decision=decision))
        now = START.plus(60 * minute)
        return changes.advanced(record, transition, unit=unit_record(), policy=some_policy(), now=now)

    fresh = replace(rollout_record(), state=LifecycleState.WATCHING, notices=(), closed=None, outcome=None)
    record = after(fresh, kind, VerdictKind.BAD, 0)
    assert after(record, kind, VerdictKind.BAD, 1).notices == record.notices
    again = after(after(record, DecisionKind.CONTINUE, VerdictKind.UNDECIDED, 2), kind, VerdictKind.BAD, 3)
    assert [notice.topic for notice in again.notices if notice.topic == kind.value] == [kind.value] * 2
    assert len({notice.id for notice in again.notices}) == len(again.notices)


def test_an_approval_from_before_the_rollout_that_names_none_is_not_for_it() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        early = HumanRequest(
            id="approve-1",
            kind=RequestKind.APPROVE,
            actor="alice",
            at=at(stage.world.loop.time()),
            reason="the last one",
        )
        await asked(stage)
        stage.world.records.request(UnitName.of_workload(stage.api.name), early)
        await stage.until(lambda: bool(stage.told("answer-unasked")), within=10)
        assert stage.rollout().state is LifecycleState.AWAITING_APPROVAL
        assert stage.rollout().acknowledged is None

    play(story, policy=LONG)


@pytest.mark.parametrize("kind", [RequestKind.ACKNOWLEDGE, RequestKind.RESOLVE, RequestKind.NOTE])
def test_who_may_write_into_one_unit_has_no_say_in_anothers_rollout(kind: RequestKind) -> None:
    async def story(stage: Stage) -> None:
        other = stage.deploy("other")
        await stage.warm_up()
        running = stage.start()

        async def by_name(unit: UnitName, id_: RolloutId) -> StoredRollout | Absent | Unknown:
            """As the API server finds it: in the namespace."""
            return next((s for (_, i), s in stage.world.records.rollouts.items() if i == id_), Absent())

        running.records.read_rollout = by_name  # type: ignore[method-assign]
        await asked(stage)
        before, unit = stage.rollout(), UnitName.of_workload(other.name)
        word = HumanRequest(
            id="word-1",
            kind=kind,
            actor="mallory",
            at=at(stage.world.loop.time()),
            reason="mine",
            rollout=before.id,
        )
        stage.world.records.request(unit, word)
        await stage.until(lambda: "word-1" in stage.world.records.units[unit].record.handled_requests, within=10)
        after = stage.rollout()
        assert (after.acknowledged, after.incident_resolved) == (None, None)
        assert not any(line.actor == "mallory" for line in after.timeline)
        await stage.until(lambda: bool(stage.told("answer-unasked")), within=10)
        assert "no rollout that it could be for" in stage.told("answer-unasked")[0]

    play(story, policy=LONG)
