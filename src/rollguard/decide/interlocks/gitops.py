"""What a GitOps tool owns it would set back to the bad version."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.facts import Owner, Tool
from rollguard.model.judgement import Verdict
from rollguard.model.policy import OwnerRule
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "GitOps owner"
_KINDS = {Tool.FLUX_KUSTOMIZATION: "kustomization", Tool.FLUX_HELM: "helmrelease"}


def gitops_owner(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Forbids where Argo CD or Flux owns a member, unless the policy says `gitops: ignore`."""
    owner = next((o for m in situation.facts.members for o in m.owners if o.tool is not Tool.HELM), None)
    if owner is None:
        return clear(NAME, "no GitOps tool owns it")
    if situation.owners.gitops is OwnerRule.IGNORE:
        return clear(NAME, f"{owner} owns it; the policy says `gitops: ignore`")
    said = f"{owner} owns it and would apply the bad version again: `{_stop(owner)}`, then order the rollback;"
    return forbids(NAME, f"{said} and revert in git")


def _stop(owner: Owner) -> str:
    """The command that keeps the tool from setting it back."""
    if owner.tool is Tool.ARGO_CD:
        return f"argocd app set {owner.object or 'APPLICATION'} --sync-policy none"
    return f"flux suspend {_KINDS[owner.tool]} {owner.name or 'NAME'} -n {owner.namespace or 'NAMESPACE'}"
