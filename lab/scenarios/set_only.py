"""A person takes one member of a set back alone, with a warning, and the others later."""

from __future__ import annotations

from typing import Any

from lab.platform import MEMBERS, Shape
from lab.scenarios import sets
from lab.scenarios.stage import Stage

STAY = ("frontend", "workers")
QUICK: dict[str, Any] = {"drain": "1s"}
"""What clients see of a drain is told by other stories."""


async def play(stage: Stage) -> None:
    """The others stay where they are until somebody orders them back."""
    platform = await sets.guarded(stage, Shape(grace_s=2), **QUICK)
    await platform.release("v2-noerrors")
    await platform.switch("green")
    await stage.until_rollout(sets.SET)
    order = ("rollback", stage.namespace, "backend-green", "--only", "--reason", "the backend alone is slow")
    said = await stage.rollguard(*order, notes=True)
    stage.expect("warning: backend alone goes back; frontend and workers stay" in said, "the person is warned")
    stage.expect("restored: blue of " in said, "the order is followed to its end")
    told = await stage.until_told(sets.SET, "Warning: only backend went back, as ordered")
    stage.expect_equal({step["member"] for step in told["plan"]["steps"]}, {"backend"}, "whose steps the plan has")
    lives = {"backend": "blue", **dict.fromkeys(STAY, "green")}
    stage.expect_equal(await platform.lives(), lives, "the live colours")
    stage.expect_equal(await platform.replicas("backend-green"), 0, "pods of green backend")
    await _until_verified(stage)
    stage.expect_equal(await platform.lives(), lives, "the live colours, once that is verified")
    said = await stage.rollguard("rollback", stage.namespace, "frontend-green", "--reason", "the others too")
    stage.expect("restored: blue of " in said, "the others follow by another order")
    stage.expect_equal(await platform.lives(), dict.fromkeys(MEMBERS, "blue"), "the live colours at the end")
    for member in STAY:
        stage.expect_equal(await platform.replicas(f"{member}-green"), 0, f"pods of green {member}")


async def _until_verified(stage: Stage) -> None:
    outcomes: list[str] = []

    async def recovered() -> bool:
        outcomes[:] = [str(each.get("outcome")) for each in await stage.rollouts(sets.SET)]
        return outcomes[0] == "recovered"

    await stage.until(recovered, what="the verification of the backend's rollback", seen=lambda: outcomes)
