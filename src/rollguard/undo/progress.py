"""How far the restored template has rolled out, or the release set is back."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.model.action import Plan
from rollguard.model.facts import Pod, UnitFacts
from rollguard.model.time import Instant
from rollguard.undo import set_progress
from rollguard.undo.half import of_set


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """Generation observed, updated = desired, no old replica left, available = updated. Of a set: what it was before is
    all that serves, with as many ready pods as are needed."""


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
    """How far what is put back is, by the cached facts."""
    if not facts.complete:
        return StillRolling(detail=f"the facts are incomplete: {', '.join(facts.missing)}")
    if of_set(plan):
        if astray := set_progress.gone_astray(plan, facts):
            return Stalled(detail=astray)
        lacks = set_progress.lacking(plan, facts)
        return StillRolling(detail=lacks) if lacks else Restored()
    step = plan.restoring
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


def still_restored(plan: Plan, facts: UnitFacts, since: Instant) -> bool:
    """Whether what was restored at `since`, in the API server's time, is so still, though an autoscaler adds pods.

    An old pod or another template ends that, and a restored pod that is not ready any more; a pod that came later and
    has not failed is only on its way. Of a set: a Service that the old colour does not serve alone.
    """
    if of_set(plan):
        return _set_still_restored(plan, facts, since)
    if not facts.complete or not facts.members or facts.members[0].uid != plan.restoring.target.uid:
        return False
    workload = facts.members[0]
    if workload.template.digest != plan.restoring.goal or workload.total > workload.updated:
        return False
    serves = workload.available > 0 or workload.desired == 0
    return serves and all(pod.ready or pod.deleting or _on_its_way(pod, since) for pod in facts.pods)


def _set_still_restored(plan: Plan, facts: UnitFacts, since: Instant) -> bool:
    if not facts.complete or set_progress.gone_astray(plan, facts) or not set_progress.serves(plan, facts):
        return False
    pods = set_progress.pods_of(plan, facts)
    return all(pod.ready or pod.deleting or _on_its_way(pod, since) for pod in pods)


def _on_its_way(pod: Pod, since: Instant) -> bool:
    failed = any(container.restarts or container.exit_code for container in pod.containers if not container.init)
    return pod.created > since and pod.ready_since is None and not failed
