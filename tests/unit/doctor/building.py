"""A cluster on which nothing is wrong, and how tests spoil it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rollguard.doctor.facts import (
    Autoscaler,
    Channel,
    Facts,
    GuardSeen,
    Installed,
    LeaseSeen,
    NamespaceSeen,
    Place,
    Presence,
    Replicas,
    RightAnswer,
    Rights,
    SecretFile,
    Series,
    ServerVersion,
    SignalSeen,
    StoreSeen,
    WorkloadSeen,
)
from rollguard.model.facts import UnitFacts
from rollguard.model.metrics import MetricsAnswer, Reading, Snapshot
from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.permissions import Permission, Scope
from rollguard.model.policy import Policy
from rollguard.model.records import EVERYTHING, GoodRevision, UnitRecord
from rollguard.model.time import Instant, Slot
from rollguard.policy import load
from tests.unit.observe.building import NAME, OLD, pod, revision, workload

NOW = Instant(2_000_000.0)
SLOT = Slot(NOW.plus(-300.0), NOW)
UNIT = UnitName.of_workload(NAME)
PODS = ("translation-old111-a", "translation-old111-b")
EDGES = ("0.5", "2", "5", "10", "+Inf")
TEXT = """\
apiVersion: rollguard.dev/v1alpha1
kind: GuardPolicy
metadata: {name: small}
spec:
  metrics: {address: "http://prometheus.example.com:9090"}
  watch:
    - {name: models, namespace: production, workloads: [translation]}
  signals:
    errors:
      kind: ratio
      bad: http_requests_total{status=~"5.."}
      total: http_requests_total
      required: true
      minimumTraffic: 20
      levels: {rollback: {above: 10%, for: 5m}}
    latency:
      kind: histogram
      buckets: http_request_duration_seconds_bucket
      required: true
      minimumTraffic: 20
      levels: {warning: {p95: 500ms, for: 5m}, rollback: {p95: 5s, for: 5m}}
    memory:
      kind: gauge
      gauge: container_memory_working_set_bytes
      required: false
      levels: {warning: {above: 70, for: 5m}}
  notify:
    webhooks: [{name: hook, url: "https://hooks.example.com/x"}]
    secrets: [slack-webhook-url, pagerduty-routing-key]
