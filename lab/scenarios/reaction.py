"""How long from the status that completes an event rule to the accepted write that puts the old version back."""

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from lab.mirror import Mirror
from lab.scenarios.stage import Stage
from lab.scenarios.words import tag_of

RUNS = 10
BOUND_S = 10.0
MEDIAN_S = 1.0


@dataclass(slots=True)
class _Seen:
    """Monotonic times at which this process saw the two changes, by Deployment; one clock, two watches."""

    completed: dict[str, float] = field(default_factory=dict)
    undone: dict[str, float] = field(default_factory=dict)


async def measure(stage: Stage, tag: str, completes: Callable[[Any], bool]) -> None:
    """Ten Deployments get the bad version one by one; `completes` says that a pod's status completes the rule.

    Each must be undone within 10 s, the median (told) within 1 s.
    """
    names = [f"service-{number}" for number in range(RUNS)]
    budget = {"fleet": {"units": 2 * RUNS, "within": "10m"}}
    await stage.guarded(*names, replicas=1, rps=0, limits=budget)
    seen = _Seen()
    base = f"/namespaces/{stage.namespace}"
    pods = Mirror(stage.lab.api, f"/api/v1{base}/pods")
    deployments = Mirror(stage.lab.api, f"/apis/apps/v1{base}/deployments")

    def on_pod(_change: str, pod: Any) -> None:
        if tag_of(pod) == tag and completes(pod):
            seen.completed.setdefault(pod["metadata"]["labels"]["app"], time.monotonic())

    def on_deployment(_change: str, item: Any) -> None:
        name = item["metadata"]["name"]
        if name in seen.completed and tag_of(item["spec"]["template"]) == "v1":
            seen.undone.setdefault(name, time.monotonic())

    pods.subscribe(on_pod)
    deployments.subscribe(on_deployment)
    tasks = [asyncio.create_task(mirror.run()) for mirror in (pods, deployments)]
    try:
        await asyncio.gather(pods.synced.wait(), deployments.synced.wait())
        for name in names:
            await stage.release(name, tag)
            await stage.until(partial(_is_in, name, seen.undone), what=f"the undo of {name}", timeout_s=60)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    delays = sorted(seen.undone[name] - seen.completed[name] for name in names)
    stage.tell("from status to write, in seconds: " + " ".join(f"{delay:.3f}" for delay in delays))
    stage.expect(delays[-1] < BOUND_S, f"the slowest of {RUNS} took {delays[-1]:.3f} s, below {BOUND_S:.0f} s")
    median = statistics.median(delays)
    stage.expect(median < MEDIAN_S, f"the median of {RUNS} is {median:.3f} s, below {MEDIAN_S:.0f} s")
    for name in names:
        await stage.until_undone(name)


async def _is_in(name: str, times: dict[str, float]) -> bool:
    return name in times
