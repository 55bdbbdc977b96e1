"""What the lab's API server showed in a story, the simulator shows too: the same writes, numbers and outcomes in order.

`python -m tests.simulation.record` records the stories anew.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from pathlib import Path

import pytest

from rollguard.model.facts import Autoscaler, ClusterEvent, Endpoint, Pod, Revision, Service, Workload
from rollguard.model.names import Ref, TemplateHash, UnitName, WorkloadName
from rollguard.model.records import Outcome, RolloutRecord
from rollguard.sim.objects import RECEIPT, REVISION, SimDeployment
from tests.simulation.traces import RECORDED, Passed, Seen, Trace
from tests.unit.loop.stage import Stage, play

pytestmark = pytest.mark.simulation

NAME = "traced"
BETWEEN_ACTS = 5.0
"""Seconds after which people act, once the controller has seen what was before."""
WITHIN = 300.0
CLOSED_BY_ITSELF = {Outcome.RECOVERED.value, Outcome.UNCONFIRMED.value, Outcome.DID_NOT_HELP.value}


class Watch:
    """Sees every write to one Deployment and to its rollouts."""

    def __init__(self, stage: Stage, recorded: Trace) -> None:
        self.trace = Trace(story=recorded.story, replicas=recorded.replicas)
        self._name = WorkloadName(stage.api.name.namespace, stage.api.name.kind, NAME)
        self._passed: dict[str, Passed] = {}
        stage.world.watching.caches.append(self)
        stage.world.records.on_rollout.append(self._rollout)

    def deployment(self, name: WorkloadName, seen: Workload | None) -> None:
        if name != self._name or seen is None:
            return
        notes = dict(seen.annotations)
        counts = {seen.updated, seen.available, seen.total}
        complete = seen.desired if counts == {seen.desired} and seen.observed_generation == seen.generation else None
        tag = seen.template.images[0][1].rpartition(":")[2]
        row = Seen(seen.generation, seen.observed_generation, int(notes.get(REVISION, "0")), tag)
        self.trace.see(row, receipt=notes.get(RECEIPT, ""), complete=complete)

    def revision(self, name: WorkloadName, hash_: TemplateHash, seen: Revision | None) -> None: ...

    def pod(self, name: WorkloadName, pod: str, seen: Pod | None) -> None: ...

    def event(self, name: WorkloadName, seen: ClusterEvent) -> None: ...

    def service(self, ref: Ref, seen: Service | None) -> None: ...

    def endpoints(self, ref: Ref, seen: tuple[Endpoint, ...]) -> None: ...

    def autoscaler(self, ref: Ref, seen: Autoscaler) -> None: ...

    def _rollout(self, _before: RolloutRecord | None, record: RolloutRecord) -> None:
        if record.workload != self._name:
            return
        passed = self._passed.get(record.id)
        if passed is None:
            passed = self._passed[record.id] = Passed(revision=record.target_number)
            self.trace.rollouts.append(passed)
        if passed.states[-1:] != [record.state.value]:
            passed.states.append(record.state.value)
        passed.verdict = record.verdict.value if record.verdict is not None else ""
        passed.outcome = record.outcome.value if record.outcome is not None else ""
        passed.restored = record.plan.target.number if record.plan is not None else None


@pytest.mark.parametrize("file", sorted(RECORDED.glob("*.json")), ids=lambda file: file.stem)
def test_the_simulator_shows_what_the_api_server_showed(file: Path) -> None:
    recorded = Trace.read(file)

    async def story(stage: Stage) -> None:
        watch = Watch(stage, recorded)
        image = f"registry.lab/{NAME}:"
        traced = stage.world.deploy(
            NAME, image + recorded.acts[0][1], replicas=recorded.replicas, rps=30, labels=(("guarded", "yes"),)
        )
        await stage.warm_up()
        stage.start()
        await stage.until(lambda: _adopted(stage, traced))
        for number, (generation, tag) in enumerate(recorded.acts[1:]):
            await stage.until(partial(_ready, watch, recorded, traced, number, generation - 1), within=WITHIN)
            await asyncio.sleep(BETWEEN_ACTS)
            stage.world.set_image(traced, image + tag)
        with contextlib.suppress(AssertionError):  # what is missing is told by the comparison
            await stage.until(lambda: watch.trace.rollouts == recorded.rollouts, within=WITHIN)
        assert watch.trace.rollouts == recorded.rollouts
        assert watch.trace.deployment == recorded.deployment
        assert watch.trace.complete == recorded.complete
        assert watch.trace.acts == recorded.acts

    play(story)


def _adopted(stage: Stage, deployment: SimDeployment) -> bool:
    unit = stage.world.records.units.get(UnitName.of_workload(deployment.name))
    return unit is not None and unit.record.adopted is not None and bool(unit.record.adopted.saved)


def _ready(watch: Watch, recorded: Trace, deployment: SimDeployment, opened: int, generation: int) -> bool:
    """Whether the next act is due: the Deployment has come as far, and what closed by itself before it has closed."""
    if not deployment.generation == deployment.observed_generation == generation:
        return False
    before = recorded.rollouts[:opened]
    return not before or before[-1].outcome not in CLOSED_BY_ITSELF or watch.trace.rollouts == before