"""


def policy(text: str = TEXT) -> Policy:
    loaded = load(text, "policy.yaml")
    assert isinstance(loaded, Policy), loaded
    return loaded


def unit_facts() -> UnitFacts:
    owner = workload(revision(OLD, 1, replicas=2), target=OLD)
    return UnitFacts(
        unit=UNIT,
        as_of=NOW,
        complete=True,
        missing=(),
        members=(owner,),
        pods=tuple(pod(name, OLD) for name in PODS),
        events=(),
    )


def seen(**changes: Any) -> WorkloadSeen:
    found = WorkloadSeen(workload=unit_facts().members[0], history_limit=10, unprobed=())
    return replace(found, **changes)


def reading(values: Mapping[tuple[str, str], float], pod_name: str, at: Instant) -> Reading:
    return Reading(
        namespace="production",
        pod=pod_name,
        workload="",
        values=tuple((part, class_, value) for (part, class_), value in values.items()),
        newest=at,
        resets=0,
    )


def ratio(total: float, bad: float) -> dict[tuple[str, str], float]:
    return {("total", ""): total, ("bad", ""): bad}


def histogram(*counts: float, edges: tuple[str, ...] = EDGES) -> dict[tuple[str, str], float]:
    return {("bucket", edge): count for edge, count in zip(edges, counts, strict=True)}


def answered(
    signal: str, first: Mapping[tuple[str, str], float], second: Mapping[tuple[str, str], float]
) -> SignalSeen:
    """Both pods say the same at each end of the slot."""

    def end(values: Mapping[tuple[str, str], float], at: Instant) -> MetricsAnswer:
        return Snapshot(signal=signal, at=at, readings=tuple(reading(values, name, at) for name in PODS))

    return SignalSeen(
        signal=signal,
        slot=SLOT,
        earlier=end(first, SLOT.start),
        later=end(second, SLOT.end),
        series=Series(
            selector=f"{signal}_series",
            anywhere=8,
            by_namespace=(("production", 8),),
            with_pod=(("production", 8),),
        ),
    )


SIGNALS = (
    answered("errors", ratio(1000, 1), ratio(1600, 4)),
    answered("latency", histogram(10, 10, 10, 10, 10), histogram(590, 600, 604, 610, 610)),
    answered("memory", {("value", ""): 40.0}, {("value", ""): 42.0}),
)
GOOD = GoodRevision(
    hash=OLD, number=1, digest="digest-old111", bare_digest="bare-old111", images=(), since=NOW.plus(-9000.0)
)
RIGHTS = (
    Permission(group="apps", resource="deployments", verb="patch", scope=Scope.WATCHED, why="to put an old one back"),
    Permission(group="", resource="pods/log", verb="get", scope=Scope.WATCHED, why="evidence"),
)


def namespace(**changes: Any) -> NamespaceSeen:
    found = NamespaceSeen(
        name="production",
        exists=True,
        workloads=(seen(),),
        autoscalers=(Autoscaler(name="translation", target=NAME, minimum=2, inactive=""),),
        units=(unit_facts(),),
    )
    return replace(found, **changes)


def store(**changes: Any) -> StoreSeen:
    found = StoreSeen(problem="", inside=False, interval=15.0, offset=0.3, signals=SIGNALS)
    return replace(found, **changes)


def everything(**changes: Any) -> UnitRecord:
    """What the guard says where the Secret has no keys of PagerDuty's REST API, which the policy does not name."""
    name = UnitName("monitoring", EVERYTHING)
    channels = (
        ("slack-incidents", ""),
        ("pagerduty", "`pagerduty-api-key` in the Secret"),
        ("pagerduty-events", ""),
        ("email", "`notify.email` in the policy"),
        ("hook", ""),
    )
    workload = WorkloadName("monitoring", WorkloadKind.DEPLOYMENT, EVERYTHING)
    return replace(UnitRecord(name=name, workload=workload, channels=channels, journal_reached=True), **changes)


def facts(**changes: Any) -> Facts:
    """Facts of a sound cluster, but for the changes."""
    sound = Facts(
        now=NOW,
        place=Place.GUARD,
        policy=policy(),
        version=ServerVersion(major=1, minor=36, text="v1.36.0"),
        installed=tuple(
            Installed(kind=kind, name=name, presence=Presence.SAME)
            for kind, name in (
                ("CustomResourceDefinition", "guardedunits.rollguard.dev"),
                ("CustomResourceDefinition", "guardedrollouts.rollguard.dev"),
                ("ValidatingAdmissionPolicy", "rollguard-actor"),
                ("ValidatingAdmissionPolicyBinding", "rollguard-actor"),
            )
        ),
        enforced=True,
        rights=Rights(
            who="ServiceAccount monitoring/rollguard",
            account=True,
            answers=tuple(RightAnswer(permission=each, namespace="production", allowed=True) for each in RIGHTS),
        ),
        guard=GuardSeen(
            namespace="monitoring",
            lease=LeaseSeen(holder="monitoring-1_ab", renewed=NOW.plus(-1.0)),
            deployment=Replicas(name="monitoring", wanted=2, ready=2),
        ),
        server_offset=-0.2,
        namespaces=(namespace(),),
        units=(UnitRecord(name=UNIT, workload=NAME, adopted=GOOD),),
        store=store(),
        files=(SecretFile(path="/secrets/token", purpose="the store's token", problem=""),),
        channels=(Channel(name="hook", host="hooks.example.com", problem=""),),
        everything=everything(),
    )
    return replace(sound, **changes)
