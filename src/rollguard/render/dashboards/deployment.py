"""The dashboard of rollouts: what a team keeps open while it deploys."""

from __future__ import annotations

from rollguard.model.policy import Policy
from rollguard.model.signals import Signal, SignalKind
from rollguard.render.dashboards import rollouts, shown
from rollguard.render.dashboards.panel import Dashboard, Line, Link, Panel, PanelKind, Query, Row
from rollguard.render.dashboards.view import REPLICAS, View, among, at_least, of_units, only, view
from rollguard.render.places import AUTOSCALERS, PROGRESS, STATUS, WAITING, Board
from rollguard.render.topics import Topic, topic

PATH = "deployment-dashboard.json"
NOT_RUNNING = ("Pending", "Unknown", "Failed")
CANNOT_START = (
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
)
SHORT = (Line(bound=1, colour="orange"),)


def deployment(policy: Policy) -> Dashboard:
    """The dashboard; of a policy without release sets without the row of colours."""
    seen = view(policy)
    own = tuple(signal for signal in policy.signals if not signal.shared)
    rows = (
        Row(title="Deployment status", panels=_status(seen)),
        Row(title="Rollout progress", panels=_progress(seen)),
        Row(title="Error rates", panels=shown.by_workload(seen, *(each for each in own if _is_errors(each)))),
        Row(title="Response times", panels=shown.by_workload(seen, *_of(own, SignalKind.HISTOGRAM))),
        Row(title="Resource usage", panels=(*_resources(seen, own), _autoscalers(seen))),
        Row(title="Pod health", panels=(*_pods(seen), *shown.by_workload(seen, *_about(own, Topic.PODS)))),
        Row(title="Blue-green status", panels=_colours(seen, own) if policy.release_sets() else ()),
    )
    return Dashboard(
        uid=Board.DEPLOYMENTS,
        path=PATH,
        title="Deployment monitoring",
        description="Rollouts and what they do to the service: status, progress, errors, response times, resources, "
        "pods and colours. Made from the guard's policy: its bounds are the dashed lines.",
        variables=seen.variables(),
        rows=tuple(row for row in rows if row.panels),
        marks=rollouts.marks(seen),
        links=links(policy),
        hours=1,
    )


def links(policy: Policy) -> tuple[Link, ...]:
    """Those of a whole dashboard."""
    runbook = policy.links.runbook
    return (Link(title="Runbooks", url=runbook),) if runbook else ()


def _is_errors(signal: Signal) -> bool:
    counts = signal.kind in (SignalKind.RATIO, SignalKind.RATE)
    return counts and topic(signal) is not Topic.PODS


def _of(signals: tuple[Signal, ...], kind: SignalKind) -> tuple[Signal, ...]:
    return tuple(signal for signal in signals if signal.kind is kind)


def _about(signals: tuple[Signal, ...], wanted: Topic) -> tuple[Signal, ...]:
    return tuple(signal for signal in signals if topic(signal) is wanted)


def _resources(seen: View, signals: tuple[Signal, ...]) -> tuple[Panel, ...]:
    gauges = (each for each in _of(signals, SignalKind.GAUGE) if topic(each) is not Topic.PODS)
    return shown.by_workload(seen, *gauges)


def _status(seen: View) -> tuple[Panel, ...]:
    desired, available = seen.deployments(REPLICAS), seen.deployments("kube_deployment_status_replicas_available")
    return (
        _count(
            "short of pods",
            "Short of available pods",
            "Deployments that have fewer available pods than they want.",
            f"count({desired} > {available}) or vector(0)",
            lines=SHORT,
        ),
        _count(
            "under guard",
            "Rollouts under guard",
            "Deployments whose new version the guard watches, and may take back.",
            f"count({seen.guard(rollouts.PHASE)} == 1) or vector(0)",
        ),
        rollouts.worst(seen),
        _count(
            "holds",
            "Holds that wait for a person",
            "A rollout is bad, and an interlock forbids the guard to act alone: `kubectl rollguard why` says which.",
            f"count({seen.in_namespace(of_units('rollguard_hold_unanswered'), 'deployment', 'set')} == 1) or vector(0)",
            lines=(Line(bound=1, colour="red"),),
        ),
        _table(seen, desired, available),
    )


