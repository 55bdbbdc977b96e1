"""Blue was preloaded with the next version while green serves: there is no way back, held with the reason."""

from lab.platform import Shape
from lab.scenarios import sets
from lab.scenarios.stage import Stage


async def play(stage: Stage) -> None:
    """What runs on blue was never judged: it is a release of its own."""
    platform = await sets.guarded(stage, Shape(members=("backend",), grace_s=2))
    await platform.release("v2-noerrors")
    await platform.switch("green")
    await stage.until_rollout(sets.SET)
    await platform.release("v3-noerrors", colour="blue")
    await sets.break_green(stage, platform)
    rollout = await sets.expect_held(stage, platform, "backend-blue")
    stage.expect("plan" not in rollout, "no plan was made")
    stage.expect_equal(await platform.ready("backend-blue"), 2, "pods of blue, left as they are")
