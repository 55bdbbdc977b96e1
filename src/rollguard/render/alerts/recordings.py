"""Recording rules: whose a pod is, whether a rollout is recent, and each signal as the alerts look at it."""

from __future__ import annotations

from collections.abc import Iterator

from rollguard import signals
from rollguard.model.policy import Policy
from rollguard.model.signals import Level, Signal, SignalAlert, SignalKind
from rollguard.policy.durations import format_
from rollguard.policy.promql import Matcher, metric_of
from rollguard.render.alerts.alert import Recording
from rollguard.render.alerts.cluster import RECENT, TARGETS, deployments, told
from rollguard.signals import DEPLOYMENT, OWNER, POD, Scope, Span

REPLICA_SET = "replicaset"
OWNER_NAME = "owner_name"
READY = "kube_pod_status_ready"
PHASE = "kube_pod_status_phase"
ENDED = Matcher("phase", "=~", "Failed|Succeeded")
WAITING = Matcher("phase", "=~", "Pending|Unknown")
EVICTED = Matcher("reason", "=~", "Evicted|NodeAffinity|NodeLost|Shutdown|UnexpectedAdmissionError")


def recordings(policy: Policy) -> tuple[Recording, ...]:
    """All recording rules of a policy, each before those that look at it."""
    scope = signals.scope(policy)
    return (
        Recording(record=OWNER, expr=_owner(scope)),
        Recording(record=RECENT, expr=_recent(scope, format_(policy.timing.automatic))),
        Recording(record=TARGETS, expr=scope.by_workload("count", "up")),
        *_unique(each for signal in policy.signals for each in _of_signal(signal, scope)),
    )


def value_name(signal: Signal, alert: SignalAlert, level: Level) -> str:
    """The recorded series of what is compared with a level's bound."""
    over = format_(alert.over)
    tail = {
        SignalKind.RATIO: f"ratio_rate{over}",
        SignalKind.HISTOGRAM: f"p{f'{(level.quantile or 0) * 100:g}'.replace('.', '')}_rate{over}",
        SignalKind.RATE: f"per_minute_rate{over}",
        SignalKind.GAUGE: "share_max" if signal.limit else "max",
    }[signal.kind]
    level_ = "pod" if alert.by_pod else "namespace" if alert.whole else ""
    return _name(level_, signal, tail)


def requests_name(signal: Signal, over: float, *, whole: bool = False) -> str:
    """The recorded series of how many requests there were, of a workload or of all together."""
    return _name("namespace" if whole else "", signal, f"requests_increase{format_(over)}")


def counts_requests(signal: Signal) -> bool:
    """Whether there is such a series."""
    return signal.kind in (SignalKind.RATIO, SignalKind.HISTOGRAM)


def presence_over(signal: Signal) -> float:
    """Seconds over which it is looked whether a signal has series and traffic: those of its first alert."""
    return next((alert.over for alert in by_workload(signal)), 0.0)


def by_workload(signal: Signal) -> tuple[SignalAlert, ...]:
    """The signal's alerts on each workload by itself."""
    return tuple(alert for alert in signal.alerts if not alert.whole)


def _name(level: str, signal: Signal, tail: str) -> str:
    return f"{level or ('namespace' if signal.shared else 'deployment')}:{signal.name.replace('-', '_')}:{tail}"


def _of_signal(signal: Signal, scope: Scope) -> Iterator[Recording]:
    for alert in signal.alerts if signal.kind is not SignalKind.EVENT else ():
        for level in (each for each in signal.levels if each.name is alert.level):
            span = Span.of(alert, quantile=level.quantile)
            measure = signals.measured(signal, scope, span)
            unseen = f" or {_waiting(scope)}" if alert.by_pod and metric_of(signal.gauge) == READY else ""
            yield Recording(record=value_name(signal, alert, level), expr=f"{measure.value}{unseen}")
            if measure.requests:
                yield Recording(record=requests_name(signal, alert.over, whole=alert.whole), expr=measure.requests)


def _unique(found: Iterator[Recording]) -> tuple[Recording, ...]:
    return tuple({each.record: each for each in found}.values())


def _waiting(scope: Scope) -> str:
    """Pods that wait to run: of one that was never scheduled kube-state-metrics has no readiness."""
    waits = scope.by("max", scope.select(PHASE, WAITING), POD)
    return f"max by ({', '.join(scope.own(POD))}) ({scope.owned(f'({waits} == 1)')})"


def _owner(scope: Scope) -> str:
    """Each pod's Deployment, by the owner of its owner. A pod that has ended, or was evicted, is nobody's any more: its
    object may stay for days, and its ReplicaSet has replaced it."""
    controlled = Matcher("owner_kind", "=", "ReplicaSet")
    own = scope.by("max", scope.select("kube_pod_owner", controlled), POD, OWNER_NAME)
    named = f'label_replace({own}, "{REPLICA_SET}", "$1", "{OWNER_NAME}", "(.+)")'
    deployment = f"{named} * {scope.on(REPLICA_SET)} group_left ({DEPLOYMENT}) {_of_replica_set(scope)}"
    gone = (scope.select("kube_pod_status_reason", EVICTED), scope.select(PHASE, ENDED))
    left = " or ".join(f"({scope.by('max', each, POD)} == 1)" for each in gone)
    keys = ", ".join(scope.keys(POD, DEPLOYMENT))
    return f"max by ({keys}) ({deployment}) unless {scope.on(POD)} ({left})"


def _of_replica_set(scope: Scope) -> str:
    """The Deployment of each ReplicaSet."""
    owner = scope.select("kube_replicaset_owner", Matcher("owner_kind", "=", "Deployment"))
    owners = scope.by("max", owner, REPLICA_SET, OWNER_NAME)
    return (
        f"max by ({', '.join(scope.keys(REPLICA_SET, DEPLOYMENT))}) "
        f'(label_replace({owners}, "{DEPLOYMENT}", "$1", "{OWNER_NAME}", "(.+)"))'
    )


def _recent(scope: Scope, within: str) -> str:
    """A ReplicaSet with replicas now and none that long ago, or a rollout that the guard says is under way: the first
    misses a switched selector and an undo to a ReplicaSet that was there. Where nothing is known of that time, nothing
    is called recent."""
    series = scope.select("kube_replicaset_status_replicas")
    now, before = (scope.by("max", each, REPLICA_SET) for each in (series, f"{series} offset {within}"))
    fresh = f"({now} > 0) unless {scope.on(REPLICA_SET)} ({before} > 0)"
    brought = f"({fresh} and {scope.on()} ({scope.by('count', f'{series} offset {within}')}))"
    joined = f"{brought} * {scope.on(REPLICA_SET)} group_left ({DEPLOYMENT}) {_of_replica_set(scope)}"
    rolled = f"(max by ({', '.join(scope.own())}) ({joined}) > bool 0)"
    guarded = f"({told(scope, 'rollguard_rollout_active')})"
    return f"{rolled} or {guarded} or 0 * {deployments(scope, 'spec_replicas')}"
