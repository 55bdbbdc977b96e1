"""Decision and facts -> plan, and the step to try now given what a fresh read shows. Pure: sends nothing itself."""

from rollguard.undo.admission import changed
from rollguard.undo.answers import (
    Abandon,
    Finished,
    MarkDone,
    Next,
    Refusals,
    Resume,
    Send,
    Supersede,
    Wait,
    interrupted,
)
from rollguard.undo.half import (
    TAKES_BACK,
    committed,
    given_up,
    half_back,
    members_moved,
    nothing_undone,
    of_set,
    stopped,
    tells_half,
    undoes,
    untouched,
)
from rollguard.undo.planning import Refused, plan, with_owners
from rollguard.undo.progress import Progress, Restored, Stalled, StillRolling, progress, still_restored
from rollguard.undo.request import manual
from rollguard.undo.sets import plan_set, remarks, resume_set, set_target
from rollguard.undo.stepping import next, reads, refused
from rollguard.undo.switching import by_hand
from rollguard.undo.told import caveat, switched, undone
from rollguard.undo.trials import trials
from rollguard.undo.unready import Unready, unready

__all__ = [
    "TAKES_BACK",
    "Abandon",
    "Finished",
    "MarkDone",
    "Next",
    "Progress",
    "Refusals",
    "Refused",
    "Restored",
    "Resume",
    "Send",
    "Stalled",
    "StillRolling",
    "Supersede",
    "Unready",
    "Wait",
    "by_hand",
    "caveat",
    "changed",
    "committed",
    "given_up",
    "half_back",
    "interrupted",
    "manual",
    "members_moved",
    "next",
    "nothing_undone",
    "of_set",
    "plan",
    "plan_set",
    "progress",
    "reads",
    "refused",
    "remarks",
    "resume_set",
    "set_target",
    "still_restored",
    "stopped",
    "switched",
    "tells_half",
    "trials",
    "undoes",
    "undone",
    "unready",
    "untouched",
    "with_owners",
]
