"""Only the backend is released: only the backend goes back; the frontend's Service is never written."""

from lab.platform import Shape
from lab.scenarios import sets
from lab.scenarios.stage import Stage

MEMBERS = ("backend", "frontend")


async def play(stage: Stage) -> None:
    """Both are of one set, and one of them is switched."""
    platform = await sets.guarded(stage, Shape(members=MEMBERS, grace_s=2))
    await platform.release("v2-noerrors", members=["backend"])
    path = platform.path("api/v1", "services", "frontend-service")
    untouched = (await stage.lab.api.get(path))["metadata"]["resourceVersion"]
    before = await sets.counts(platform)
    await platform.switch("green", members=["backend"])
    await sets.break_green(stage, platform, "backend")
    rollout = await sets.until_back(stage, platform, "backend")
    await sets.expect_unhurt(stage, platform, before, rollout, requests=500)
    found = await stage.lab.api.get(path)
    stage.expect_equal(found["metadata"]["resourceVersion"], untouched, "the frontend's Service as it was")
    stage.expect_equal(await platform.live("frontend"), "blue", "the live colour of frontend")
