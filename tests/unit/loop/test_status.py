"""What the guard says of a unit's incident and of a rollback that does not come to its end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard.loop import UnitStatus
from rollguard.loop.status import is_paged, is_stalled
from rollguard.model.names import UnitName
from rollguard.model.records import Freeze, LifecycleState, Notice, NoticeClass
from rollguard.sim.objects import at
from tests.unit.loop.stage import FAILING, GOOD, Running, Stage, play
from tests.unit.records import START, rollout_record


def freeze(stage: Stage) -> None:
    """What would be undone is held, and paged."""
    until = at(stage.world.loop.time() + 1000)
    unit = UnitName.of_workload(stage.api.name)
    stage.world.records.freeze(unit, Freeze(until=until, actor="alice", reason="migration"))


def said(running: Running) -> UnitStatus:
    (unit,) = running.guard.status().units
    return unit


def test_an_incident_is_open_once_a_channel_took_its_page_until_the_rollout_is_over() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        freeze(stage)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.rollouts()))
        assert not said(running).incident_open
        await stage.until(lambda: bool(stage.told("hold")))
        await stage.until(lambda: said(running).incident_open, within=2)
        stage.world.records.freeze(UnitName.of_workload(stage.api.name), None)
        await stage.until(lambda: stage.image() == GOOD)
        await stage.until(lambda: said(running).rollout is None)
        assert not said(running).incident_open

    play(story)


def test_an_incident_whose_page_nobody_took_is_not_called_open() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start(channels=False)
        await stage.until(stage.adopted)
        freeze(stage)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: said(running).state is LifecycleState.HELD)
        await stage.until(lambda: bool(stage.rollout().incident))
        assert not said(running).incident_open

    play(story)


@pytest.mark.parametrize(
    ("detail", "paged"),
    [("accepted by log", False), ("accepted by log, receiver", True), ("accepted by receiver", True), ("", False)],
)
def test_the_guards_own_log_is_nobody_who_was_paged(detail: str, paged: bool) -> None:
    page = Notice(id="n1", class_=NoticeClass.PAGE, topic="hold", title="t", text="t", at=START, detail=detail)
    record = replace(rollout_record(), incident="i1", incident_resolved=None, notices=(page,))
    assert is_paged(record) is paged


@pytest.mark.parametrize(
    ("state", "topic", "stalled"),
    [
        (LifecycleState.VERIFYING, "stalled", True),
        (LifecycleState.VERIFYING, "rolled-back", False),
        (LifecycleState.CLOSED, "stalled", False),
    ],
)
def test_a_rollback_is_stalled_while_it_is_verified_and_was_told_to_be(
    state: LifecycleState, topic: str, stalled: bool
) -> None:
    page = Notice(id="n1", class_=NoticeClass.PAGE, topic=topic, title="t", text="t", at=START)
    assert is_stalled(replace(rollout_record(), state=state, notices=(page,)), restored=None) is stalled
    assert not is_stalled(replace(rollout_record(), state=state, notices=(page,)), restored=START)
