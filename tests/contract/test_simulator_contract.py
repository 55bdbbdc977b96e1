"""The simulator keeps every promise of the ports."""

from __future__ import annotations

import random

import pytest

from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.requests import HumanRequest
from rollguard.ports import Leadership
from rollguard.sim.cluster import SimCluster
from rollguard.sim.faults import FaultPlan
from rollguard.sim.lease import LEASE_SECONDS, SimLeadership
from rollguard.sim.objects import SimDeployment
from rollguard.sim.process import Process, VirtualClock
from rollguard.sim.records import SimRecords
from rollguard.sim.virtual_time import run
from rollguard.sim.world import World
from tests.contract.cases import CASES, Case
from tests.contract.ground import Ground
from tests.contract.set_cases import SET_CASES

NAMESPACE = "contract"


class _Human:
    """Changes the simulated world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _deployment(self, name: str) -> SimDeployment:
        return self._world.deployments[WorkloadName(NAMESPACE, WorkloadKind.DEPLOYMENT, name)]

    async def deploy(self, name: str, tag: str) -> None:
        self._world.deploy(name, f"registry.lab/{name}:{tag}", namespace=NAMESPACE)

    async def set_tag(self, name: str, tag: str) -> None:
        self._world.set_image(self._deployment(name), f"registry.lab/{name}:{tag}")

    async def scale(self, name: str, replicas: int) -> None:
        self._world.scale(self._deployment(name), replicas)

    async def replicas(self, name: str) -> int:
        return self._deployment(name).replicas

    async def serve(self, name: str, selector: dict[str, str]) -> None:
        self._world.services.create(name, selector, rps=1.0, namespace=NAMESPACE)

    async def select(self, name: str, key: str, value: str) -> None:
        self._world.services.select(self._world.services.all[NAMESPACE, name], key, value)

    async def autoscale(self, deployment: str, *, minimum: int, maximum: int) -> None:
        self._world.scaling.create(self._deployment(deployment), minimum, maximum, per_pod=1000.0)

    async def set_minimum(self, autoscaler: str, minimum: int) -> None:
        self._world.scaling.set_minimum(self._world.scaling.all[NAMESPACE, autoscaler], minimum)

    async def request(self, unit: UnitName, request: HumanRequest) -> None:
        assert self._world.records.request(unit, request)

    async def delete_lease(self) -> None:
        self._world.lease.delete()

    async def delete(self, name: str) -> None:
        self._world.delete(self._deployment(name))


async def _on_simulator(case: Case, seed: int) -> None:
    world, process, faults = World(seed), Process("one"), FaultPlan.none(seed)

    def contender(name: str) -> Leadership:
        return SimLeadership(world.lease, Process(name, mono_offset=len(name) * 1000.0), faults, random.Random(seed))

    ground = Ground(
        namespace=NAMESPACE,
        cluster=SimCluster(world, process, faults),
        records=SimRecords(world.records, process, faults),
        clock=VirtualClock(process),
        human=_Human(world),
        contender=contender,
        lease_seconds=LEASE_SECONDS,
    )
    await case(ground)


@pytest.mark.simulation
@pytest.mark.parametrize("case", (*CASES, *SET_CASES), ids=lambda case: case.__name__)
@pytest.mark.parametrize("seed", (1, 2))
def test_the_simulator_keeps_the_contract(case: Case, seed: int) -> None:
    run(_on_simulator(case, seed), seed=seed)
