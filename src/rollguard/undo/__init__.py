"""Decision and facts -> plan, and the step to try now given what a fresh read shows. Pure: sends nothing itself."""

from rollguard.undo.planning import Refused, plan
from rollguard.undo.progress import Progress, Restored, Stalled, StillRolling, progress, still_restored
from rollguard.undo.request import manual
from rollguard.undo.stepping import Finished, MarkDone, Next, Send, Supersede, Wait, dry_run_writes, next

__all__ = [
    "Finished",
    "MarkDone",
    "Next",
    "Progress",
    "Refused",
    "Restored",
    "Send",
    "Stalled",
    "StillRolling",
    "Supersede",
    "Wait",
    "dry_run_writes",
    "manual",
    "next",
    "plan",
    "progress",
    "still_restored",
]
