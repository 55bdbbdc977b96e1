"""The release with 15% errors at real durations: over 10% for 5 minutes, recovery for 2 minutes (about 13 minutes)."""

from lab.policies import REAL
from lab.scenarios.stage import Stage

NAME = "speech-to-text"
DETECTION_S = 480.0
ENDING_S = 300.0
KNOWN_S = 220


async def play(stage: Stage) -> None:
    """Only the time until adoption is not a day, and the scrape interval is the lab's."""
    await stage.guarded(NAME, rps=20, **REAL)
    # At least half of the window before the release must be known: else there is nothing to compare with.
    await stage.until_known(NAME, seconds=KNOWN_S)
    await stage.release(NAME, "v2-errors-15pct")
    # A hold is passed over: it plays beside tests that restart the API server, and facts that are incomplete for as
    # long as that takes hold a rollback until they are whole again.
    await stage.until_rollout(NAME, "verifying", "closed", timeout_s=DETECTION_S)
    stage.expect_equal(await stage.tag(NAME), "v1", "the version that is asked for")
    await stage.until_rollout(NAME, "closed", timeout_s=ENDING_S)
    rollout = await stage.until_undone(NAME)
    stage.expect("over 5m" in rollout["plan"]["reason"], f"the reason: {rollout['plan']['reason']}")
