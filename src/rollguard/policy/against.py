"""A good policy against what there is: names, selectors and labels that match nothing, bounds without an edge."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from rollguard.model.policy import Policy, ReleaseSet, Watch
from rollguard.model.signals import Level, Signal, SignalKind
from rollguard.policy import durations
from rollguard.policy.ground import Ground, Labels, faults, listed
from rollguard.policy.mistakes import Mistakes, nearest
from rollguard.policy.promql import labels_of, metric_of, selectors
from rollguard.policy.yaml_text import Marked, Path, read

_SOURCE = {SignalKind.RATIO: "total", SignalKind.HISTOGRAM: "buckets", SignalKind.RATE: "counter"}
_QUANTILES = {0.5: "p50", 0.9: "p90", 0.95: "p95", 0.99: "p99", 0.999: "p999"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceFound:
    """A watched namespace: its Deployments with their labels; `exists` is None where that could not be asked."""

    name: str
    exists: bool | None
    deployments: tuple[tuple[str, Labels], ...]
    ground: Ground | None = None
    """What its release sets stand on; None where it has none, or where that could not be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFound:
    """What the store has for a signal."""

    signal: str
    anywhere: int
    """Series of its main selector, wherever they are."""
    labels: tuple[str, ...]
    """What these carry."""
    by_watch: tuple[tuple[str, str, int], ...]
    """Pods (or workloads) with a value, by the watch, and the member of its release set (else empty), whose workloads
    were asked for."""
    edges: tuple[float, ...] = ()
    """A histogram's bucket edges."""
    bad_series: int = 0
    """A ratio's: series of its selector of bad requests, wherever they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that there is. `namespace_names` and `metric_names` are only for the nearest name."""

    namespaces: tuple[NamespaceFound, ...]
    series: tuple[SeriesFound, ...]
    namespace_names: tuple[str, ...] = ()
    metric_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Mistakes, and remarks on what is as it may be. Both are in order of place."""

    mistakes: Mistakes
    remarks: Mistakes


@dataclass(slots=True)
class _Notes:
    policy: Policy
    found: Found
    mistakes: Marked
    remarks: Marked
    said: set[str] = field(default_factory=set)

    def place(self, signal: str, *keys: str | int) -> Path:
        """Where a signal's key stands, or the innermost key over it, or the preset that it comes from."""
        path: Path = ("spec", "signals", signal, *keys)
        while len(path) > 2:
            if self.mistakes.has(path):
                return path
            path = path[:-1]
        return ("spec", "preset")


def matching(watch: Watch, namespace: NamespaceFound) -> tuple[str, ...]:
    """The Deployments that a watch names or selects and that are there."""
    if watch.selector:
        return tuple(name for name, labels in namespace.deployments if set(watch.selector) <= set(labels))
    there = {name for name, _labels in namespace.deployments}
    return tuple(name for name in watch.workloads if name in there)


def compare(policy: Policy, text: str, file: str, found: Found) -> Comparison:
    """What of a policy's text matches nothing. `policy` is what the text says."""
    notes = _Notes(policy, found, read(text, file), read(text, file))
    for index, watch in enumerate(policy.watches):
        _watch(notes, watch, ("spec", "watch", index))
    series = {each.signal: each for each in found.series}
    for signal in policy.signals:
        if signal.name in series:
            _signal(notes, signal, series[signal.name])
    return Comparison(mistakes=_sorted(notes.mistakes), remarks=_sorted(notes.remarks))


def _sorted(marked: Marked) -> Mistakes:
    return tuple(sorted(dict.fromkeys(marked.mistakes), key=lambda mistake: (mistake.line, mistake.column)))


def _watch(notes: _Notes, watch: Watch, path: Path) -> None:
    wrong = notes.mistakes.wrong
    namespace = next((each for each in notes.found.namespaces if each.name == watch.namespace), None)
    if namespace is None:
        return
    if namespace.exists is False:
        near = nearest(watch.namespace, notes.found.namespace_names)
        wrong((*path, "namespace"), watch.namespace, "a namespace that exists", near=near)
        return
    names = [name for name, _labels in namespace.deployments]
    there = f"a Deployment of the namespace {watch.namespace} ({listed(names)})"
    sets = [each.name for each in notes.policy.release_sets() if each.namespace == watch.namespace]
    for key, named, others in (("workloads", watch.workloads, []), ("calledBy", watch.called_by, sets)):
        for number, name in enumerate(named):
            if name not in names and name not in others:
                wrong((*path, key, number), name, there, near=nearest(name, names))
    if watch.release_set is not None and namespace.ground is not None:
        _set(notes, watch.release_set, namespace.ground, path)
    if watch.selector and not matching(watch, namespace):
        existing = sorted({f"{key}={value}" for _name, labels in namespace.deployments for key, value in labels})
        text = ",".join(f"{key}={value}" for key, value in watch.selector)
        missing = [pair for pair in text.split(",") if pair not in existing] or [text]
        words = f"labels of a Deployment in the namespace {watch.namespace}"
        wrong((*path, "selector", "matchLabels"), text, words, near=nearest(missing[0], existing))


