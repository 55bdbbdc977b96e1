"""A Helm release that is under way, or stuck, would fight with an undo."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.facts import HelmRelease, Tool
from rollguard.model.judgement import Verdict
from rollguard.model.policy import OwnerRule
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "Helm release under way"
PENDING = frozenset({"pending-install", "pending-upgrade", "pending-rollback"})


def helm_pending(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Forbids while the workload's Helm release is pending, and where its state is not known.

    Silent for what Helm did not install, and where the policy says `helm: ignore`.
    """
    owner = next((o for m in situation.facts.members for o in m.owners if o.tool is Tool.HELM), None)
    if owner is None:
        return clear(NAME, "no Helm release owns it")
    if situation.owners.helm is OwnerRule.IGNORE:
        return clear(NAME, f"the Helm release {owner.name} owns it; the policy says `helm: ignore`")
    unseen = HelmRelease(name=owner.name, namespace=owner.namespace)
    release = next((each for each in situation.facts.helm if each.name == owner.name), unseen)
    if not release.status:
        return forbids(NAME, _unknown(situation, release))
    if release.status in PENDING:
        return forbids(NAME, _under_way(release))
    return clear(NAME, f"the Helm release {release.name} is {release.status}, version {release.version}")


def _under_way(release: HelmRelease) -> str:
    where = f"{release.name} -n {release.namespace}"
    said = f"the Helm release {release.name} is {release.status} (version {release.version}): an upgrade is under way,"
    return f"{said} or was broken off; look with `helm history {where}`, and go back with `helm rollback {where}`"


def _unknown(situation: Situation, release: HelmRelease) -> str:
    said = f"the state of the Helm release {release.name} in {release.namespace} is not known"
    if "Secret" not in situation.facts.config.kinds:
        return f"{said}, for Secrets are not looked at: set `spec.secrets: metadata`, or `spec.helm: ignore`"
    return f"{said}, for no record of it is seen there: `helm history` knows more, or set `spec.helm: ignore`"
