"""Half back, a person switches the backend to green again: their word stands, the plan is superseded and paged."""

from lab.platform import Shape
from lab.scenarios import sets
from lab.scenarios.set_refused import MEMBERS, until_half_back
from lab.scenarios.stage import Stage


async def play(stage: Stage) -> None:
    """The newer change is never overwritten, also when the refusal is over."""
    platform = await sets.guarded(stage, Shape(members=MEMBERS, grace_s=2))
    await platform.release("v2-noerrors")
    await platform.switch("green")
    async with sets.refusing(stage, "services", "frontend-service"):
        await sets.break_green(stage, platform)
        await until_half_back(stage, platform)
        await stage.lab.calm(stage.namespace)
        stage.tell("a person switches the backend to green")
        await platform.select("backend", "green")
        rollout = await stage.until_rollout(sets.SET, "held", "closed")
    stage.expect(rollout.get("outcome") in (None, "superseded"), f"how it stands: {rollout.get('outcome')}")
    pages = [notice for notice in rollout["notices"] if notice["class"] == "page"]
    stage.expect(len(pages) >= 2, f"paged again: {pages[-1]['title']}: {rollout['why']}")
    await stage.until_served(platform, "green", requests=200)
    stage.expect_equal(await platform.lives(), {"backend": "green", "frontend": "green"}, "the live colours")
    for member in MEMBERS:
        stage.expect_equal(await platform.ready(f"{member}-green"), 2, f"pods of green {member}")
