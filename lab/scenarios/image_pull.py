"""Ten releases whose image does not exist: each is undone within 10 s of the failed pull, in the median within 1 s."""

from typing import Any

from lab.scenarios import reaction
from lab.scenarios.stage import Stage


async def play(stage: Stage) -> None:
    """One new pod at a time: its failed pull is that of all new pods."""
    await reaction.measure(stage, "v2-missing", _not_found)


def _not_found(pod: Any) -> bool:
    waiting = [status["state"].get("waiting") or {} for status in pod["status"].get("containerStatuses") or ()]
    return any("not found" in each.get("message", "") for each in waiting)
