"""Alerts on how a Deployment stands that no signal speaks of: missing replicas, a rollout that does not move."""

from __future__ import annotations

from rollguard import signals
from rollguard.model.alerting import Category, Severity
from rollguard.model.policy import Policy
from rollguard.policy.alerts import SCRAPES
from rollguard.policy.durations import format_
from rollguard.policy.promql import Matcher, narrowed
from rollguard.render.alerts.alert import Alert
from rollguard.render.alerts.cluster import RECENT, WHERE, condition, deployments
from rollguard.render.alerts.lasting import lasting
from rollguard.render.places import PROGRESS, STATUS
from rollguard.signals import DEPLOYMENT

_COMPLETE = Matcher("reason", "=", "NewReplicaSetAvailable")
_REASON = Matcher("reason", "!=", "")
"""Older versions of kube-state-metrics do not tell it."""


def of_rollouts(policy: Policy) -> tuple[Alert, ...]:
    """Missing replicas and stuck rollouts."""
    return (_mismatch(policy), _stuck(policy))


def _mismatch(policy: Policy) -> Alert:
    scope = signals.scope(policy)
    seconds = lasting(policy, "DeploymentReplicasMismatch")
    desired, available, all_, updated = (
        deployments(scope, name)
        for name in ("spec_replicas", "status_replicas_available", "status_replicas", "status_replicas_updated")
    )
    # While old pods are left beside new ones a rollout is in progress.
    settled = f"({all_} == {updated})"
    return Alert(
        name="DeploymentReplicasMismatch",
        severity=Severity.WARNING,
        category=Category.DEPLOYMENT,
        expr=f"({desired} - {available} != 0) and {scope.alike()} {settled}",
        for_seconds=seconds,
        summary="A Deployment does not have the replicas that it should",
        description=f"{WHERE} has {{{{ $value }}}} available replicas fewer than desired (more, where that is negative)"
        f"; the bound is none for {format_(seconds)}.",
        meaning="Available replicas differ from desired ones, and no old pods are left of a rollout. A rollout whose "
        "new pods replace the old ones in place and never become available is told here too.",
        panel=STATUS,
        value=f"{desired} - {available}",
    )


def _stuck(policy: Policy) -> Alert:
    scope = signals.scope(policy)
    seconds = lasting(policy, "RolloutStuck")
    over = format_(max(seconds, SCRAPES * policy.metrics.scrape_interval))
    desired, available, all_, updated, paused = (
        deployments(scope, name)
        for name in (
            "spec_replicas",
            "status_replicas_available",
            "status_replicas",
            "status_replicas_updated",
            "spec_paused",
        )
    )
    series = scope.select("kube_deployment_status_replicas_updated")
    still = f"{scope.by('max', f'changes({series}[{over}])', DEPLOYMENT)} == 0"
    complete = condition(scope, "Progressing", "true", _COMPLETE)
    # Where no reason says that a rollout is complete, pods that are not ready long after it are none of its.
    progressing = Matcher("condition", "=", "Progressing")
    told = deployments(scope, narrowed("status_condition", (progressing, _REASON)))
    unready = f"({updated} - {available} > 0) and {scope.alike()} ({RECENT} == 1 or {told})"
    # Of one replica the new pod is all that is wanted, and the old one is available: only that it stays tells.
    behind = f"({desired} - {updated} > 0) or ({all_} - {updated} > 0) or ({unready})"
    return Alert(
        name="RolloutStuck",
        severity=Severity.WARNING,
        category=Category.DEPLOYMENT,
        expr=f"(({behind}) and {scope.alike()} ({still})) unless {scope.alike()} ({complete}) "
        f"unless {scope.alike()} ({paused} == 1)",
        for_seconds=seconds,
        summary="A rollout does not move",
        description=f"The rollout of {WHERE} is {{{{ $value }}}} replicas short of its end, and none was updated in "
        f"the last {over}; the bound is none for {format_(seconds)}.",
        meaning="Fewer replicas are updated than desired, or old ones are left, or fewer are available than updated, "
        f"and the number of updated ones has not changed in {over}. A paused Deployment, and one whose last rollout "
        "was complete, is left out. An older kube-state-metrics does not tell that it was: there pods that are not "
        "available count only while the rollout is recent.",
        panel=PROGRESS,
        value=behind,
    )
