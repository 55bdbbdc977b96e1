"""The frontend's Service refuses the switch back: half back, named and paged, pushed forward when it clears."""

from __future__ import annotations

from typing import Any

from lab.platform import Platform, Shape
from lab.scenarios import sets
from lab.scenarios.stage import Stage

MEMBERS = ("backend", "frontend")
REASON = "is locked by the platform team"


async def play(stage: Stage) -> None:
    """An admission policy of the user's own; the backend's Service is switched by then."""
    platform = await sets.guarded(stage, Shape(members=MEMBERS, grace_s=2))
    await platform.release("v2-noerrors")
    before = await sets.counts(platform)
    await platform.switch("green")
    async with sets.refusing(stage, "services", "frontend-service"):
        await sets.break_green(stage, platform)
        rollout = await until_half_back(stage, platform)
        stage.expect_equal(rollout["state"], "acting", "state of the rollout, half back")
        stage.expect_equal(await platform.replicas("backend-green"), 2, "pods of green, half back")
    rollout = await sets.until_back(stage, platform)
    await sets.expect_unhurt(stage, platform, before, rollout, requests=500)


async def until_half_back(stage: Stage, platform: Platform) -> Any:
    """The set's rollout, once the backend is back, the frontend is not, and people were paged with both names."""
    seen: list[Any] = [None]

    async def half_back() -> bool:
        seen[0] = await platform.lives()
        return bool(seen[0] == {"backend": "blue", "frontend": "green"})

    await stage.until(half_back, what="a half state", seen=lambda: seen)
    found = await stage.until_told(sets.SET, "half back", "backend-service", "frontend-service", REASON)
    stage.tell(f"half back: {found['why']}")
    return found
