"""A release that crashes: undone by its events, without waiting for metrics."""

from lab.scenarios.stage import Stage

NAME = "translation"


async def play(stage: Stage) -> None:
    """The second exit of a new container completes the rule."""
    guard = await stage.guarded(NAME)
    stage.tell("releasing a version that crashes")
    await stage.lab.release(stage.namespace, NAME, "v2-crash")
    ending = await stage.until_closed(guard, NAME)
    stage.expect(ending == "closed", "the rollout is closed, not held")
    stage.expect(await stage.tag(NAME) == "v1", "the old version runs again")
