"""How a store counts the requests of some workloads: which counter, which labels, which histogram."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from rollguard.adapters.prometheus import MetricsInspector
from rollguard.adapters.prometheus.soundings import main_selector
from rollguard.model.signals import Signal, SignalKind
from rollguard.policy.drafting import Requests
from rollguard.policy.promql import metric_of, selectors

NAMESPACE_LABELS = ("namespace", "exported_namespace", "kubernetes_namespace", "k8s_namespace_name")
POD_LABELS = ("pod", "exported_pod", "kubernetes_pod_name", "k8s_pod_name", "pod_name")
WORKLOAD_LABELS = ("deployment", "app", "app_kubernetes_io_name", "service", "workload", "container", "job")
STATUS_LABELS = ("status", "code", "status_code", "http_status", "http_status_code", "http_response_status_code")
COUNTERS = (
    "http_requests_total",
    "http_server_requests_seconds_count",
    "http_server_request_duration_seconds_count",
    "http_request_duration_seconds_count",
    "flask_http_request_total",
)
HISTOGRAMS = (
    "http_request_duration_seconds_bucket",
    "http_server_requests_seconds_bucket",
    "http_server_request_duration_seconds_bucket",
)
OTHER_COUNTER = re.compile(r".*requests?(_.*)?_(total|count)")
OTHER_HISTOGRAM = re.compile(r".*(request|http).*seconds_bucket")
TRIED = 8
Workload = tuple[str, str]


@dataclass(slots=True, kw_only=True)
class Measured:
    """What the store has of the workloads."""

    labels: dict[str, str] = field(default_factory=dict)
    """The keys of `metrics.labels`."""
    requests: Requests | None = None
    counted: frozenset[Workload] = frozenset()
    present: tuple[str, ...] = ()
    """The other signals that have series."""
    interval: float | None = None


@dataclass(slots=True)
class _Counter:
    name: str
    status: str
    labels: dict[str, str]
    counted: frozenset[Workload]


async def measured(
    inspector: MetricsInspector, workloads: tuple[Workload, ...], others: tuple[Signal, ...]
) -> Measured:
    """Looks for the counter, the histogram and the other signals. Raises StoreProblem where it is not answered."""
    names = await inspector.metric_names()
    counter = await _counter(inspector, names, workloads)
    labels = counter.labels if counter else {"namespace": "namespace", "pod": "pod"}
    buckets = await _histogram(inspector, names, labels) if counter else ""
    edges = await inspector.bucket_edges(buckets) if buckets else ()
    return Measured(
        labels=labels,
        requests=Requests(counter=counter.name, status_label=counter.status, buckets=buckets, edges=edges)
        if counter
        else None,
        counted=counter.counted if counter else frozenset(),
        present=tuple([signal.name for signal in others if await _has(inspector, signal, names, labels)]),
        interval=await inspector.scrape_interval(counter.name) if counter else None,
    )


async def _counter(
    inspector: MetricsInspector, names: tuple[str, ...], workloads: tuple[Workload, ...]
) -> _Counter | None:
    """The counter of requests that carries a status and covers most of the workloads; one without where none does."""
    found: list[_Counter] = []
    for name in _ordered(names, COUNTERS, OTHER_COUNTER):
        carried = await inspector.label_names(name)
        namespace = await _matching(inspector, name, NAMESPACE_LABELS, carried, {where for where, _ in workloads})
        if not namespace:
            continue
        labels = {"namespace": namespace}
        pod = next((label for label in POD_LABELS if label in carried), "")
        owner = pod or await _matching(inspector, name, WORKLOAD_LABELS, carried, {what for _, what in workloads})
        if not owner:
            continue
        labels |= {"pod": pod} if pod else {"pod": "", "workload": owner}
        samples = await inspector.query(f"group by ({namespace}, {owner}) ({name})")
        series = {(dict(one.labels).get(namespace, ""), dict(one.labels).get(owner, "")) for one in samples}
        counted = frozenset(one for one in workloads if any(_is_of(one, each, bool(pod)) for each in series))
        status = next((label for label in STATUS_LABELS if label in carried), "")
        if counted:
            found.append(_Counter(name, status, labels, counted))
    return max(found, key=lambda one: (bool(one.status), len(one.counted)), default=None)


def _is_of(workload: Workload, series: Workload, by_pod: bool) -> bool:
    if workload[0] != series[0]:
        return False
    # a Deployment's pod: its name, the template's hash, five characters
    return (
        bool(re.fullmatch(re.escape(workload[1]) + "-[a-z0-9]+-[a-z0-9]+", series[1]))
        if by_pod
        else (workload[1] == series[1])
    )


async def _matching(
    inspector: MetricsInspector, name: str, labels: Iterable[str], carried: tuple[str, ...], wanted: set[str]
) -> str:
    for label in labels:
        if label in carried and wanted & set(await inspector.label_values(name, label)):
            return label
    return ""


async def _histogram(inspector: MetricsInspector, names: tuple[str, ...], labels: dict[str, str]) -> str:
    needed = {label for label in labels.values() if label}
    for name in _ordered(names, HISTOGRAMS, OTHER_HISTOGRAM):
        if needed <= set(await inspector.label_names(name)):
            return name
    return ""


async def _has(inspector: MetricsInspector, signal: Signal, names: tuple[str, ...], labels: dict[str, str]) -> bool:
    """Whether the signal has series that carry the labels."""
    selector = main_selector(signal)
    if metric_of(selector) not in names:
        return False
    if signal.kind is SignalKind.GAUGE and signal.limit and metric_of(selectors(signal.limit)[0]) not in names:
        return False
    return {label for label in labels.values() if label} <= set(await inspector.label_names(selector))


def _ordered(names: tuple[str, ...], known: tuple[str, ...], other: re.Pattern[str]) -> list[str]:
    first = [name for name in known if name in names]
    return [*first, *(name for name in names if other.fullmatch(name) and name not in known)][:TRIED]
