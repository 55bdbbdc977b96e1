"""Something re-applies the bad version 5 s after each undo: two rollbacks, then it is held and paged."""

import asyncio
import contextlib

from lab.scenarios.stage import Stage

NAME = "lip-sync"
BAD = "v2-crash"
AFTER_S = 5.0


async def play(stage: Stage) -> None:
    """As a pipeline or a GitOps tool does that knows nothing of the guard."""
    await stage.guarded(NAME)
    await stage.release(NAME, BAD)
    tool = asyncio.create_task(_re_apply(stage))
    try:
        for nth in (1, 2):
            rollout = await stage.until_rollout(NAME, "closed", "held", nth=nth)
            stage.expect_equal(rollout["plan"]["actor"], "rollguard", f"who undid the bad version (rollout {nth})")
            stage.expect_equal(rollout["plan"]["steps"][0]["state"], "done", f"the step of rollout {nth}")
        held = await stage.expect_held(NAME, BAD, nth=3)
        stage.expect("re-applies" in held["why"], f"the reason: {held['why']}")
        unit = await stage.unit(NAME)
        stage.expect_equal(len(unit["status"]["automaticRollbacks"]), 2, "automatic rollbacks")
    finally:
        tool.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await tool


async def _re_apply(stage: Stage) -> None:
    while True:

        async def undone() -> bool:
            return await stage.tag(NAME) == "v1"

        await stage.until(undone, what="the next undo", timeout_s=600)
        # What is told is a tool that acts after a time of its own, not a wait for the guard.
        await asyncio.sleep(AFTER_S)
        await stage.release(NAME, BAD)
