"""The plan that puts a revision back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollguard.model.action import Found, Plan, Step, StepKind, Target
from rollguard.model.facts import Template, Workload
from rollguard.model.names import Ref
from rollguard.model.situation import Situation
from rollguard.model.time import Instant
from rollguard.undo.managers import owners


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No plan is possible; the reason says what a person can do."""

    reason: str


def plan(
    situation: Situation,
    target: Target,
    template: Template,
    *,
    id: str,
    epoch: int,
    reason: str,
    actor: str,
    now: Instant,
) -> Plan | Refused:
    """The plan that puts `template`, the target's, back; Refused where the workload is not in a state for it.

    It expires `timing.plan_expiry` seconds after `now`.
    """
    if not situation.facts.members:
        return Refused(reason=f"{situation.unit.workload} does not exist (any more)")
    workload = situation.facts.members[0]
    refusal = _refusal(situation, workload, target, template)
    if refusal:
        return Refused(reason=refusal)
    step = Step(
        n=1,
        kind=StepKind.RESTORE_TEMPLATE,
        target=Ref(workload.name.kind.value, workload.name.namespace, workload.name.name, workload.uid),
        precondition=workload.template.digest,
        goal=template.digest,
        body=template.body,
        revision=situation.rollout.target_number,
    )
    expires = now.plus(situation.timing.plan_expiry)
    return Plan(
        id=id, epoch=epoch, created=now, expires=expires, reason=reason, actor=actor, target=target, steps=(step,)
    )


def with_owners(plan: Plan, found: Found) -> Plan:
    """The plan with a second step where the workload is applied server-side: the restored fields go back to who owns
    them in `found`, a read from before the first step."""
    first, body = plan.restoring, owners(found)
    if not body:
        return plan
    second = replace(first, n=2, kind=StepKind.RESTORE_MANAGERS, precondition=first.goal, body=body)
    return replace(plan, steps=(first, second))


def _refusal(situation: Situation, workload: Workload, target: Target, template: Template) -> str:
    """Why no plan is possible, empty where one is."""
    if not situation.facts.complete:
        return f"the facts are incomplete: {', '.join(situation.facts.missing)}"
    if situation.rollout.uid != workload.uid:
        return f"{workload.name} was deleted and created anew: it is not the workload that rolled out"
    if workload.paused:
        return f"{workload.name} is paused: resume it with `kubectl rollout resume` first"
    if workload.template.digest == template.digest:
        return f"{workload.name} already has the template of revision {target.number}"
    if workload.template.digest != situation.rollout.target_digest:
        return f"the template of {workload.name} changed since it was judged"
    known = _known_digest(situation, workload, target)
    if known and known != template.digest:
        return f"the template at hand is not that of revision {target.number} ({target.hash})"
    return ""


def _known_digest(situation: Situation, workload: Workload, target: Target) -> str:
    """The digest on record for the target's template, empty where there is none."""
    for good in situation.good():
        if good.hash == target.hash:
            return good.digest
    recorded = workload.revision(target.hash)
    return "" if recorded is None else recorded.template.digest
