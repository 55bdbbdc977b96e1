"""What happens to the platform, as raw series, and which alerts that sets off: each fault its own and no other.

Series are scraped four times a minute. Everything is well until minute 40; 25 minutes later it is looked at, while a
rollout that began then is still recent. kube-state-metrics' series come from two of its pods; one pod's requests carry
the Deployment's name, the other's do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LOOK = 65
"""In minutes."""
A_MINUTE = 4
BEGIN, LENGTH = 40 * A_MINUTE, (LOOK + 2) * A_MINUTE
"""In scrapes."""
NAMESPACE = "production"
HOME = "monitoring"
"""The guard's own namespace."""
NAME = "translation"
EDGES = (0.1, 0.5, 1, 2, 5, 10)
EXPORTERS = ("10.0.0.1:8080", "10.0.0.2:8080")

Play = dict[str, str]
"""Values by series, as promtool plays them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A story, with the alerts that fire in it as `Name severity`."""

    name: str
    fires: frozenset[str]
    series: Play


def constant(value: float) -> str:
    return f"{value:g}+0x{LENGTH}"


def turns(before: float, after: float) -> str:
    """A gauge that changes when it begins."""
    return f"{before:g}+0x{BEGIN - 1} {after:g}+0x{LENGTH - BEGIN}"


def grows(before: float, after: float) -> str:
    """A counter that grows by so much a minute, and by another rate since it begins."""
    slow, fast = before / A_MINUTE, after / A_MINUTE
    reached = slow * (BEGIN - 1)
    return f"0+{slow:g}x{BEGIN - 1} {reached + fast:g}+{fast:g}x{LENGTH - BEGIN}"


def comes(value: float) -> str:
    """A series that appears when it begins."""
    return f"_x{BEGIN} {value:g}+0x{LENGTH - BEGIN}"


def series(metric: str, **labels: str) -> str:
    given = {"namespace": NAMESPACE, **labels}
    return metric + "{" + ",".join(f'{key}="{value}"' for key, value in given.items()) + "}"


def leading(namespace: str) -> str:
    """What a guard in that namespace says of itself."""
    return f'rollguard_leading{{namespace="{namespace}",pod="monitoring-1"}}'


def both(play: Play) -> Play:
    """With kube-state-metrics' series from two of its pods."""
    found: Play = {}
    for name, values in play.items():
        if name.startswith("kube_"):
            found |= {f'{name[:-1]},instance="{each}",job="kube-state-metrics"}}': values for each in EXPORTERS}
        else:
            found[name] = values
    return found


def pod(name: str, owner: str) -> Play:
    return {
        series("kube_pod_owner", pod=name, owner_kind="ReplicaSet", owner_name=owner): constant(1),
        series("kube_pod_status_ready", pod=name, condition="true"): constant(1),
        series("kube_pod_status_ready", pod=name, condition="false"): constant(0),
        series("kube_pod_container_status_restarts_total", pod=name, container="app"): constant(0),
        series("container_memory_usage_bytes", pod=name, container="app"): constant(500),
        series("container_spec_memory_limit_bytes", pod=name, container="app"): constant(1000),
        series("container_cpu_usage_seconds_total", pod=name, container="app"): grows(18, 18),
        series("container_spec_cpu_quota", pod=name, container="app"): constant(100000),
        series("container_spec_cpu_period", pod=name, container="app"): constant(100000),
        series("database_connection_errors_total", pod=name): constant(0),
        series("up", pod=name, job="pods"): constant(1),
    }


def requests(name: str, *, good: str, bad: str, slow_from: float = 0.1, rate: float = 60, labelled: str = "") -> Play:
    """Requests of a pod, of which all since the beginning take a little less than an edge."""
    extra = {"deployment": labelled} if labelled else {}
    found = {
        series("http_requests_total", pod=name, status="200", **extra): good,
        series("http_requests_total", pod=name, status="500", **extra): bad,
    }
    for edge in (*EDGES, float("inf")):
        le = "+Inf" if edge == float("inf") else f"{edge:g}"
        counted = grows(60, rate if edge >= slow_from else 0)
        found[series("http_request_duration_seconds_bucket", pod=name, le=le, **extra)] = counted
    return found


def deployment(name: str = NAME, replicas: float = 2) -> Play:
    owner = f"{name}-abc"
    numbers = ("spec_replicas", "status_replicas", "status_replicas_available", "status_replicas_updated")
    conditions = {"condition": "Progressing", "status": "true", "reason": "NewReplicaSetAvailable"}
    failing = {"condition": "Progressing", "status": "false", "reason": "ProgressDeadlineExceeded"}
    return {
        **{series(f"kube_deployment_{each}", deployment=name): constant(replicas) for each in numbers},
        series("kube_deployment_spec_paused", deployment=name): constant(0),
        series("kube_deployment_status_condition", deployment=name, **conditions): constant(1),
        series("kube_deployment_status_condition", deployment=name, **failing): constant(0),
        series("kube_replicaset_owner", replicaset=owner, owner_kind="Deployment", owner_name=name): constant(1),
        series("kube_replicaset_status_replicas", replicaset=owner): constant(replicas),
    }


