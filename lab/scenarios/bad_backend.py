"""A bad backend makes its frontend and its gateway fail: the backend is undone, its callers are not blamed."""

import asyncio
from typing import Any

from lab import manifests
from lab.scenarios.stage import Stage

NAME = "translation"
CALLERS = ("frontend", "gateway")
VERSION = "v1-callee-dependent"
GOOD = "v1-noerrors"
FAILED = 15
"""Of 15 requests a second at 40% errors: far more come before the way back."""


async def play(stage: Stage) -> None:
    """Two unchanged workloads that fail would be an outage, if they were not known to call the backend."""
    await stage.lab.deploy(stage.namespace, NAME, tag=GOOD, replicas=2, rps=20)
    for name in CALLERS:
        await _deploy_caller(stage, name)
    for name in (NAME, *CALLERS):
        await stage.lab.until_rolled_out(stage.namespace, name)
    await stage.guard((NAME, *CALLERS), called_by={NAME: CALLERS})
    for name in (NAME, *CALLERS):
        await stage.until_adopted(name)
    await stage.until_known(NAME)
    before = {name: await stage.lab.traffic_stats(stage.namespace, name) for name in CALLERS}
    await stage.release(NAME, "v2-errors-40pct")
    await stage.until_rollout(NAME, "verifying", "closed", "held")
    for name in CALLERS:
        after = await stage.lab.traffic_stats(stage.namespace, name)
        failed, sent = (after[key] - before[name][key] for key in ("errors_5xx", "requests"))
        stage.expect(failed >= FAILED, f"{name} answered {failed} of {sent} requests with errors meanwhile")
    await stage.until_undone(NAME, tag=GOOD)
    await asyncio.gather(*(_not_blamed(stage, name) for name in CALLERS))


async def _not_blamed(stage: Stage, name: str) -> None:
    stage.expect_equal(await stage.rollouts(name), [], f"rollouts of {name}")
    stage.expect_equal(await stage.tag(name), VERSION, f"the version of {name}")
    stage.expect(await stage.error_ratio(name, requests=40) < 0.1, f"{name} has recovered too")


async def _deploy_caller(stage: Stage, name: str) -> None:
    """A service that calls the backend for each request, and fails when it does."""
    workload: Any = manifests.deployment(name, tag=VERSION, replicas=2)
    workload["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "BACKEND", "value": NAME})
    base = f"/namespaces/{stage.namespace}"
    await stage.lab.api.create(f"/api/v1{base}/services", manifests.service(name))
    await stage.lab.api.create(f"/apis/apps/v1{base}/deployments", workload)
    await stage.lab.traffic(stage.namespace, name, 15)
