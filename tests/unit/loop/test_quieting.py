"""In quiet hours people are told of pages alone, and at their end in one message of what waited."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from rollguard.model.action import Absent
from rollguard.model.channels import SLACK_DEPLOYMENTS
from rollguard.model.notices import Notice, NoticeClass, NoticeState
from rollguard.model.policy import Policy, QuietWindow
from rollguard.model.records import EVERYTHING, Stale, StoredUnit, UnitRecord
from rollguard.sim.channels import Inbox, SimNotifier
from rollguard.sim.faults import Fault
from rollguard.sim.objects import at
from rollguard.sim.process import Process
from tests.simulation import policies
from tests.unit.loop.stage import FAILING, Running, Stage, play

FINE = "registry.lab/api:v2"
MINUTES = 20
"""How long it is quiet, from the beginning of a story on."""
STARTED = datetime.fromtimestamp(at(0).seconds, UTC)
BEGIN = STARTED.hour * 60 + STARTED.minute
"""Minutes after midnight."""


def quiet(policy: Policy) -> Policy:
    hours = QuietWindow(
        name="nights", days=(), begin=BEGIN, end=BEGIN + MINUTES, time_zone="UTC", reason="people sleep"
    )
    return replace(policy, quiet=(hours,))


QUIET = quiet(policies.policy())


class Desk:
    """Slack, where people read, beside the channel of the stage, which is a machine's."""

    def __init__(self) -> None:
        self.inbox = Inbox()

    def of(self, running: Running) -> Running:
        people = SimNotifier(self.inbox, running.process, running.faults, name=SLACK_DEPLOYMENTS)
        running.channels.notifiers = (people, *running.channels.notifiers)
        return running

    @property
    def topics(self) -> list[str]:
        """Of what arrived, each notice once."""
        return list({arrived.notice.id: arrived.notice.topic for arrived in self.inbox.arrived}.values())


def notices(stage: Stage) -> list[Notice]:
    return [notice for record in stage.rollouts() for notice in record.notices]


async def closed(stage: Stage) -> None:
    await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().closed is not None, within=600)


async def morning(stage: Stage) -> None:
    """Until the quiet hours are over, and what waited is told."""
    await asyncio.sleep(max(0.0, MINUTES * 60 - stage.world.loop.time()))
    await stage.until(stage.all_sent, within=60)


def begun(stage: Stage, desk: Desk, name: str = "guard-0") -> Running:
    running = desk.of(stage.prepare(name))
    running.begin()
    return running


def test_a_healthy_release_of_the_night_is_one_message_in_the_morning_and_machines_had_it_at_once() -> None:
    async def story(stage: Stage) -> None:
        desk = Desk()
        running = begun(stage, desk)
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FINE)
        await closed(stage)
        await asyncio.sleep(20)
        assert desk.topics == []
        assert [a.notice.topic for a in stage.inbox.arrived] == ["rollout-began", "healthy", "ended"]
        assert {(n.state, n.kept) for n in notices(stage)} == {(NoticeState.PENDING, True)}
        assert running.guard.status().outbox_pending == 0
        await morning(stage)
        assert desk.topics == ["quiet-over"]
        (told,) = desk.inbox.arrived
        assert told.notice.title == "While it was quiet: 3 notices on simulated"
        assert [line.partition(", info: ")[2].partition(":")[0] for line in told.notice.text.splitlines()[1:4]] == [
            "Rollout began",
            "Release is healthy",
            "Rollout ended",
        ]
        assert len(stage.inbox.arrived) == 3
        assert {(n.state, n.kept) for n in notices(stage)} == {(NoticeState.ACCEPTED, False)}
        assert all(n.detail.endswith(f"told by {told.notice.id}") for n in notices(stage))

    play(story, policy=QUIET)


def test_a_page_of_the_night_goes_out_at_once_with_all_that_belongs_to_its_rollout() -> None:
    async def story(stage: Stage) -> None:
        desk = Desk()
        begun(stage, desk)
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await closed(stage)
        await stage.until(stage.all_sent, within=20)
        assert sorted(desk.topics) == ["recovered", "rolled-back", "rollout-began"]
        assert not any(n.kept for n in notices(stage))
        await morning(stage)
        assert "quiet-over" not in desk.topics

    play(story, policy=QUIET)


def test_what_waited_alone_is_told_as_it_is() -> None:
    async def story(stage: Stage) -> None:
        desk = Desk()
        begun(stage, desk)
        await stage.until(stage.adopted)
        await asyncio.sleep(MINUTES * 60 - 100 - stage.world.loop.time())
        stage.world.set_image(stage.api, FINE)
        await stage.until(lambda: bool(notices(stage)) and notices(stage)[0].kept)
        await morning(stage)
        assert desk.topics[0] == "rollout-began"

    play(story, policy=QUIET)


@pytest.mark.parametrize("quiet_still", [True, False])
def test_another_guard_tells_what_waited_and_a_policy_without_quiet_hours_tells_it_at_once(quiet_still: bool) -> None:
    async def story(stage: Stage) -> None:
        desk = Desk()
        running = begun(stage, desk)
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FINE)
        await closed(stage)
        await stage.until(lambda: all(n.kept for n in notices(stage)), within=20)
        await running.kill()
        if not quiet_still:
            stage.write_policy(replace(policies.policy(), digest="sha256:loud"))
        begun(stage, desk, "guard-1")
        if quiet_still:
            await morning(stage)
            assert desk.topics == ["quiet-over"]
        else:
            await stage.until(stage.all_sent, within=60)
            assert sorted(desk.topics) == ["ended", "healthy", "rollout-began"]
        assert len(stage.inbox.arrived) == 3

    play(story, policy=QUIET)


def test_a_guard_that_dies_before_it_marks_what_it_told_leaves_none_untold() -> None:
    async def story(stage: Stage) -> None:
        desk = Desk()
        running = begun(stage, desk)
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FINE)
        await closed(stage)
        await stage.until(lambda: all(n.kept for n in notices(stage)), within=20)
        kill_when_told(stage, running.process)
        await stage.until(lambda: not running.process.alive, within=MINUTES * 60)
        await running.kill()
        begun(stage, desk, "guard-1")
        await morning(stage)
        assert set(desk.topics) == {"quiet-over"}
        assert {n.state for n in notices(stage)} == {NoticeState.ACCEPTED}

    play(story, policy=QUIET)


def kill_when_told(stage: Stage, process: Process) -> None:
    """Kills the process once the message stands in the record of all units, before anything else is written."""
    replace_unit = stage.world.records.replace_unit

    def watched(stored: StoredUnit, record: UnitRecord) -> StoredUnit | Stale | Absent:
        answer = replace_unit(stored, record)
        units = [stored.record for stored in stage.world.records.units.values()]
        if any(n.topic == "quiet-over" for unit in units if unit.name.object_name == EVERYTHING for n in unit.notices):
            process.kill()
        return answer

    stage.world.records.replace_unit = watched  # type: ignore[method-assign]


def test_a_machine_that_refused_what_waited_is_a_failure_after_all() -> None:
    async def story(stage: Stage) -> None:
        desk = Desk()
        running = begun(stage, desk)
        await stage.until(stage.adopted)
        running.faults.focus = ("notifier.send", Fault.REFUSED, 0)
        stage.world.set_image(stage.api, FINE)
        await closed(stage)
        await morning(stage)
        began = next(n for n in notices(stage) if n.topic == "rollout-began")
        assert began.class_ is NoticeClass.INFO
        assert began.state is NoticeState.FAILED
        assert "refused" in began.detail and "told by" in began.detail

    play(story, policy=QUIET)
