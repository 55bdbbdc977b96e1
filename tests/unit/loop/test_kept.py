"""What stays of a rollout's looks in its record, for those who read it later."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

from rollguard.loop import kept
from rollguard.model.action import Decision, DecisionKind
from rollguard.model.judgement import Verdict, VerdictKind
from rollguard.model.policy import Mode
from rollguard.model.records import LifecycleState, Outcome, RolloutRecord
from rollguard.model.signals import LevelName
from rollguard.model.time import Instant
from tests.simulation import policies
from tests.unit.decide.situations import watched_rollout
from tests.unit.loop.stage import CRASHING, FAILING, GOOD, Stage, play


def decision(kind: DecisionKind, at: Instant, *, would: DecisionKind | None = None, reason: str = "why") -> Decision:
    seen = Verdict(kind=VerdictKind.UNDECIDED, as_of=at, findings=(), gaps=(), readings=(), why="nothing is reached")
    return Decision(kind=kind, reason=reason, interlocks=(), verdict=seen, target=None, would=would)


def test_a_rollout_that_fares_well_writes_its_looks_down_seldom() -> None:
    timing = policies.TIMING
    record, writes = watched_rollout(), []
    for tick in range(1, 201):
        now = record.started.plus(tick * timing.tick)
        after = kept.with_look(record, decision(DecisionKind.CONTINUE, now), timing, now, news=False)
        if after is not record:
            writes.append(tick)
        record = after
    assert writes[:5] == [1, 3, 6, 12, 24]
    assert {later - earlier for earlier, later in itertools.pairwise(writes[5:])} == {kept.TICKS_AT_MOST}


def test_news_are_written_down_at_once() -> None:
    now = watched_rollout().started.plus(1)
    record = kept.with_look(watched_rollout(), decision(DecisionKind.CONTINUE, now), policies.TIMING, now, news=False)
    soon = now.plus(0.5)
    same = kept.with_look(record, decision(DecisionKind.CONTINUE, soon), policies.TIMING, soon, news=False)
    assert same is record
    news = kept.with_look(record, decision(DecisionKind.CONTINUE, soon), policies.TIMING, soon, news=True)
    warned = kept.with_look(record, decision(DecisionKind.WARN, soon), policies.TIMING, soon, news=False)
    for changed in (news, warned):
        assert changed.last_look is not None
        assert changed.last_look.at == soon


def test_each_response_is_kept_with_its_first_time_and_reason() -> None:
    record, now = watched_rollout(), watched_rollout().started
    for second, kind, would in (
        (1, DecisionKind.CONTINUE, None),
        (2, DecisionKind.PAGE, DecisionKind.ROLL_BACK),
        (3, DecisionKind.PAGE, DecisionKind.ROLL_BACK),
        (4, DecisionKind.PAGE, DecisionKind.ASK),
        (5, DecisionKind.PAGE, None),
    ):
        at = now.plus(second)
        record = kept.with_response(record, decision(kind, at, would=would, reason=f"it would, because {second}"), at)
    told = [(response.kind, response.would, response.reason) for response in record.responses]
    assert told == [
        (DecisionKind.ROLL_BACK, True, "2"),
        (DecisionKind.ASK, True, "4"),
        (DecisionKind.PAGE, False, "it would, because 5"),
    ]


def rollback_level(record: RolloutRecord, signal: str) -> float | None:
    look = record.last_look
    assert look is not None
    readings = [r for r in look.readings if (r.signal, r.level) == (signal, LevelName.ROLLBACK)]
    return readings[0].value


def test_the_look_that_led_to_an_undo_is_kept_with_every_interlock() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().closed is not None)
        record = stage.rollout()
        look = record.last_look
        assert record.outcome is Outcome.RECOVERED
        assert look is not None
        assert look.decision is DecisionKind.ROLL_BACK
        value = rollback_level(record, "error-rate")
        assert value is not None
        assert value > 0.3
        assert len(look.standings) > 20
        assert not any(standing.forbids for standing in look.standings)
        assert [r.kind for r in record.responses if not r.would][-1] is DecisionKind.ROLL_BACK

    play(story)


def test_what_would_have_been_done_outlives_a_release_that_got_well_again_and_its_closing() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.told("would-roll-back")))
        then = stage.rollout().responses
        stage.world.set_image(stage.api, GOOD)  # people go back themselves
        await stage.until(lambda: stage.rollouts()[0].closed is not None)
        record = stage.rollouts()[0]
        would = [response for response in record.responses if response.would]
        assert record.state is LifecycleState.CLOSED
        assert not stage.told("hold")  # a change of the template that has not been numbered yet is no reason to page
        assert [response.kind for response in record.responses if not response.would] == []
        assert would == [response for response in then if response.would]
        assert would[0].kind is DecisionKind.ROLL_BACK
        assert would[0].reason.startswith("error-rate: ")
        assert record.started < would[0].at < (record.closed or record.started)

    play(story, policy=policies.policy(mode=Mode.OBSERVE))


def test_a_rollout_that_ends_in_peace_keeps_its_very_last_look() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, "registry.lab/api:v2")
        await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().closed is not None, within=300)
        record, timing = stage.rollout(), stage.policy.timing
        assert record.outcome is Outcome.HEALTHY
        assert record.last_look is not None
        assert record.closed is not None
        assert record.closed.since(record.last_look.at) <= 2 * timing.tick
        assert record.responses == ()

    play(story)


def test_a_leader_that_follows_keeps_what_its_predecessor_saw() -> None:
    async def story(stage: Stage) -> None:
        first = stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: bool(stage.told("would-roll-back")))
        would = [response for response in stage.rollout().responses if response.would]
        await first.kill()
        stage.start("guard-1")
        await asyncio.sleep(30)
        assert [response for response in stage.rollout().responses if response.would] == would

    play(story, policy=replace(policies.policy(mode=Mode.OBSERVE), digest="sha256:observing"))
