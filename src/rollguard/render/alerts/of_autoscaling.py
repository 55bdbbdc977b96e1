"""Alerts on HorizontalPodAutoscalers of Deployments."""

from __future__ import annotations

from rollguard import signals
from rollguard.model.alerting import Category, Severity
from rollguard.model.policy import Policy
from rollguard.policy.durations import format_
from rollguard.policy.promql import Matcher
from rollguard.render.alerts.alert import Alert
from rollguard.render.alerts.cluster import WHERE, deployments
from rollguard.render.alerts.lasting import lasting
from rollguard.render.places import AUTOSCALERS
from rollguard.signals import DEPLOYMENT, Scope

AUTOSCALER = "horizontalpodautoscaler"
TARGET = "scaletargetref_name"


def of_autoscaling(policy: Policy) -> tuple[Alert, ...]:
    """At its maximum, unable to scale, without its metrics."""
    scope = signals.scope(policy)
    return (_at_maximum(policy, scope), _unable(policy, scope), _blind(policy, scope))


def _at_maximum(policy: Policy, scope: Scope) -> Alert:
    least, most, desired = (
        _series(scope, name) for name in ("spec_min_replicas", "spec_max_replicas", "status_desired_replicas")
    )
    limited, on = _condition(scope, "ScalingLimited", "true"), scope.on(AUTOSCALER)
    # One whose bounds are equal is limited from below as well, whatever the load is.
    at = f"((({most} <= {desired}) and {on} ({limited})) unless {on} ({least} == {most}))"
    return _made(
        policy,
        "AutoscalerAtMaximum",
        expr=_of_deployment(scope, at),
        summary="An autoscaler wants more replicas than it may have",
        says=f"The autoscaler of {WHERE} is at its maximum of {{{{ $value }}}} replicas and would want more",
        meaning="The condition ScalingLimited holds and the desired replicas are the maximum: load has outgrown it.",
    )


def _unable(policy: Policy, scope: Scope) -> Alert:
    return _made(
        policy,
        "AutoscalerUnableToScale",
        expr=_of_deployment(scope, f"({_condition(scope, 'AbleToScale', 'false')})"),
        summary="An autoscaler cannot scale",
        says=f"The autoscaler of {WHERE} has the condition AbleToScale=False",
        meaning="The autoscaler cannot read or write the scale of its target.",
    )


def _blind(policy: Policy, scope: Scope) -> Alert:
    # An autoscaler rests, with this condition false, where its Deployment is scaled to 0: an idle colour.
    resting = f"{deployments(scope, 'spec_replicas')} == 0"
    found = _of_deployment(scope, f"({_condition(scope, 'ScalingActive', 'false')})")
    return _made(
        policy,
        "AutoscalerMetricsMissing",
        expr=f"{found} unless {scope.alike()} ({resting})",
        summary="An autoscaler does not get its metrics",
        says=f"The autoscaler of {WHERE} has the condition ScalingActive=False",
        meaning="The autoscaler cannot compute a size, mostly for want of metrics. One whose Deployment is scaled to 0 "
        "rests, and is left out.",
    )


def _series(scope: Scope, name: str) -> str:
    return scope.by("max", scope.select(f"kube_{AUTOSCALER}_{name}"), AUTOSCALER)


def _condition(scope: Scope, name: str, status: str) -> str:
    matchers = (Matcher("condition", "=", name), Matcher("status", "=", status))
    return f"{scope.by('max', scope.select(f'kube_{AUTOSCALER}_status_condition', *matchers), AUTOSCALER)} == 1"


def _of_deployment(scope: Scope, found: str) -> str:
    kind = Matcher("scaletargetref_kind", "=", "Deployment")
    info = scope.by("max", scope.select(f"kube_{AUTOSCALER}_info", kind), AUTOSCALER, TARGET)
    target = f'label_replace({info}, "{DEPLOYMENT}", "$1", "{TARGET}", "(.+)")'
    targets = f"max by ({', '.join(scope.keys(AUTOSCALER, DEPLOYMENT))}) ({target})"
    joined = f"{found} * {scope.on(AUTOSCALER)} group_left ({DEPLOYMENT}) {targets}"
    return f"max by ({', '.join(scope.own())}) ({joined})"


def _made(policy: Policy, name: str, *, expr: str, summary: str, says: str, meaning: str) -> Alert:
    seconds = lasting(policy, name)
    return Alert(
        name=name,
        severity=Severity.WARNING,
        category=Category.AUTOSCALING,
        expr=expr,
        for_seconds=seconds,
        summary=summary,
        description=f"{says} for {format_(seconds)}.",
        meaning=meaning,
        panel=AUTOSCALERS,
    )
