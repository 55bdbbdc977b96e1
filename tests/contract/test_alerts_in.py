"""A real Alertmanager, under the rendered configuration, tells the guard's own receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest_asyncio

from lab.alertmanager import Alertmanager, Services, adapted
from rollguard.cli import serve
from rollguard.loop import Came
from rollguard.model.alerting import ReceivedAlert
from rollguard.model.channels import SecretKey
from rollguard.model.names import UnitName
from rollguard.render.routing import routing
from rollguard.sim.faults import Fault
from tests.contract.alert_cases import INCIDENT_OPEN, cases, platform
from tests.unit.alertmanager.deliveries import TOKEN
from tests.unit.alertmanager.test_receiver import Place
from tests.unit.records import unit_record

NOWHERE = "http://127.0.0.1:9/"
POLICY = platform((SecretKey.ALERTMANAGER_WEBHOOK_TOKEN,))
SET = POLICY.release_sets()[0]
FOREIGN = {
    "labels": {
        "alertname": "CheckoutSlow",
        "namespace": SET.namespace,
        "deployment": SET.deployments()[0].name,
        "rollguard_action": "rollback",
        "severity": "critical",
        "category": "shop",
    },
    "annotations": {"summary": "Checkout takes longer than 3 s"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """An Alertmanager, and the guard's receiver with what it has recorded."""

    alertmanager: Alertmanager
    place: Place
    mounted: Path
    """The Secret as Alertmanager has it mounted."""

    def recorded(self, unit: UnitName = SET.unit) -> dict[str, ReceivedAlert]:
        """The alerts of the unit's record, by name."""
        return {alert.name: alert for alert in self.place.store.units[unit].record.alerts}


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[World]:
    place = Place(directory, under=POLICY)
    place.store.create_unit(replace(unit_record(), name=SET.unit, workload=SET.workload))
    mounted = directory / "mounted"
    mounted.mkdir()
    (mounted / SecretKey.ALERTMANAGER_WEBHOOK_TOKEN).write_text(f"{TOKEN}\n")
    (file,) = routing(POLICY, "monitoring")
    async with serve.serving(place.app, "127.0.0.1", 0) as port:
        services = Services(slack_api=NOWHERE, pagerduty=NOWHERE, guard=f"http://127.0.0.1:{port}/alerts")
        config = adapted(file.text, mounted, services)
        async with Alertmanager.running(directory / "alertmanager", config) as alertmanager:
            yield World(alertmanager=alertmanager, place=place, mounted=mounted)


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as found:
        yield found


async def test_an_alert_is_recorded_in_its_units_record_and_so_is_its_end(world: World) -> None:
    began = "2026-11-03T02:15:04.123456789Z"
    await world.alertmanager.send([{**FOREIGN, "startsAt": began}])
    await world.alertmanager.until(lambda: "CheckoutSlow" in world.recorded(), what="the alert")
    found = world.recorded()["CheckoutSlow"]
    assert (found.starts.iso(), found.ended) == ("2026-11-03T02:15:04.123Z", None)
    assert found.summary == "Checkout takes longer than 3 s"
    await world.alertmanager.send([{**FOREIGN, "startsAt": began, "endsAt": datetime.now(UTC).isoformat()}])
    await world.alertmanager.until(lambda: world.recorded()["CheckoutSlow"].ended is not None, what="its end")
    assert world.place.receiver.answered.keys() == {200}


async def test_what_could_not_be_written_is_sent_again_until_it_is(world: World) -> None:
    world.place.faults.focus = ("records.read_unit", Fault.LOST, 0)
    await world.alertmanager.send([FOREIGN])
    await world.alertmanager.until(lambda: "CheckoutSlow" in world.recorded(), what="the alert")
    assert world.place.receiver.answered[503] == 1
    assert world.place.intake.counted[Came.LOST] == 1


async def test_a_token_that_is_not_known_yet_costs_no_alert(world: World) -> None:
    world.place.token.unlink()
    await world.alertmanager.send([FOREIGN])
    await world.alertmanager.until(lambda: world.place.receiver.answered[503] > 0, what="a refusal")
    assert world.recorded() == {}
    world.place.token.write_text(TOKEN)
    await world.alertmanager.until(lambda: "CheckoutSlow" in world.recorded(), what="the alert")


async def test_of_the_rendered_alerts_exactly_those_that_ask_for_a_rollback_come(world: World) -> None:
    # an open incident would mute them
    found = [case for case in cases() if case.namespace == SET.namespace and case.name != INCIDENT_OPEN]
    asked = [case for case in found if case.action]
    assert len(asked) >= 3
    await world.alertmanager.send([case.sent() for case in found])
    counted = world.place.intake.counted
    await world.alertmanager.until(lambda: counted[Came.RECORDED] + counted[Came.STRANGE] >= len(asked), what="all")
    assert counted[Came.UNMEANT] == 0
    assert set(world.recorded()) == {case.name for case in asked if case.deployment}
