"""A person undoes a bad release before the guard does: that triggers nothing, and the next release is guarded again."""

from lab.scenarios.stage import Stage

NAME = "speech-to-text"


async def play(stage: Stage) -> None:
    """`kubectl rollout undo`, as the operators' guide has it."""
    await stage.guarded(NAME)
    await stage.release(NAME, "v2-errors-15pct")
    await stage.until_rollout(NAME)
    await stage.kubectl("rollout", "undo", f"deployment/{NAME}")
    first = await stage.until_rollout(NAME, "closed", "held")
    stage.expect_equal((first["state"], first.get("outcome")), ("closed", "put back by hand"), "the reverted rollout")
    stage.expect("plan" not in first, "the guard had nothing to undo")
    await stage.expect_running(NAME, "v1")
    await stage.release(NAME, "v3-noerrors")
    second = await stage.until_rollout(NAME, nth=2)
    stage.expect_equal((second["baselineNumber"], second["targetNumber"]), (3, 4), "revisions of the second rollout")
    stage.expect_equal(len(await stage.rollouts(NAME)), 2, "rollouts: none for the revert")
    unit = await stage.unit(NAME)
    stage.expect_equal(unit["status"].get("automaticRollbacks", []), [], "automatic rollbacks")
    await stage.expect_running(NAME, "v3-noerrors")