def autoscaler() -> Play:
    name = {"horizontalpodautoscaler": NAME}
    target = {"scaletargetref_kind": "Deployment", "scaletargetref_name": NAME}
    found = {
        series("kube_horizontalpodautoscaler_info", **name, **target): constant(1),
        series("kube_horizontalpodautoscaler_spec_max_replicas", **name): constant(2),
        series("kube_horizontalpodautoscaler_status_desired_replicas", **name): constant(2),
    }
    for condition, status in (("ScalingLimited", "true"), ("AbleToScale", "false"), ("ScalingActive", "false")):
        found[condition_of(condition, status)] = constant(0)
    return found


def condition_of(condition: str, status: str) -> str:
    metric = "kube_horizontalpodautoscaler_status_condition"
    return series(metric, horizontalpodautoscaler=NAME, condition=condition, status=status)


def calm() -> Play:
    """Everything is well."""
    return {
        **deployment(),
        **autoscaler(),
        **pod("translation-abc-1", "translation-abc"),
        **pod("translation-abc-2", "translation-abc"),
        **traffic(),
        'pg_stat_database_numbackends{datname="dubbing_prod"}': constant(20),
        "pg_settings_max_connections": constant(100),
        series("queue_depth", pod="workers-1", queue="dub"): constant(10),
        leading(HOME): constant(1),
        leading("another-guard"): constant(1),
    }


def traffic(*, share: float = 0.0, slow_from: float = 0.1, rate: float = 60) -> Play:
    """Of both pods: a share of errors, and a time, since the beginning."""
    good, bad = grows(60, rate * (1 - share)), grows(0, rate * share)
    return {
        **requests("translation-abc-1", good=good, bad=bad, slow_from=slow_from, rate=rate),
        **requests("translation-abc-2", good=good, bad=bad, slow_from=slow_from, rate=rate, labelled=NAME),
    }


def rollout() -> Play:
    """All pods are of a new ReplicaSet at once, under the old pods' names: what happens to them is the same."""
    owner = {"owner_kind": "Deployment", "owner_name": NAME}
    return {
        series("kube_replicaset_owner", replicaset="translation-def", **owner): comes(1),
        series("kube_replicaset_status_replicas", replicaset="translation-def"): turns(0, 2),
        series("kube_replicaset_status_replicas", replicaset="translation-abc"): turns(2, 0),
    }


def stuck() -> Play:
    """A rollout whose first new pod does not become ready: the old pods stay."""
    moving = {"condition": "Progressing", "status": "true", "reason": "ReplicaSetUpdated"}
    complete = {**moving, "reason": "NewReplicaSetAvailable"}
    name = "translation-def-1"
    return {
        **rollout(),
        series("kube_replicaset_status_replicas", replicaset="translation-def"): turns(0, 1),
        series("kube_replicaset_status_replicas", replicaset="translation-abc"): constant(2),
        series("kube_deployment_status_replicas", deployment=NAME): turns(2, 3),
        series("kube_deployment_status_replicas_updated", deployment=NAME): turns(2, 1),
        series("kube_deployment_status_condition", deployment=NAME, **complete): turns(1, 0),
        series("kube_deployment_status_condition", deployment=NAME, **moving): turns(0, 1),
        series("kube_pod_owner", pod=name, owner_kind="ReplicaSet", owner_name="translation-def"): comes(1),
        series("kube_pod_status_ready", pod=name, condition="false"): comes(1),
        series("kube_pod_status_ready", pod=name, condition="true"): comes(0),
    }


def waits(reason: str) -> Play:
    labels = {"pod": "translation-def-1", "container": "app", "reason": reason}
    return {series("kube_pod_container_status_waiting_reason", **labels): comes(1)}


def colours() -> Play:
    """A switch from blue to green half an hour ago: blue stays, without traffic."""
    found: Play = {}
    for colour, values in (("blue", grows(60, 0)), ("green", grows(0, 60))):
        name = f"backend-{colour}"
        found |= deployment(name) | pod(f"{name}-abc-1", f"{name}-abc")
        found |= requests(f"{name}-abc-1", good=values, bad=constant(0), labelled=name)
        found |= {key: values for key in found if f"{name}-abc-1" in key and "_bucket" in key}
    return found


def native() -> Play:
    """The pods' durations as native histograms alone: since the beginning between 4 s and 8 s."""
    slow = "{{schema:0 sum:90 count:15 offset:3 buckets:[15]}}"
    name = series("http_request_duration_seconds", pod="translation-abc-1")
    return {name: f"{{{{schema:0 count:0}}}}+{slow}x{LENGTH}"}


def story(name: str, fires: Iterable[str], *changes: Play) -> Scenario:
    play = calm()
    for change in changes:
        play |= change
    return Scenario(name=name, fires=frozenset(fires), series=both(play))
