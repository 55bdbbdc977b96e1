"""A guard that pages by the real adapters, to a stand-in of PagerDuty: one bad release is one incident."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette

from lab.standins.pagerduty import PagerDuty as Account
from rollguard.adapters.pagerduty import PagerDuty
from rollguard.adapters.pagerduty_events import PagerDutyEvents
from rollguard.adapters.secrets import Secrets
from rollguard.model.channels import PAGERDUTY, SecretKey
from rollguard.model.destinations import Paging
from rollguard.model.handling import Via
from rollguard.model.names import UnitName
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.records import RolloutRecord
from rollguard.model.requests import Freeze
from rollguard.ports import Accepted, NotConfigured, Notifier, Refused, Retry
from rollguard.sim.objects import at
from rollguard.sim.process import Process
from tests.unit.loop.stage import FAILING, GOOD, Running, Stage, play

ROUTING = "r" * 32
Answer = Accepted | Refused | Retry | NotConfigured


class Service:
    """An account of PagerDuty, and the Secret by which a guard reaches it."""

    def __init__(self, directory: Path) -> None:
        self.account = Account(routing_key=ROUTING)
        self._app = Starlette(routes=self.account.routes())
        self.secrets = Secrets(directory)
        for key, value in (
            (SecretKey.PAGERDUTY_API_KEY, self.account.token),
            (SecretKey.PAGERDUTY_SERVICE_ID, self.account.service_id),
            (SecretKey.PAGERDUTY_ROUTING_KEY, ROUTING),
        ):
            (directory / key).write_text(value)

    def channel(self, kind: type[PagerDuty | PagerDutyEvents]) -> Notifier:
        """The real adapter, without a network between."""
        paging = Paging(sender=self.account.users[0], api="http://pagerduty", events="http://pagerduty")
        return kind(paging, self.secrets, cluster="eu-1", transport=httpx2.ASGITransport(app=self._app))


class Deadly(PagerDuty):
    """The process does not outlive its first page: PagerDuty has it, and nobody has marked that."""

    process: Process

    async def send(self, notice: Notice, rollout: RolloutRecord | None, *, timeout: float) -> Answer:
        """Sends it, and kills the process."""
        answer = await super().send(notice, rollout, timeout=timeout)
        if notice.class_ is NoticeClass.PAGE:
            self.process.kill()
            await self.process.stand()
        return answer


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def incident_open(running: Running) -> bool:
    (unit,) = running.guard.status().units
    return unit.incident_open


@pytest.mark.parametrize("kind", [PagerDuty, PagerDutyEvents])
def test_a_rollback_is_one_incident_that_ends_with_the_recovery_and_mutes_alertmanager_meanwhile(
    service: Service, kind: type[PagerDuty | PagerDutyEvents]
) -> None:
    async def story(stage: Stage) -> None:
        running = stage.prepare("guard-0")
        running.channels.notifiers = (service.channel(kind),)
        running.begin()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(service.account.incidents))
        await stage.until(lambda: incident_open(running), within=5)
        assert stage.image() == GOOD
        await stage.until(lambda: not service.account.open(), within=900)
        assert len(service.account.incidents) == 1
        assert stage.rollout().incident_resolved is not None
        assert not incident_open(running)
        assert stage.all_sent()

    play(story)


def test_a_guard_that_is_killed_between_sending_and_marking_opens_no_second_incident(service: Service) -> None:
    async def story(stage: Stage) -> None:
        first = stage.prepare("guard-0")
        deadly = service.channel(Deadly)
        assert isinstance(deadly, Deadly)
        deadly.process = first.process
        first.channels.notifiers = (deadly,)
        first.begin()
        await stage.until(stage.adopted)
        unit = UnitName.of_workload(stage.api.name)
        stage.world.records.freeze(unit, Freeze(until=at(1e6), actor="alice", reason="migration"))
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: not first.process.alive)
        await first.kill()
        assert len(service.account.incidents) == 1
        assert not stage.rollout().reference(PAGERDUTY)
        second = stage.prepare("guard-1")
        second.channels.notifiers = (service.channel(PagerDuty),)
        second.begin()
        await stage.until(lambda: bool(stage.rollout().reference(PAGERDUTY)))
        (incident,) = service.account.incidents
        assert stage.rollout().reference(PAGERDUTY) == incident.id
        assert incident.notes == []
        service.account.acknowledge(incident, "Alice")
        await stage.until(lambda: stage.rollout().acknowledged is not None)
        seen = stage.rollout().acknowledged
        assert seen is not None
        assert (seen.actor, seen.via) == ("Alice", Via.PAGERDUTY)

    play(story)
