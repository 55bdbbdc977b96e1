"""A person takes a set back: any of its Deployments stands for the whole, by the command or the operators' script."""

from lab.platform import MEMBERS, Shape
from lab.scenarios import sets
from lab.scenarios.stage import Stage

REASON = "Manual rollback due to high error rate"


async def play(stage: Stage) -> None:
    """Nothing is wrong with green but what the person knows."""
    platform = await sets.guarded(stage, Shape(grace_s=2))
    await platform.release("v2-noerrors")
    await platform.switch("green")
    await stage.until_rollout(sets.SET)
    said = await stage.rollguard("rollback", stage.namespace, "backend-green", "--reason", "a try", "--dry-run")
    stage.expect("would switch back to blue" in said and "nothing was changed" in said, "a dry run tells the steps")
    stage.expect_equal(await platform.lives(), dict.fromkeys(MEMBERS, "green"), "the live colours, tried")
    before = await sets.counts(platform)
    said = await stage.rollback_script(stage.namespace, "backend-green", REASON)
    stage.expect("restored: blue of " in said, "the script follows the order to its end")
    rollout = await sets.until_back(stage, platform)
    stage.expect_equal(rollout["plan"]["reason"], REASON, "why the set went back")
    await sets.expect_unhurt(stage, platform, before, rollout)
