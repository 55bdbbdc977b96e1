"""A real Prometheus and the simulator's store keep the same promises."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.prometheus import PrometheusMetrics
from rollguard.model.metrics import GapCause
from rollguard.model.names import WorkloadKind, WorkloadName
from rollguard.model.policy import Policy
from rollguard.model.time import Instant
from rollguard.policy import load
from rollguard.sim.faults import FaultPlan
from rollguard.sim.metrics import SimMetrics
from rollguard.sim.process import EPOCH, Process, VirtualClock
from rollguard.sim.virtual_time import run
from rollguard.sim.world import Blind, World
from tests.contract.metrics_cases import METRICS_CASES, SLOT, MetricsCase, MetricsGround
from tests.contract.metrics_prometheus import History, Store, store_with

POLICY_FILE = Path(__file__).parents[2] / "examples/dubbing-platform/policy.yaml"
API = WorkloadName("production", WorkloadKind.DEPLOYMENT, "api")
BASE = float(int(time.time() / 60) * 60 - 3600)


def policy() -> Policy:
    found = load(POLICY_FILE.read_text(), "policy.yaml")
    assert isinstance(found, Policy)
    return found


def history() -> History:
    """Four minutes of two pods, one of which restarts after two."""
    made = History()
    times = [BASE + 2.0 + 15.0 * n for n in range(17)]
    for pod, restart in (("api-1-a", None), ("api-1-b", 8)):
        for status, step in (("200", 95), ("500", 5)):
            counted = [
                (at, float(step * (n if restart is None or n < restart else n - restart))) for n, at in enumerate(times)
            ]
            made.add("http_requests", "counter", {"namespace": "production", "pod": pod, "status": status}, counted)
        for edge, step in (("0.1", 60), ("5.0", 99), ("+Inf", 100)):
            labels = {"namespace": "production", "pod": pod, "le": edge}
            made.add(
                "http_request_duration_seconds",
                "histogram",
                labels,
                [(at, float(step * n)) for n, at in enumerate(times)],
            )
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def prometheus(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Store]:
    async with store_with(history(), tmp_path_factory.mktemp("prometheus-port")) as running:
        yield running


@pytest.mark.parametrize("case", METRICS_CASES, ids=lambda case: case.__name__)
async def test_prometheus_keeps_the_contract(prometheus: Store, case: MetricsCase) -> None:
    store = replace(policy().metrics, address=prometheus.address)
    metrics = PrometheusMetrics(store, SystemClock())
    ground = MetricsGround(
        metrics=metrics,
        clock=SystemClock(),
        store=store,
        signals=policy().signals,
        workloads=(API,),
        ends=tuple(Instant(BASE + SLOT * n) for n in range(1, 8)),
        before=Instant(BASE - 1000),
        cut=prometheus.child.kill,
    )
    try:
        await case(ground)
    finally:
        await metrics.close()


async def _on_simulator(case: MetricsCase, seed: int) -> None:
    world, process = World(seed), Process("one")
    deployment = world.deploy("api", "registry.lab/api:v1-errors-15pct", namespace="production")
    await asyncio.sleep(150)
    world.kubelet.crash(next(iter(deployment.pods())), 1)
    await asyncio.sleep(200)
    now = world.loop.time()

    async def cut() -> None:
        world.blind.append(Blind(start=0.0, end=now + 1000, cause=GapCause.UNREACHABLE))

    await case(
        MetricsGround(
            metrics=SimMetrics(world, process, FaultPlan.none(seed)),
            clock=VirtualClock(process),
            store=policy().metrics,
            signals=policy().signals,
            workloads=(API,),
            ends=tuple(Instant(EPOCH + 60 + SLOT * n) for n in range(9)),
            before=Instant(EPOCH - 1000),
            cut=cut,
        )
    )


@pytest.mark.simulation
@pytest.mark.parametrize("case", METRICS_CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("seed", (1, 2))
def test_the_simulators_store_keeps_the_contract(case: MetricsCase, seed: int) -> None:
    run(_on_simulator(case, seed), seed=seed)
