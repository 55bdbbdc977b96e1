"""Blue's pods are gone and its image too: nothing is switched to it, held with the reason and what to do."""

from lab.platform import Shape
from lab.scenarios import sets
from lab.scenarios.stage import Stage


async def play(stage: Stage) -> None:
    """Blue's new pods cannot pull; green's keep what they have."""
    platform = await sets.guarded(stage, Shape(members=("backend",), grace_s=2, pull_always=True))
    await platform.release("v2-noerrors")
    await platform.switch("green")
    await stage.until_rollout(sets.SET)
    await stage.lab.disturb(stage.namespace, pull="not-found", selector={"version": "blue"})
    await platform.delete_pods("backend-blue")

    async def gone() -> bool:
        return await platform.ready("backend-blue") == 0

    await stage.until(gone, what="the end of blue's pods")
    await sets.break_green(stage, platform)
    await sets.expect_held(stage, platform, "backend-blue", "ready")
