"""The old colour must be what it was when it served, and able to serve again."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.facts import Autoscaler, UnitFacts
from rollguard.model.judgement import Verdict
from rollguard.model.records import Passage
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "old colour"


def old_colour(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Of a release set: forbids where a member's old colour is gone, paused, was given another version, or cannot get
    the pods that it needs. Elsewhere there is no old colour."""
    rollout = situation.rollout
    for passage in rollout.passages:
        reason = _unfit(situation.facts, passage)
        if reason:
            return forbids(NAME, reason)
    colours = " and ".join(sorted({passage.old.colour for passage in rollout.passages}))
    return clear(NAME, f"{colours} is as it was when it served" if colours else "it is not blue-green")


def _unfit(facts: UnitFacts, passage: Passage) -> str:
    old, service = passage.old, passage.service
    workload = facts.member(old.workload)
    if workload is None or workload.uid != old.uid:
        return f"{old.workload.name} was deleted: {passage.member} has no way back"
    if workload.template.digest != old.digest:
        now = workload.target()
        runs = f"revision {now.number}" if now is not None else "another version"
        return f"{old.workload.name} has {runs} now, not revision {old.number}, which served: it is no way back"
    if workload.paused:
        return f"{old.workload.name} is paused: `kubectl rollout resume deployment/{old.workload.name}` first"
    if service and facts.service(service) is None:
        return f"there is no Service {service}: nothing can be switched"
    scaler = next((each for each in facts.autoscalers if each.workload == old.workload), None)
    if scaler is None or workload.ready >= passage.needed:
        return ""
    return _held_down(scaler, passage)


def _held_down(scaler: Autoscaler, passage: Passage) -> str:
    """Why the autoscaler would not leave the colour the pods that it needs; empty where it would."""
    whose = f"the autoscaler {scaler.name} of {passage.old.workload.name}"
    if scaler.maximum < passage.needed:
        return f"{whose} allows {scaler.maximum} pods, {passage.needed} are needed: raise its maxReplicas"
    if scaler.owner and scaler.minimum < passage.needed:
        return f"{scaler.owner} owns {whose} and sets its minReplicas back to {scaler.minimum}: raise it there"
    return ""
