"""Ten releases that crash: each is undone within 10 s of its second exit, in the median within 1 s."""

from typing import Any

from lab.scenarios import reaction
from lab.scenarios.stage import Stage


async def play(stage: Stage) -> None:
    """The pods' statuses decide, no metrics are asked."""
    await reaction.measure(stage, "v2-crash", _twice)


def _twice(pod: Any) -> bool:
    """Whether a container has ended at least twice: its restarts, and the end that it has not restarted from."""
    for status in pod["status"].get("containerStatuses") or ():
        state = status["state"]
        ended = "terminated" in state or state.get("waiting", {}).get("reason") == "CrashLoopBackOff"
        if status["restartCount"] + ended >= 2:
            return True
    return False
