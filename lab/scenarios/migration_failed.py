"""A migration that failed before a release: people are asked, and nothing is touched without their word."""

from lab.scenarios.migration import POLICY, SERVICE
from lab.scenarios.stage import Stage


async def play(stage: Stage) -> None:
    """The new version is fine; what the migration left in the database is not known."""
    await stage.guarded(SERVICE, **POLICY)
    await stage.migrate("prisma-migrate-1", tag="v1-crash")
    await stage.release(SERVICE, "v2")
    rollout = await stage.until_rollout(SERVICE, "awaiting_approval")
    stage.expect("the migration Job prisma-migrate-1 failed at" in rollout["why"], "people are asked about the Job")
    stage.expect("plan" not in rollout, "no plan was made")
    await stage.expect_running(SERVICE, "v2")
