"""Tools that own a watched workload, and what the policy makes of them."""

from __future__ import annotations

from collections.abc import Iterator

from rollguard.doctor.check import Check, Topic
from rollguard.doctor.facts import Facts
from rollguard.doctor.selection import Selected, selected
from rollguard.model.facts import Owner, Tool
from rollguard.model.policy import OwnerRule, SecretsAccess
from rollguard.policy.amounts import counted

OWNER = Topic(
    group="workloads",
    name="owner",
    about="No GitOps tool or Helm release keeps the guard from acting on a workload",
    remedy="let the tool roll back itself, or set `spec.gitops: ignore` or `spec.helm: ignore` where the guard may act",
)
TOPICS = (OWNER,)


def checks(facts: Facts) -> Iterator[Check]:
    """One for each owner; one for all where there is none."""
    chosen = tuple(selected(facts))
    found = [_owned(facts, each, owner) for each in chosen for owner in each.seen.workload.owners]
    if chosen and not found:
        yield OWNER.ok(counted(len(chosen), "workload"), "no tool owns them")
    yield from found


def _owned(facts: Facts, each: Selected, owner: Owner) -> Check:
    rules, subject = facts.policy.owners, str(each.name)
    if owner.tool is not Tool.HELM:
        if rules.gitops is OwnerRule.IGNORE:
            return OWNER.ok(subject, f"{owner} owns it; the policy says `gitops: ignore`", unit=each.unit)
        return OWNER.warning(subject, f"{owner} owns it: every rollback is held (`gitops: hold`)", unit=each.unit)
    if rules.helm is OwnerRule.IGNORE:
        return OWNER.ok(subject, f"{owner} owns it; the policy says `helm: ignore`", unit=each.unit)
    if rules.secrets is SecretsAccess.NONE:
        found = f"{owner} owns it, and its state cannot be seen: every rollback is held"
        do = "set `spec.secrets: metadata` and install again, or `spec.helm: ignore`"
        return OWNER.warning(subject, found, do, unit=each.unit)
    return OWNER.ok(subject, f"{owner} owns it: rollbacks are held only while it is pending", unit=each.unit)
