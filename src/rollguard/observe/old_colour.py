"""Whether the colour that a member of a release set served on before may serve again, as the cache shows it."""

from __future__ import annotations

from rollguard.model.action import Target
from rollguard.model.facts import Autoscaler, UnitFacts, Workload
from rollguard.model.names import WorkloadName
from rollguard.model.records import Passage


def unfit(facts: UnitFacts, passage: Passage) -> str:
    """Why the old colour is no way back for this member, with what a person can do; empty where it is one.

    It must be there, exactly what it was when it served, not paused, behind a Service, and get the pods that it needs.
    """
    old, new, name = passage.old, passage.new, passage.old.workload.name
    there = facts.member(old.workload)
    if there is None or there.uid != old.uid:
        again = "deleted and made anew" if there is not None else "deleted"
        return (
            f"{name} was {again}: there is no {old.colour} of {passage.member} to go back to. Fix {new.colour} forward"
        )
    if there.template.digest != old.digest:
        return _preloaded(passage, there)
    if there.paused:
        return f"{name} is paused: resume it with `kubectl rollout resume deployment/{name}` first"
    if passage.service and facts.service(passage.service) is None:
        return f"there is no Service {passage.service} (any more)"
    return _no_room(facts, passage, there)


def target_of(first: Passage, *, judged: bool) -> Target:
    """The old colour as a plan's target; of a set the first member's stands for all."""
    old = first.old
    return Target(
        hash=old.hash,
        number=old.number,
        images=old.images,
        judged=judged,
        workload=old.workload.name,
        colour=old.colour,
    )


def scaler_of(facts: UnitFacts, workload: WorkloadName) -> Autoscaler | None:
    """The workload's autoscaler; None where it has none."""
    return next((scaler for scaler in facts.autoscalers if scaler.workload == workload), None)


def _preloaded(passage: Passage, there: Workload) -> str:
    """The next version is in the old colour already: it is no way back."""
    name, was = passage.old.workload.name, ", ".join(image for _, image in passage.old.images)
    runs = ", ".join(image for _, image in there.template.images)
    return (
        f"{name} has another template than when it served ({runs} now, {was} then): somebody put the next version into"
        f" {passage.old.colour}, and it is no way back. Put revision {passage.old.number} back into it"
        f" (`kubectl -n {there.name.namespace} rollout undo deployment/{name} --to-revision={passage.old.number}`),"
        f" then roll back, or fix {passage.new.colour} forward"
    )


def _no_room(facts: UnitFacts, passage: Passage, there: Workload) -> str:
    """The old colour's autoscaler would not leave it the pods that it needs, and it has not got them."""
    scaler = scaler_of(facts, there.name)
    if scaler is None or scaler.minimum >= passage.needed or there.ready >= passage.needed:
        return ""
    whose = f"the autoscaler {scaler.name} of {there.name.name}"
    if scaler.maximum < passage.needed:
        return f"{whose} allows {scaler.maximum} pods, {passage.needed} are needed: raise its maxReplicas"
    if scaler.owner:
        return (
            f"{scaler.owner} keeps the minReplicas of {whose} at {scaler.minimum} and would set it back: raise it there"
            f" to {passage.needed}"
        )
    return ""
