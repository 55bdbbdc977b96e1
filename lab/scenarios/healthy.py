"""A good release: nothing is undone, it passes to healthy, and becomes a version to go back to."""

from lab.scenarios.judged_healthy import PATIENT, until_healthy
from lab.scenarios.stage import Stage, topics

NAME = "translation"


async def play(stage: Stage) -> None:
    """Watched through the whole automatic part."""
    await stage.guarded(NAME, **PATIENT)
    await stage.release(NAME, "v2-noerrors")
    await until_healthy(stage, NAME, "v2-noerrors")

    async def told() -> bool:
        return [each["verdict"] for each in await stage.rollouts(NAME)] == ["healthy"]

    await stage.until(told, what="the verdict healthy on the only rollout")
    (rollout,) = await stage.rollouts(NAME)
    stage.expect_equal(rollout["state"], "watching", "the state of the rollout")
    stage.expect("plan" not in rollout and "incident" not in rollout, "there is neither a plan nor an incident")
    stage.expect_equal(topics(rollout), ["rollout-began", "healthy"], "notices")
    await stage.expect_running(NAME, "v2-noerrors")
