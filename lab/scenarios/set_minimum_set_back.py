"""Something sets blue's minReplicas back in the middle of the rollback: held before the switch, with the reason."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from lab.platform import Platform
from lab.scenarios import sets
from lab.scenarios.set_autoscaler import MINIMUM, SHAPE, until_grown
from lab.scenarios.stage import Stage

BLUE = "backend-blue"
LOOK_S = 0.05


async def play(stage: Stage) -> None:
    """As KEDA does it, at once and every time."""
    platform = await sets.guarded(stage, SHAPE, rps=20)
    await platform.release("v2-noerrors")
    await platform.switch("green")
    await until_grown(stage, platform)
    keeper = asyncio.create_task(_keep(platform))
    try:
        await sets.break_green(stage, platform)
        # the minimum itself, or by then the pods that the autoscaler took away for it, as many as it likes
        await sets.expect_held(stage, platform, "something set the", "back to", BLUE)
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
    stage.expect_equal(await platform.minimum(BLUE), MINIMUM, "blue's minReplicas")


async def _keep(platform: Platform) -> None:
    while True:
        if await platform.minimum(BLUE) != MINIMUM:
            await platform.set_minimum(BLUE, MINIMUM)
        await asyncio.sleep(LOOK_S)
