"""What the lab's API server showed of a set that goes back, the simulator shows too: the same states in order.

`python -m tests.simulation.record set-errors` records it anew.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rollguard.model.facts import Autoscaler, ClusterEvent, Endpoint, Pod, Revision, Service, Workload
from rollguard.model.names import Ref, TemplateHash, WorkloadName
from rollguard.model.records import RolloutRecord
from rollguard.sim.objects import RECEIPT
from rollguard.sim.services import Adjusted
from tests.simulation.set_traces import RECORDED, SetTrace
from tests.unit.loop.colours import COLOURS, KEY, SET, UNIT, Colours, play_set
from tests.unit.loop.stage import Stage

pytestmark = pytest.mark.simulation

BAD = "registry.lab/api:v2-errors-15pct"
REPLICAS = 2
WITHIN = 300.0


class Watch:
    """Sees every write to the set's objects and to its rollout."""

    def __init__(self, stage: Stage, story: str) -> None:
        self.trace = SetTrace(story=story)
        self.closed = False
        stage.world.watching.caches.append(self)
        stage.world.services.on_change = self._adjusted
        stage.world.records.on_rollout.append(self._rollout)

    def deployment(self, name: WorkloadName, seen: Workload | None) -> None:
        if seen is not None and SET.member_of(name.name) is not None:
            self.trace.scale(name.name, seen.desired)

    def revision(self, name: WorkloadName, hash_: TemplateHash, seen: Revision | None) -> None: ...

    def pod(self, name: WorkloadName, pod: str, seen: Pod | None) -> None: ...

    def event(self, name: WorkloadName, seen: ClusterEvent) -> None: ...

    def service(self, ref: Ref, seen: Service | None) -> None: ...

    def endpoints(self, ref: Ref, seen: tuple[Endpoint, ...]) -> None:
        self.trace.serve(ref.name, (endpoint.pod for endpoint in seen if endpoint.ready))

    def autoscaler(self, ref: Ref, seen: Autoscaler) -> None: ...

    def _adjusted(self, change: Adjusted) -> None:
        self.trace.select(change.ref.name, change.after[KEY], change.receipt)

    def _rollout(self, _before: RolloutRecord | None, record: RolloutRecord) -> None:
        if record.unit != UNIT:
            return
        steps = record.plan.steps if record.plan is not None else ()
        self.trace.follow(
            record.state.value,
            record.outcome.value if record.outcome is not None else "",
            [f"{p.member} {p.old.colour} to {p.new.colour}" for p in record.passages],
            [f"{step.kind.value} {step.target.name} {step.state.value}" for step in steps],
        )
        self.closed = record.closed is not None


@pytest.mark.parametrize("file", sorted(RECORDED.glob("*.json")), ids=lambda file: file.stem)
def test_the_simulator_shows_what_the_api_server_showed_of_a_set(file: Path) -> None:
    recorded = SetTrace.read(file)

    async def story(stage: Stage, colours: Colours) -> None:
        await _as_in_the_lab(stage, colours)
        watch = Watch(stage, recorded.story)
        _seen_already(watch, colours)
        stage.start()
        await stage.until(colours.adopted)
        for deployment in colours.deployments.values():
            if deployment.name.name.endswith("-green"):
                stage.world.set_image(deployment, BAD)
        await asyncio.sleep(20)
        colours.switch("backend", "frontend")
        blue, green = (colours.deployments[f"workers-{colour}"] for colour in COLOURS)
        stage.world.scale(green, REPLICAS, actor="alice")
        await stage.until(lambda: colours.ready("workers"))
        stage.world.scale(blue, 0, actor="alice")
        await stage.until(lambda: watch.closed, within=WITHIN)
        assert watch.trace == recorded

    play_set(story)


async def _as_in_the_lab(stage: Stage, colours: Colours) -> None:
    """The idle colour of what has a Service has its pods beside the live one, workers have theirs on one colour."""
    for member in SET.members:
        for colour in COLOURS:
            idle = colour == "green" and not member.service
            deployment = colours.deployments[f"{member.name}-{colour}"]
            stage.world.scale(deployment, 0 if idle else REPLICAS, actor="alice")
    await stage.until(lambda: colours.ready("backend", "frontend"))


def _seen_already(watch: Watch, colours: Colours) -> None:
    """What a watch is told first: how everything is."""
    for name, deployment in colours.deployments.items():
        watch.trace.scale(name, deployment.replicas)
    for service in colours.services.values():
        watch.trace.select(service.name, service.selector[KEY], service.annotations.get(RECEIPT, ""))
        watch.endpoints(service.ref, service.endpoints())
