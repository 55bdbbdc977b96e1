"""Acknowledged in PagerDuty is acknowledged here: it is asked for while a rollout waits for a person, and no longer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rollguard.loop.acknowledging import CLOCKS_APART, EVERY
from rollguard.model.action import Unknown
from rollguard.model.channels import PAGERDUTY
from rollguard.model.handling import Acknowledgement, Via
from rollguard.model.names import UnitName
from rollguard.model.records import LifecycleState, RolloutRecord
from rollguard.model.requests import Freeze
from rollguard.sim.channels import SimNotifier
from rollguard.sim.objects import at
from tests.unit.loop.stage import FAILING, Running, Stage, play

ALICE = Acknowledgement(actor="Alice", at=at(700.0), via=Via.PAGERDUTY)
Answer = Acknowledgement | Unknown | None


class OnCall(SimNotifier):
    """PagerDuty, where people acknowledge when the test says so."""

    def __init__(self, stage: Stage, running: Running, answer: Answer) -> None:
        super().__init__(stage.inbox, running.process, running.faults, name=PAGERDUTY)
        self.answer: Answer = answer
        self.asked: list[str] = []

    async def acknowledged(self, reference: str, *, timeout: float) -> Answer:
        """What the test says."""
        self.asked.append(reference)
        return self.answer


def keep(stage: Stage, change: Callable[[RolloutRecord], RolloutRecord]) -> None:
    """Changes the only rollout as it is kept in the cluster."""
    ((key, stored),) = stage.world.records.rollouts.items()
    stage.world.records.rollouts[key] = replace(stored, record=change(stored.record))


async def held(stage: Stage, answer: Answer, *, reference: str = "Q000001") -> tuple[Running, OnCall]:
    """A guard that took a bad rollout over, which is held and whose page opened that incident in PagerDuty."""
    first = stage.start("guard-0")
    await stage.until(stage.adopted)
    freeze = Freeze(until=at(stage.world.loop.time() + 10_000), actor="alice", reason="migration")
    stage.world.records.freeze(UnitName.of_workload(stage.api.name), freeze)
    stage.world.set_image(stage.api, FAILING)
    await stage.until(lambda: bool(stage.told("hold")) and stage.all_sent())
    await first.kill()
    references = ((PAGERDUTY, reference),) if reference else ()
    keep(stage, lambda record: replace(record, references=references))
    running = stage.prepare("guard-1")
    pager = OnCall(stage, running, answer)
    running.channels.notifiers = (pager,)
    running.begin()
    await stage.until(lambda: running.guard.status().active)
    return running, pager


def test_who_acknowledged_there_stands_in_the_record_with_name_time_and_way() -> None:
    async def story(stage: Stage) -> None:
        _running, pager = await held(stage, None)
        await stage.until(lambda: len(pager.asked) == 2)
        assert stage.rollout().acknowledged is None
        pager.answer = ALICE
        await stage.until(lambda: stage.rollout().acknowledged is not None, within=EVERY + 5)
        assert stage.rollout().acknowledged == ALICE
        assert stage.rollout().state is LifecycleState.HELD
        line = stage.rollout().timeline[-1]
        assert (line.kind, line.text, line.actor) == ("human", "Acknowledged in PagerDuty", "Alice")
        assert set(pager.asked) == {"Q000001"}

    play(story)


def test_it_is_asked_every_half_minute_and_not_any_more_once_somebody_has() -> None:
    async def story(stage: Stage) -> None:
        _running, pager = await held(stage, None)
        await stage.until(lambda: bool(pager.asked))
        took = await stage.until(lambda: len(pager.asked) == 4, within=4 * EVERY)
        assert 3 * EVERY - 1 <= took <= 3 * EVERY + 5
        pager.answer = ALICE
        await stage.until(lambda: stage.rollout().acknowledged is not None)
        asked = len(pager.asked)
        since = stage.world.loop.time()
        await stage.until(lambda: stage.world.loop.time() > since + 4 * EVERY, within=5 * EVERY)
        assert len(pager.asked) == asked

    play(story)


def test_what_pagerduty_does_not_say_acknowledges_nothing() -> None:
    async def story(stage: Stage) -> None:
        running, pager = await held(stage, Unknown(detail="HTTP 503"))
        await stage.until(lambda: len(pager.asked) == 3)
        assert stage.rollout().acknowledged is None
        assert running.events("acknowledgement-not-read")[0]["detail"] == "HTTP 503"

    play(story)


def test_a_rollout_without_an_incident_there_is_not_asked_about() -> None:
    async def story(stage: Stage) -> None:
        _running, pager = await held(stage, ALICE, reference="")
        since = stage.world.loop.time()
        await stage.until(lambda: stage.world.loop.time() > since + 3 * EVERY, within=4 * EVERY)
        assert pager.asked == []
        assert stage.rollout().acknowledged is None

    play(story)


def test_where_no_channel_can_say_it_nothing_breaks() -> None:
    async def story(stage: Stage) -> None:
        running, _pager = await held(stage, ALICE)
        await running.kill()
        keep(stage, lambda record: replace(record, acknowledged=None))
        other = stage.start("guard-2")
        await stage.until(lambda: bool(other.events("acknowledgement-not-read")), within=2 * EVERY)
        assert stage.rollout().acknowledged is None

    play(story)


def test_who_acknowledged_an_earlier_call_has_not_answered_the_present_one() -> None:
    async def story(stage: Stage) -> None:
        _running, pager = await held(stage, None)
        called = stage.rollout().called
        assert called is not None
        pager.answer = replace(ALICE, at=called.plus(-CLOCKS_APART - 1))
        asked = len(pager.asked)
        await stage.until(lambda: len(pager.asked) >= asked + 3, within=4 * EVERY)
        assert stage.rollout().acknowledged is None
        pager.answer = replace(ALICE, at=called.plus(-CLOCKS_APART + 1))
        await stage.until(lambda: stage.rollout().acknowledged == pager.answer, within=EVERY + 5)

    play(story)
