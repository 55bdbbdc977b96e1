"""Green with 15% errors is switched to: the whole set goes back to blue, and clients of blue see nothing of it."""

from lab.platform import Shape
from lab.scenarios import sets
from lab.scenarios.stage import Stage

BAD = "v2-errors-15pct"


async def play(stage: Stage) -> None:
    """Backend and frontend by their Services, workers by their replicas; green ends at 0."""
    platform = await sets.guarded(stage, Shape(grace_s=2))
    await platform.release(BAD)
    before = await sets.counts(platform)
    stage.tell("switching to green")
    await platform.switch("green")
    rollout = await sets.until_back(stage, platform)
    await sets.expect_unhurt(stage, platform, before, rollout)
    kinds = list(dict.fromkeys(step["kind"] for step in rollout["plan"]["steps"]))
    wanted = ["scale-up", "switch", "scale-down", "scale-back"]
    stage.expect_equal(kinds, wanted, "kinds of steps, all of one before the next")
    left = {step["kind"] for step in rollout["plan"]["steps"] if step["state"] == "skipped"}
    stage.expect_equal(left, {"scale-back"}, "what the plan did not need")
    stage.expect_equal(await platform.ready("workers-blue"), 2, "ready workers of blue")