def _set(notes: _Notes, release_set: ReleaseSet, ground: Ground, path: Path) -> None:
    for fault in faults(release_set, ground):
        place: Path = (*path, "releaseSet", *fault.path)
        if not notes.mistakes.has(place):
            # a Deployment that goes by its member's name
            place = (*path, "releaseSet", *fault.path[:2], "name")
        marked = notes.remarks if fault.passing else notes.mistakes
        marked.wrong(place, fault.offending, fault.expected, near=fault.near)


def _signal(notes: _Notes, signal: Signal, series: SeriesFound) -> None:
    key = _SOURCE.get(signal.kind, "gauge")
    selector = str(getattr(signal, key))
    metric = metric_of(selectors(selector)[0])
    own = notes.mistakes.has(("spec", "signals", signal.name, key))
    marked = notes.mistakes if signal.required or own else notes.remarks
    if not series.anywhere:
        near = nearest(metric, notes.found.metric_names) if metric not in notes.found.metric_names else ""
        words = f"series in the metrics store: {signal.name} has none of {metric or selector}"
        marked.wrong(notes.place(signal.name, key), selector, words, near=near)
        return
    if signal.kind is SignalKind.HISTOGRAM:
        _edges(notes, signal, series)
    if signal.kind is SignalKind.RATIO:
        _bad(notes, signal, series)
    if signal.shared or not _labels(notes, metric, series, marked):
        return
    for watch, member, count in series.by_watch:
        if not count:
            _nothing(notes, signal, (watch, member), metric, marked)


def _labels(notes: _Notes, metric: str, series: SeriesFound, marked: Marked) -> bool:
    """Whether the series carry the labels by which they are attributed."""
    store = notes.policy.metrics
    owner = ("pod", store.pod_label) if store.pod_label else ("workload", store.workload_label)
    complete = True
    for key, label in (("namespace", store.namespace_label), owner):
        if label in series.labels:
            continue
        complete = False
        if label not in notes.said:
            notes.said.add(label)
            words = f"a label that {metric} carries ({listed(series.labels)})"
            instead = ' or "" where no label names the pod' if key == "pod" else ""
            path: Path = ("spec", "metrics", "labels", key)
            marked.wrong(path, label, words + instead, near=nearest(label, series.labels))
    return complete


def _bad(notes: _Notes, signal: Signal, series: SeriesFound) -> None:
    """A selector of bad requests that looks at a label which is not there never matches."""
    metric = metric_of(signal.bad)
    if series.bad_series or not metric:
        return
    place = notes.place(signal.name, "bad")
    if metric == metric_of(signal.total):
        for label in labels_of(signal.bad):
            if label not in series.labels:
                words = f"a label that {metric} carries ({listed(series.labels)}), not `{label}`"
                notes.mistakes.wrong(place, signal.bad, words, near=nearest(label, series.labels))
                return
    words = f"series in the metrics store; it reads as no bad requests until {metric} has some"
    notes.remarks.wrong(place, signal.bad, words)


def _nothing(notes: _Notes, signal: Signal, whose: tuple[str, str], metric: str, marked: Marked) -> None:
    name, member = whose
    index, watch = next((n, watch) for n, watch in enumerate(notes.policy.watches) if watch.name == name)
    path: Path = ("spec", "watch", index, "name")
    if signal.name in watch.signals:
        path = ("spec", "watch", index, "signals", watch.signals.index(signal.name))
    words = "this watch"
    for number, each in enumerate(watch.release_set.members if watch.release_set is not None else ()):
        if each.name == member:
            words, name = f"the member {member}", member
            place: Path = ("spec", "watch", index, "releaseSet", "members", number)
            own = signal.name in each.signals
            path = (*place, "signals", each.signals.index(signal.name)) if own else (*place, "name")
    words = f"series of {metric} for the workloads of {words}: the signal {signal.name} has none in {watch.namespace}"
    # several signals may have nothing at the same place: all are said
    marked.wrong(path, name, words)


def _edges(notes: _Notes, signal: Signal, series: SeriesFound) -> None:
    finite = [edge for edge in series.edges if math.isfinite(edge)]
    for level, path in _levels(notes, signal):
        beyond = [edge for edge in finite if edge >= level.bound or math.isclose(edge, level.bound)]
        there = listed([durations.format_(edge) for edge in finite])
        text = durations.format_(level.bound)
        if not beyond:
            words = f"a bound that an edge of the buckets is not below ({there}): it can never be reached"
            notes.mistakes.wrong(path, text, words)
        elif not math.isclose(beyond[0], level.bound):
            words = f"an edge of the buckets ({there}): it is judged at {durations.format_(beyond[0])}"
            notes.remarks.wrong(path, text, words)


def _levels(notes: _Notes, signal: Signal) -> Iterator[tuple[Level, Path]]:
    count: dict[str, int] = {}
    for level in signal.levels:
        number = count.get(level.name.value, 0)
        count[level.name.value] = number + 1
        key = _QUANTILES.get(level.quantile or 0.0, "")
        listed = notes.place(signal.name, "levels", level.name.value, number, key)
        single = notes.place(signal.name, "levels", level.name.value, key)
        yield level, max(listed, single, key=len)
