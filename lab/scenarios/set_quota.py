"""A quota refuses the pods that blue needs: held with the reason, nothing switched; lifted, an order goes through."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from lab import policies
from lab.platform import Platform, Shape
from lab.scenarios import sets
from lab.scenarios.stage import GUARD_S, Stage

MEMBERS = ("backend", "frontend")
IDLE, SERVING = 1, 2
SHAPE = Shape(members=MEMBERS, autoscaled=("frontend",), replicas=IDLE, minimum=IDLE, grace_s=1)
"""Both ways to be raised: the backend's blue by its replicas, the frontend's by its autoscaler's minimum."""
SHORT: dict[str, Any] = {"timing": {**policies.timing(), "planExpiry": "1m"}, "drain": "1s"}
"""A third of the plan's time is how long blue may take to be ready."""


async def play(stage: Stage) -> None:
    """A ResourceQuota of the namespace, with room for what runs and no more."""
    platform = await sets.guarded(stage, SHAPE, rps=20, **SHORT)
    await platform.set_minimum("frontend-green", SERVING)
    for member in MEMBERS:
        await platform.scale(f"{member}-green", SERVING)
    await platform.release("v2-noerrors")
    await platform.switch("green")
    await stage.until_rollout(sets.SET)
    async with _full(stage):
        await sets.break_green(stage, platform)
        what_to_do = "deployment backend-blue`; lift what refuses its pods"
        await sets.expect_held(stage, platform, "exceeded quota", what_to_do)
        await _until_taken_back(stage, platform)
    said = await stage.rollguard("rollback", stage.namespace, "backend-green", "--reason", "the quota is lifted")
    stage.expect("restored: blue of " in said, "an order is followed to its end")
    await sets.until_back(stage, platform)


@asynccontextmanager
async def _full(stage: Stage) -> AsyncIterator[None]:
    """For the length of the block the namespace has no room for another pod."""
    room = str(len(MEMBERS) * (IDLE + SERVING))
    quotas = f"/api/v1/namespaces/{stage.namespace}/resourcequotas"
    await stage.lab.api.create(quotas, {"metadata": {"name": "full"}, "spec": {"hard": {"pods": room}}})
    used: list[str] = []

    async def full() -> bool:
        # pods that are ending count as well
        status = (await stage.lab.api.get(f"{quotas}/full")).get("status", {})
        used[:] = [status.get("used", {}).get("pods", "")]
        return used == [room]

    await stage.until(full, what=f"{room} pods by the quota's count", timeout_s=GUARD_S, seen=lambda: used)
    stage.tell(f"the namespace may have {room} pods, and has them")
    try:
        yield
    finally:
        await stage.lab.api.delete(f"{quotas}/full")
    stage.tell("the quota is lifted")


async def _until_taken_back(stage: Stage, platform: Platform) -> None:
    found: dict[str, int] = {}

    async def so() -> bool:
        found["minimum"] = await platform.minimum("frontend-blue")
        found.update({member: await platform.replicas(f"{member}-blue") for member in MEMBERS})
        return set(found.values()) == {IDLE}

    await stage.until(so, what="what was raised, taken back", timeout_s=GUARD_S, seen=lambda: found)
    stage.tell(f"what was raised is taken back: {found}")