def _count(key: str, title: str, description: str, promql: str, *, lines: tuple[Line, ...] = ()) -> Panel:
    return Panel(
        key=key,
        title=title,
        description=description,
        kind=PanelKind.STAT,
        unit="short",
        queries=(Query(promql=promql, legend=title),),
        lines=lines,
        width=6,
        height=4,
    )


def _table(seen: View, desired: str, available: str) -> Panel:
    return Panel(
        key=STATUS.key,
        title="Deployment status",
        description="Pods of each Deployment: wanted, of the newest version, available, and whether the guard watches "
        "a rollout of it.",
        kind=PanelKind.TABLE,
        unit="short",
        queries=(
            Query(promql=desired, legend="Wanted"),
            Query(promql=seen.deployments("kube_deployment_status_replicas_updated"), legend="Updated"),
            Query(promql=available, legend="Available"),
            Query(promql=seen.deployments("kube_deployment_status_replicas_unavailable"), legend="Unavailable"),
            Query(promql=rollouts.guarded(seen), legend="Under guard"),
        ),
        columns=seen.scope.keys("deployment"),
        width=24,
    )


def _progress(seen: View) -> tuple[Panel, ...]:
    desired = seen.deployments(REPLICAS)
    return (
        *(
            _share(seen, key, name, f"kube_deployment_status_replicas_{name}", desired)
            for key, name in ((PROGRESS.key, "updated"), ("rollout available", "available"))
        ),
        rollouts.phases(seen),
        rollouts.verdicts(seen),
        rollouts.states(seen),
    )


def _share(seen: View, key: str, name: str, series: str, desired: str) -> Panel:
    return Panel(
        key=key,
        title=f"Rollout progress: {name} pods",
        description=f"The share of the wanted pods that are {name}.",
        kind=PanelKind.TIME_SERIES,
        unit="percentunit",
        queries=(Query(promql=f"{seen.deployments(series)} / ({desired} > 0)", legend="{{deployment}}"),),
    )


def _autoscalers(seen: View) -> Panel:
    name = "horizontalpodautoscaler"
    now, most = (
        seen.namespaced(f"kube_{name}_{series}", name) for series in ("status_current_replicas", "spec_max_replicas")
    )
    return Panel(
        key=AUTOSCALERS.key,
        title="Autoscalers: replicas of the maximum",
        description="At 100% an autoscaler can add nothing more. All of the namespace.",
        kind=PanelKind.TIME_SERIES,
        unit="percentunit",
        queries=(Query(promql=at_least(f"{now} / {most}", name), legend=f"{{{{{name}}}}}"),),
    )


def _pods(seen: View) -> tuple[Panel, ...]:
    waiting = "kube_pod_container_status_waiting_reason or kube_pod_init_container_status_waiting_reason"
    return (
        Panel(
            key="pods ready",
            title="Pods that are ready",
            description="They pass their readiness probe.",
            kind=PanelKind.TIME_SERIES,
            unit="short",
            queries=(
                Query(promql=seen.pods(only("kube_pod_status_ready", "condition", "true")), legend="{{deployment}}"),
            ),
        ),
        Panel(
            key="pods not running",
            title="Pods that are Pending, Unknown or Failed",
            description="Evicted pods stay Failed until they are deleted.",
            kind=PanelKind.TIME_SERIES,
            unit="short",
            queries=(
                Query(
                    promql=seen.pods(among("kube_pod_status_phase", "phase", NOT_RUNNING), "phase"),
                    legend="{{deployment}} {{phase}}",
                ),
            ),
        ),
        Panel(
            key=WAITING.key,
            title="Containers that cannot start",
            description="By what they wait for: a crash loop, an image that cannot be pulled, a configuration that is "
            "not there.",
            kind=PanelKind.TIME_SERIES,
            unit="short",
            queries=(
                Query(
                    promql=at_least(seen.pods(among(waiting, "reason", CANNOT_START), "reason"), "deployment"),
                    legend="{{deployment}} {{reason}}",
                ),
            ),
        ),
    )


def _colours(seen: View, signals: tuple[Signal, ...]) -> tuple[Panel, ...]:
    requests = shown.requests_by_workload(seen, *_about(signals, Topic.API))
    return (rollouts.live_colours(seen, seen.policy), *requests)
