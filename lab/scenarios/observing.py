"""A bad release in mode observe: nothing is done, and wait, status, why and history say what would have been."""

from lab.scenarios.stage import Stage

NAME = "translation"
GOOD = "v1-noerrors"


async def play(stage: Stage) -> None:
    """A team that only observes goes back by itself, and reads afterwards how the guard would have acted."""
    await stage.guarded(NAME, tag=GOOD, rps=60, mode="observe")
    unchanged = await stage.rollguard("wait", stage.namespace, NAME, "--timeout", "30s")
    stage.expect("no rollout: revision 1 runs unchanged, adopted" in unchanged, "wait: nothing changed, and it is good")
    await stage.release(NAME, "v2-errors-15pct")
    waited = await stage.rollguard("wait", stage.namespace, NAME, "--timeout", "90s", code=1)
    would = "would have rolled back at "
    stage.expect(would in waited, "wait ends with 1 and says what would have been done")
    await stage.lab.until_rolled_out(stage.namespace, NAME)
    stage.expect_equal(await stage.tag(NAME), "v2-errors-15pct", "the version that runs: nothing was done")
    stage.expect(would[:-4] in await stage.rollguard("status", "-n", stage.namespace), "status says it")
    why = await stage.rollguard("why", f"{stage.namespace}/{NAME}")
    stage.expect("Interlocks as of then:" in why and "in mode observe the guard only says" in why, "why tells it all")
    stage.say(why)
    await stage.release(NAME, GOOD)
    rollout = await stage.until_rollout(NAME, "closed")
    stage.expect_equal(rollout["outcome"], "put back by hand", "the rollout's outcome, by a person")
    history = await stage.rollguard("history", f"{stage.namespace}/{NAME}")
    stage.say(history)
    stage.expect(would in history, "history says when and why")
    stage.expect("7 days: 1 rollout: 1 would have been rolled back" in history, "and sums it up")
    stage.expect("of these 1 put back by hand" in history, "also what people did about it")
    stage.expect(would in await stage.rollguard("status", "-n", stage.namespace), "status has it as the last word")
    again = await stage.rollguard("wait", stage.namespace, NAME, "--timeout", "60s")
    stage.expect("runs unchanged, adopted" in again, "wait: the old version is back")
