"""A hotfix brings 40% errors down to 15%: bad still, but better than before; held and paged, not undone."""

from lab.scenarios.stage import Stage

NAME = "speech-to-text"
HOTFIX = "v2-hotfix-errors-15pct"


async def play(stage: Stage) -> None:
    """To undo it would bring the 40% back."""
    await stage.guarded(NAME, tag="v1-errors-40pct", rps=60)
    await stage.release(NAME, HOTFIX)
    rollout = await stage.expect_held(NAME, HOTFIX)
    stage.expect("past its bound without the new version" in rollout["why"], f"the reason: {rollout['why']}")
    await stage.expect_running(NAME, HOTFIX)
