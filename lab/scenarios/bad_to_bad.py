"""A bad release on top of a bad release that was not judged yet: undone to the last good version, not to the other."""

from lab.scenarios.stage import Stage

NAME = "text-to-speech"


async def play(stage: Stage) -> None:
    """The first one has errors, which take a window to show; the second one crashes at once."""
    await stage.guarded(NAME)
    await stage.release(NAME, "v2-errors-40pct")
    await stage.until_rollout(NAME)
    await stage.lab.until_rolled_out(stage.namespace, NAME)
    await stage.release(NAME, "v3-crash")
    second = await stage.until_undone(NAME, nth=2)
    stage.expect_equal(second["targetNumber"], 3, "the revision that was undone")
    stage.expect_equal(second["plan"]["target"]["number"], 1, "the revision gone back to")
    first = (await stage.rollouts(NAME))[0]
    stage.expect_equal(first.get("outcome"), "superseded", "the first rollout")
