"""Trouble on the idle colour is told and moves nothing; a person's own switch back closes the rollout."""

from lab.platform import MEMBERS, Shape
from lab.scenarios import sets
from lab.scenarios.stage import Stage


async def play(stage: Stage) -> None:
    """The guard is there all the time, and writes no object of the set."""
    platform = await sets.guarded(stage, Shape(grace_s=2))
    await platform.set_image("backend-green", "v2-crash")
    rollout = await stage.until_told("backend-green", "nothing is moved")
    stage.expect("plan" not in rollout, "no plan was made for the idle colour")
    stage.expect_equal(await stage.rollouts(sets.SET), [], "rollouts of the set")
    stage.expect_equal(await platform.lives(), dict.fromkeys(MEMBERS, "blue"), "the live colours")

    await platform.release("v3-noerrors")
    await platform.switch("green")
    await stage.until_rollout(sets.SET)
    await platform.switch("blue")
    stage.tell("a person has switched back")
    rollout = await stage.until_rollout(sets.SET, "closed", "held")
    stage.expect_equal(rollout.get("outcome"), "put back by hand", "how the rollout ended")
    stage.expect("plan" not in rollout, "no plan was made")
    await stage.until_served(platform, "blue", requests=400)
    stage.expect_equal(len(await stage.rollouts(sets.SET)), 1, "rollouts of the set")
    stage.expect_equal(await platform.lives(), dict.fromkeys(MEMBERS, "blue"), "the live colours")
    stage.expect_equal(await platform.ready("backend-green"), 2, "pods of green, left as they are")
