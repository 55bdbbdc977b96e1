"""Cases of the alerts on what kube-state-metrics says: from its series, each from two of its pods."""

from __future__ import annotations

from collections.abc import Callable

from rollguard.model.signals import EventRule, SignalAlert
from rollguard.render.alerts.alert import Alert
from rollguard.render.alerts.of_autoscaling import AUTOSCALER, TARGET
from rollguard.render.alerts.of_events import MIGRATION
from rollguard.render.alerts.proof.case import CALM, Case, Firing, Setting, steps
from rollguard.render.alerts.proof.series import POD_NAME, WORKLOAD, Series

Values = tuple[tuple[float | None, int], ...]
_ON: Values = ((0, CALM), (1, 1))
_APPEARS: Values = ((None, CALM), (1, 1))
_ROUNDS = 40


def of_cluster(setting: Setting, alerts: tuple[Alert, ...]) -> tuple[Case, ...]:
    """One for each alert on an event rule, on replicas and rollouts, and on autoscalers."""
    found: list[Case] = []
    for alert in alerts:
        rule = next((each.rule for each in setting.policy.signals if each.name == alert.signal), None)
        if rule is not None:
            found.append(_EVENTS[rule](setting, alert))
        elif alert.name in _OTHERS:
            found.append(_OTHERS[alert.name](setting, alert))
        if alert.name == "RolloutStuck":
            found.append(_not_ready(setting, alert))
    return tuple(found)


def _workload(setting: Setting, alert: Alert, series: tuple[Series, ...], value: float = 1.0) -> Case:
    fires = Firing(alert=alert, labels=setting.cast.own(deployment=WORKLOAD), value=value)
    return Case(fires=fires, series=series, begin=CALM)


def _crash_loop(setting: Setting, alert: Alert) -> Case:
    name = "kube_pod_container_status_waiting_reason"
    waits = setting.cast.scraped(name, *_APPEARS, pod=POD_NAME, container="app", reason="CrashLoopBackOff")
    return _workload(setting, alert, (*setting.cast.owned(), waits))


def _image_pull(setting: Setting, alert: Alert) -> Case:
    """The two reasons take turns."""
    name = "kube_pod_container_status_waiting_reason"
    first: Values = ((None, CALM), *(((1, 1), (None, 1)) * _ROUNDS))
    second: Values = ((None, CALM + 1), *(((1, 1), (None, 1)) * _ROUNDS))
    waits = (
        setting.cast.scraped(name, *values, pod=POD_NAME, container="app", reason=reason)
        for values, reason in ((first, "ErrImagePull"), (second, "ImagePullBackOff"))
    )
    return _workload(setting, alert, (*setting.cast.owned(), *waits))


def _progress(setting: Setting, alert: Alert) -> Case:
    failed = setting.cast.deployment(
        "status_condition", *_ON, condition="Progressing", status="false", reason="ProgressDeadlineExceeded"
    )
    return _workload(setting, alert, (failed,))


def _migration(setting: Setting, alert: Alert) -> Case:
    patterns = setting.policy.migration.patterns if setting.policy.migration else ()
    name = patterns[0].replace("*", "x").replace("?", "x")
    job = setting.cast.scraped("kube_job_failed", *_APPEARS, condition="true", job_name=name)
    labels = setting.cast.own(**{MIGRATION: name})
    within = steps(_named(setting, alert).over)
    fires = Firing(alert=alert, labels=labels, value=1.0)
    return Case(fires=fires, series=(job,), begin=CALM, ends=CALM + within + 1)


def _named(setting: Setting, alert: Alert) -> SignalAlert:
    signal = next(each for each in setting.policy.signals if each.name == alert.signal)
    return next(each for each in signal.alerts if each.name == alert.name)


