"""The alerts of the event rules: crash loops, images, the progress deadline, migrations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rollguard import signals
from rollguard.model.alerting import ROLLBACK
from rollguard.model.policy import Policy
from rollguard.model.signals import EventRule, LevelName, SignalAlert
from rollguard.policy.durations import format_
from rollguard.policy.promql import Matcher
from rollguard.render.alerts.alert import Alert
from rollguard.render.alerts.cluster import WHERE, condition, glob, pods
from rollguard.render.alerts.of_signals import severity
from rollguard.render.places import MIGRATIONS, STATUS, WAITING, Place
from rollguard.signals import POD, Scope

MIGRATION = "migration"
"""The label with the name of a Job, or of a bare pod."""
_WAITING = ("kube_pod_container_status_waiting_reason", "kube_pod_init_container_status_waiting_reason")
_CRASH = Matcher("reason", "=", "CrashLoopBackOff")
# Which of them a container waits for changes all the time: they are one.
_IMAGE = Matcher("reason", "=~", "ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|ImageInspectError")


def of_events(policy: Policy) -> tuple[Alert, ...]:
    """One for each alert that an event signal names; none for migrations where the policy names no migrations."""
    scope = signals.scope(policy)
    return tuple(
        replace(_RULES[signal.rule](policy, alert, scope), signal=signal.name)
        for signal in policy.signals
        if signal.rule is not None and (signal.rule is not EventRule.MIGRATION_FAILED or policy.migration is not None)
        for alert in signal.alerts
    )


def _crash_loop(_policy: Policy, alert: SignalAlert, scope: Scope) -> Alert:
    over = format_(alert.over)
    seen = " or ".join(f"max_over_time({scope.select(name, _CRASH)}[{over}])" for name in _WAITING)
    acts = alert.level is LevelName.ROLLBACK
    return _made(
        alert,
        expr=f"{pods(scope, f'({seen}) >= 1')} > 0",
        summary=f"Pods crash in a loop{': a rollback is asked for' if acts else ''}",
        description=(
            f"Pods of {WHERE} that were in CrashLoopBackOff in the last {over}: {{{{ $value }}}}; the bound is none."
        ),
        meaning=(
            f"A container was in CrashLoopBackOff within {over}: it starts, ends with an error, and the kubelet waits "
            "longer each time. The state is looked for over a range because it comes and goes with each start."
        ),
        panel=WAITING,
    )


def _image_pull(_policy: Policy, alert: SignalAlert, scope: Scope) -> Alert:
    waiting = " or ".join(scope.select(name, _IMAGE) for name in _WAITING)
    return _made(
        alert,
        expr=f"{pods(scope, f'({waiting}) == 1')} > 0",
        summary="An image cannot be pulled",
        description=f"Pods of {WHERE} that wait for an image that cannot be pulled: {{{{ $value }}}}; the bound is none"
        f"{_lasting(alert)}.",
        meaning="A container waits for its image: the name is wrong, the registry refuses, or it does not answer. "
        "ErrImagePull and ImagePullBackOff, which take turns, count as one.",
        panel=WAITING,
    )


def _progress(_policy: Policy, alert: SignalAlert, scope: Scope) -> Alert:
    return _made(
        alert,
        expr=f"{condition(scope, 'Progressing', 'false')} or {condition(scope, 'ReplicaFailure', 'true')}",
        summary="A rollout has failed",
        description=f"{WHERE} has the condition Progressing=False or ReplicaFailure=True{_lasting(alert)}.",
        meaning="The rollout went past its progress deadline, or the cluster refuses to create its pods (a quota, "
        "an admission rule).",
        panel=STATUS,
    )


def _migration(policy: Policy, alert: SignalAlert, scope: Scope) -> Alert:
    patterns = policy.migration.patterns if policy.migration else ()
    names = "|".join(glob(pattern) for pattern in patterns)
    within = format_(alert.over)
    jobs = scope.select("kube_job_failed", Matcher("condition", "=", "true"), Matcher("job_name", "=~", names))
    store_pod = scope.store.pod_label or POD
    failed = scope.select("kube_pod_status_phase", Matcher("phase", "=", "Failed"), Matcher(store_pod, "=~", names))
    bare = scope.by("max", scope.select("kube_pod_owner", Matcher("owner_kind", "=~", "|<none>")), POD)
    of_pods = f"({_lately(scope, failed, POD, within)}) and {scope.on(POD)} {bare}"
    renamed = (
        f'label_replace({each}, "{MIGRATION}", "$1", "{label}", "(.+)")'
        for each, label in ((_lately(scope, jobs, "job_name", within), "job_name"), (of_pods, POD))
    )
    return _made(
        alert,
        expr=f"max by ({', '.join(scope.keys(MIGRATION))}) ({' or '.join(renamed)})",
        summary="A migration of the database has failed",
        description=f"The migration {{{{ $labels.migration }}}} in {{{{ $labels.namespace }}}} failed within the last "
        f"{within}; the bound is none.",
        meaning=f"A Job, or a pod without an owner, whose name is that of a migration ({', '.join(patterns)}) failed. "
        f"Its object stays until it is deleted: the alert ends {within} after the failure.",
        panel=MIGRATIONS,
        deployment=False,
    )


def _lately(scope: Scope, series: str, label: str, within: str) -> str:
    """What is 1 now and was not that long ago, nor as long again before it: a gap in the series is no news."""
    earlier = f"max_over_time({series}[{within}] offset {within})"
    now, before = (scope.by("max", each, label) for each in (series, earlier))
    return f"{now} == 1 unless {scope.on(label)} ({before} == 1)"


def _lasting(alert: SignalAlert) -> str:
    return f" for {format_(alert.seconds)}" if alert.seconds else ""


def _made(
    alert: SignalAlert,
    *,
    expr: str,
    summary: str,
    description: str,
    meaning: str,
    panel: Place,
    deployment: bool = True,
) -> Alert:
    return Alert(
        name=alert.name,
        severity=severity(alert.level),
        category=alert.category,
        expr=expr,
        for_seconds=alert.seconds,
        summary=summary,
        description=description,
        meaning=meaning,
        panel=panel,
        labels=(ROLLBACK,) if alert.level is LevelName.ROLLBACK else (),
        deployment=deployment,
        after_rollout=alert.after_rollout,
    )


_RULES: dict[EventRule, Callable[[Policy, SignalAlert, Scope], Alert]] = {
    EventRule.CRASH_LOOP: _crash_loop,
    EventRule.IMAGE_PULL: _image_pull,
    EventRule.PROGRESS_DEADLINE: _progress,
    EventRule.MIGRATION_FAILED: _migration,
}
