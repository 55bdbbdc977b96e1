"""How far the restored template has rolled out."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.model.action import Plan
from rollguard.model.facts import UnitFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """Generation observed, updated = desired, no old replica left, available = updated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StillRolling:
    """Not yet; `detail` says what is missing."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalled:
    """It will not get there by itself: an incident of its own, never a reason to write again."""

    detail: str


Progress = Restored | StillRolling | Stalled


def progress(plan: Plan, facts: UnitFacts) -> Progress:
    """How far the last step's template is, by the cached facts."""
    step = plan.steps[-1]
    if not facts.complete:
        return StillRolling(detail=f"the facts are incomplete: {', '.join(facts.missing)}")
    if not facts.members or facts.members[0].uid != step.target.uid:
        return Stalled(detail="the workload was deleted")
    workload = facts.members[0]
    if workload.template.digest == step.precondition:
        return StillRolling(detail="the restored template is not seen yet")
    if workload.template.digest != step.goal:
        return Stalled(detail="the template was changed after it was restored")
    missing = workload.unfinished()
    if not missing:
        return Restored()
    stuck = [c for c in workload.conditions if c.type == "Progressing" and c.status == "False"]
    # conditions of an older generation are those of the bad version
    if stuck and workload.observed_generation >= workload.generation:
        return Stalled(detail=f"{stuck[0].reason}: {stuck[0].message} ({missing})")
    return StillRolling(detail=missing)
