"""A bad release in mode approve: people are asked, approve by the command line, and it is undone."""

from typing import Any

from lab import policies
from lab.scenarios.stage import Stage

NAME = "text-to-speech"
GOOD = "v1-noerrors"
PATIENT: dict[str, Any] = {**policies.timing(), "approvalWithin": "90s"}
"""Time for several commands before the answer."""


async def play(stage: Stage) -> None:
    """Nothing is done until somebody approves; afterwards there is nothing left to approve."""
    await stage.guarded(NAME, tag=GOOD, rps=60, mode="approve", timing=PATIENT)
    place = f"{stage.namespace}/{NAME}"
    refused = await stage.rollguard("approve", place, code=1)
    stage.expect("is guarded and has had no rollout yet" in refused, "there is nothing to approve yet")
    await stage.release(NAME, "v2-errors-15pct")
    rollout = await stage.until_rollout(NAME, "awaiting_approval")
    stage.expect_equal(await stage.tag(NAME), "v2-errors-15pct", "the version that runs while people are asked")
    why = await stage.rollguard("why", rollout["name"])
    stage.expect(f"`rollguard approve {place} --reason ...`" in why, "why names the command that answers")
    waited = await stage.rollguard("wait", stage.namespace, NAME, code=1)
    stage.expect("its rollback awaits" in waited, "a pipeline is told that it is bad")
    done = await stage.rollguard("approve", rollout["name"], "-n", stage.namespace, "--reason", "errors are real")
    stage.expect("restored: revision 1" in done, "approve follows the rollback to its end")
    await stage.expect_running(NAME, GOOD)
    ended = await stage.until_rollout(NAME, "closed")
    stage.expect("errors are real" in ended["plan"]["reason"], "the plan has the person's reason")
    refused = await stage.rollguard("reject", place, code=1)
    stage.expect("nothing is asked" in refused, "there is nothing to reject any more")