def _mismatch(setting: Setting, alert: Alert) -> Case:
    cast = setting.cast
    return _workload(
        setting,
        alert,
        (
            cast.deployment("spec_replicas", (3, 1)),
            cast.deployment("status_replicas", (3, 1)),
            cast.deployment("status_replicas_updated", (3, 1)),
            cast.deployment("status_replicas_available", (3, CALM), (2, 1)),
        ),
    )


def _stuck(setting: Setting, alert: Alert) -> Case:
    cast = setting.cast
    progressing = {"condition": "Progressing", "status": "true", "reason": "ReplicaSetUpdated"}
    series = (
        cast.deployment("spec_replicas", (3, 1)),
        cast.deployment("spec_paused", (0, 1)),
        cast.deployment("status_replicas_available", (3, 1)),
        cast.deployment("status_replicas_updated", (3, CALM), (1, 1)),
        cast.deployment("status_condition", (1, 1), **progressing),
    )
    still = steps(max(alert.for_seconds, 60.0))
    fires = Firing(alert=alert, labels=cast.own(deployment=WORKLOAD), value=2.0)
    # Whether a range holds the sample at its very beginning differs between versions of Prometheus.
    return Case(fires=fires, series=series, begin=CALM + still - 1, slack=1)


def _not_ready(setting: Setting, alert: Alert) -> Case:
    """All pods are new, one is not ready, and no reason is told: it counts while the rollout is recent."""
    cast, still = setting.cast, steps(max(alert.for_seconds, 60.0))
    # Changes are looked for over a range: it is all there before the pod fails, and the rollout ends after the alert.
    begin = still + CALM
    lasts = steps(alert.for_seconds) + CALM
    series = (
        *(cast.deployment(name, (3, 1)) for name in ("spec_replicas", "status_replicas", "status_replicas_updated")),
        cast.deployment("spec_paused", (0, 1)),
        cast.deployment("status_replicas_available", (3, begin), (2, 1)),
        cast.deployment("status_condition", (1, 1), condition="Progressing", status="true"),
        cast.told("rollguard_rollout_active", (1, begin + lasts), (0, 1), deployment=WORKLOAD, set=""),
    )
    fires = Firing(alert=alert, labels=cast.own(deployment=WORKLOAD), value=1.0)
    return Case(fires=fires, series=series, begin=begin, ends=begin + lasts, story="without a reason")


def _autoscaler(condition: str, status: str, value: float) -> Callable[[Setting, Alert], Case]:
    def case(setting: Setting, alert: Alert) -> Case:
        name, cast = {AUTOSCALER: f"{WORKLOAD}-scaler"}, setting.cast
        target = {"scaletargetref_kind": "Deployment", TARGET: WORKLOAD}
        series = (
            cast.scraped(f"kube_{AUTOSCALER}_info", (1, 1), **name, **target),
            cast.scraped(f"kube_{AUTOSCALER}_spec_max_replicas", (10, 1), **name),
            cast.scraped(f"kube_{AUTOSCALER}_status_desired_replicas", (10, 1), **name),
            cast.scraped(f"kube_{AUTOSCALER}_status_condition", *_ON, **name, condition=condition, status=status),
            cast.deployment("spec_replicas", (10, 1)),
        )
        return _workload(setting, alert, series, value)

    return case


_EVENTS: dict[EventRule, Callable[[Setting, Alert], Case]] = {
    EventRule.CRASH_LOOP: _crash_loop,
    EventRule.IMAGE_PULL: _image_pull,
    EventRule.PROGRESS_DEADLINE: _progress,
    EventRule.MIGRATION_FAILED: _migration,
}
_OTHERS: dict[str, Callable[[Setting, Alert], Case]] = {
    "DeploymentReplicasMismatch": _mismatch,
    "RolloutStuck": _stuck,
    "AutoscalerAtMaximum": _autoscaler("ScalingLimited", "true", 10.0),
    "AutoscalerUnableToScale": _autoscaler("AbleToScale", "false", 1.0),
    "AutoscalerMetricsMissing": _autoscaler("ScalingActive", "false", 1.0),
}
