"""A release that exhausts its connections: more than 10 database connection errors a minute, on the new pods only."""

from lab.scenarios.stage import Stage

NAME = "lip-sync"


async def play(stage: Stage) -> None:
    """Requests are answered well: only the counter of failed connections shows it."""
    await stage.guarded(NAME)
    await stage.release(NAME, "v2-dberrors-60permin-noerrors")
    rollout = await stage.until_undone(NAME)
    plan = rollout["plan"]
    stage.expect("database-errors" in plan["reason"] and "new pods" in plan["reason"], f"the reason: {plan['reason']}")
