"""The controller examines its surroundings: what failed is seen in the records, and never keeps it from guarding."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from rollguard.doctor import Check, State
from rollguard.model.names import UnitName
from rollguard.model.policy import Policy
from rollguard.model.records import EVERYTHING
from rollguard.sim.faults import Fault
from tests.unit.loop.stage import CRASHING, GOOD, NAMESPACE, Stage, play

API = UnitName("default", "deployment-api")


def check(name: str, state: State = State.FAILED, unit: UnitName | None = None) -> Check:
    return Check(
        group="g", name=name, subject=f"subject of {name}", state=state, found="is off", what_to_do="mend it", unit=unit
    )


class Scripted:
    """A doctor that finds what it is told to, after a while."""

    def __init__(self, *checks: Check, takes: float = 0.0) -> None:
        self.checks = checks
        self.takes = takes
        self.asked = 0

    async def examine(self, policy: Policy) -> tuple[Check, ...]:
        self.asked += 1
        await asyncio.sleep(self.takes)
        return self.checks


def conditions(stage: Stage, name: UnitName) -> dict[str, str]:
    stored = stage.world.records.units.get(name)
    return dict(stored.record.conditions) if stored is not None else {}


def everything(stage: Stage) -> dict[str, str]:
    return conditions(stage, UnitName(NAMESPACE, EVERYTHING))


def api(stage: Stage) -> dict[str, str]:
    return conditions(stage, UnitName.of_workload(stage.api.name))


def test_failures_are_conditions_of_the_unit_concerned_or_of_everything_until_they_are_mended() -> None:
    async def story(stage: Stage) -> None:
        unit = UnitName.of_workload(stage.api.name)
        doctor = Scripted(
            check("rights"),
            check("way-back", unit=unit),
            check("paused", State.WARNING, unit),
            check("x", State.UNKNOWN),
        )
        stage.doctor = doctor
        running = stage.start()
        await stage.until(lambda: bool(api(stage)) and bool(everything(stage)))
        assert everything(stage) == {"DoctorRights": "subject of rights: is off"}
        assert api(stage) == {"DoctorWayBack": "subject of way-back: is off"}
        assert running.guard.status().doctor_failures == (("rights", 1), ("way-back", 1))
        logged = running.events("doctor-failed")
        assert {"check": "rights", "subject": "subject of rights", "found": "is off", "do": "mend it"} in logged
        doctor.checks = ()
        await stage.until(lambda: not everything(stage) and not api(stage), within=400.0)
        assert running.guard.status().doctor_failures == ()

    play(story)


def test_where_nothing_failed_nothing_is_written_and_it_is_looked_again_within_the_hour() -> None:
    async def story(stage: Stage) -> None:
        doctor = Scripted(check("rights", State.OK))
        stage.doctor = doctor
        stage.start()
        await stage.until(lambda: doctor.asked == 1)
        await asyncio.sleep(3000)
        assert doctor.asked == 1
        assert everything(stage) == {}
        assert UnitName(NAMESPACE, EVERYTHING) not in stage.world.records.units
        await stage.until(lambda: doctor.asked == 2, within=700.0)

    play(story)


def test_a_changed_policy_is_examined_soon() -> None:
    async def story(stage: Stage) -> None:
        doctor = Scripted(check("rights", State.OK))
        stage.doctor = doctor
        stage.start()
        await stage.until(lambda: doctor.asked == 1)
        await stage.until(stage.adopted)
        stage.write_policy(replace(stage.policy, digest="sha256:changed"))
        await stage.until(lambda: doctor.asked == 2, within=60.0)

    play(story)


def test_a_slow_doctor_and_a_failed_check_keep_nobody_from_guarding() -> None:
    async def story(stage: Stage) -> None:
        stage.doctor = Scripted(check("rights"), takes=10_000.0)
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: stage.image() == GOOD, within=60.0)

    play(story)


def test_a_condition_that_could_not_be_written_is_written_later() -> None:
    async def story(stage: Stage) -> None:
        stage.doctor = Scripted(check("rights"))
        running = stage.prepare("guard-0")
        running.faults.focus = ("records.create_unit", Fault.LOST, 0)
        running.begin()
        await stage.until(lambda: bool(everything(stage)), within=120.0)

    play(story)
