"""Decision and facts -> plan, and the step to try now given what a fresh read shows. Pure: sends nothing itself."""

from rollguard.undo.admission import changed
from rollguard.undo.managers import caveat
from rollguard.undo.planning import Refused, plan, with_owners
from rollguard.undo.progress import Progress, Restored, Stalled, StillRolling, progress, still_restored
from rollguard.undo.request import manual
from rollguard.undo.stepping import (
    Finished,
    MarkDone,
    Next,
    Send,
    Supersede,
    Wait,
    dry_run_write,
    next,
    skipped,
)

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
    "caveat",
    "changed",
    "dry_run_write",
    "manual",
    "next",
    "plan",
    "progress",
    "skipped",
    "still_restored",
    "with_owners",
]
