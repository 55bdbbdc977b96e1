"""A release with 15% errors: the guard measures it on the new pods, puts the old version back, and sees it recover."""

from lab.scenarios.stage import Stage

NAME = "speech-to-text"


async def play(stage: Stage) -> None:
    """Two other services run beside it; nobody but the guard touches the bad release."""
    guard = await stage.guarded(NAME, "translation", "text-to-speech")
    stage.tell("releasing a version that answers 15% of its requests with errors")
    await stage.lab.release(stage.namespace, NAME, "v2-errors-15pct")
    ending = await stage.until_closed(guard, NAME)
    stage.expect(ending == "closed", "the rollout is closed, not held")
    stage.expect(await stage.tag(NAME) == "v1", "the old version runs again")
