"""The same bad version is released again after it was undone: it is undone again."""

from lab.scenarios.stage import Stage

NAME = "translation"


async def play(stage: Stage) -> None:
    """The same template hash under a new revision number is a rollout of its own."""
    await stage.guarded(NAME)
    await stage.release(NAME, "v2-crash")
    first = await stage.until_undone(NAME)
    await stage.release(NAME, "v2-crash")
    second = await stage.until_undone(NAME, nth=2)
    stage.expect_equal(first["target"], second["target"], "the template hash of both")
    stage.expect_equal((first["targetNumber"], second["targetNumber"]), (2, 4), "their revision numbers")
    stage.expect_equal(len((await stage.unit(NAME))["status"]["automaticRollbacks"]), 2, "automatic rollbacks")
