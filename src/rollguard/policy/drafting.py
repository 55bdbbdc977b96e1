"""What was found on a cluster -> the text of a first policy, in mode observe, that says what could not be found out."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from rollguard.policy import durations

NOT_FOUND = "http://prometheus.monitoring.svc:9090"
_PLAIN = re.compile(r"[a-z][a-z0-9.-]*[a-z0-9]", re.ASCII)
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_BOUNDS = (("warning", 0.5), ("critical", 2.0), ("rollback", 5.0))
PRESET_COUNTER, PRESET_STATUS = "http_requests_total", "status"
PRESET_BUCKETS = "http_request_duration_seconds_bucket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """How requests are counted and timed. Empty names for what there is not."""

    counter: str
    status_label: str
    buckets: str
    edges: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftedMember:
    """A pair of a release set; `counted` is whether its requests are."""

    name: str
    service: str
    counted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftedSet:
    """A release set, whose Deployments go by its members' names."""

    name: str
    namespace: str
    key: str
    colours: tuple[str, ...]
    members: tuple[DraftedMember, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a first policy is made of."""

    name: str
    address: str
    """Empty where nothing looks like a metrics store."""
    answered: bool
    """Whether the store there answered."""
    labels: tuple[tuple[str, str], ...]
    """The keys of `metrics.labels` that differ from the defaults."""
    scrape_interval: float | None
    requests: Requests | None
    counted: tuple[tuple[str, tuple[str, ...]], ...]
    """The workloads whose requests are counted, by namespace."""
    uncounted: tuple[tuple[str, tuple[str, ...]], ...]
    """The others."""
    sets: tuple[DraftedSet, ...]
    """Release sets; their workloads are in neither of the two."""
    signals: tuple[str, ...]
    """Of the preset's other signals those that have series or need none."""
    every: bool
    """Whether these and the requests' are all that the preset has."""
    remarks: tuple[str, ...]
    """What could not be found out, and what to do."""


def drafted(draft: Draft) -> str:
    """The policy's text. It is one that loads."""
    lines = [
        "# Written by `rollguard init` from what it found. In mode observe it only says what it would have done.",
        *(f"# ! {remark}" for remark in draft.remarks),
        "apiVersion: rollguard.dev/v1alpha1",
        "kind: GuardPolicy",
        "metadata:",
        f"  name: {_text(draft.name)}",
        "spec:",
        "  preset: generic",
        "  mode: observe # then approve (a human confirms), then automatic",
        "  metrics:",
        *_metrics(draft),
        "  watch:",
        *_watches(draft),
        *_signals(draft.requests),
    ]
    return "\n".join(lines) + "\n"


def _metrics(draft: Draft) -> list[str]:
    if not draft.address:
        return [f"    address: {NOT_FOUND} # no store was found: put the address of yours here"]
    if not draft.answered:
        return [f"    address: {draft.address} # it did not answer when this was written"]
    interval = draft.scrape_interval
    lines = [f"    address: {draft.address}"]
    if interval is not None and interval != 15.0:
        lines.append(f"    scrapeInterval: {durations.format_(interval)} # as measured")
    if draft.labels:
        found = ", ".join(f"{key}: {_text(label)}" for key, label in draft.labels)
        lines.append(f"    labels: {{{found}}} # as the series carry them")
    return lines


def _watches(draft: Draft) -> list[str]:
    lines: list[str] = []
    used = "" if draft.every else ", ".join((*_of_requests(draft.requests), *draft.signals))
    for each in draft.sets:
        lines += _set(draft, each, used)
    for namespace, names in draft.counted:
        lines += _watch(namespace, namespace, names, used)
    taken = {namespace for namespace, _names in draft.counted}
    for namespace, names in draft.uncounted:
        name = f"{namespace}-others" if namespace in taken else namespace
        lines += _watch(name, namespace, names, ", ".join(draft.signals))
        if draft.answered:
            lines[-1] += " # no requests of these are counted"
    return lines


def _watch(name: str, namespace: str, names: tuple[str, ...], signals: str) -> list[str]:
    lines = [
        f"    - name: {_text(name)}",
        f"      namespace: {_text(namespace)}",
        f"      workloads: [{', '.join(map(_text, names))}]",
    ]
    return [*lines, f"      signals: [{signals}]"] if signals else lines


def _set(draft: Draft, drafted: DraftedSet, used: str) -> list[str]:
    """The signals of those that are counted are the watch's."""
    counted = any(member.counted for member in drafted.members)
    own = ", ".join(draft.signals)
    lines = [
        f"    - name: {_text(drafted.name)}",
        f"      namespace: {_text(drafted.namespace)}",
        "      releaseSet: # what is switched together; take out what is not",
        f"        selectorKey: {_text(drafted.key)}",
        f"        colours: [{', '.join(map(_text, drafted.colours))}]",
        "        members:",
    ]
    for member in drafted.members:
        service = f", service: {_text(member.service)}" if member.service else ""
        signals = f", signals: [{own}]" if counted and not member.counted else ""
        lines.append(f"          - {{name: {_text(member.name)}{service}{signals}}}")
        if not member.service:
            lines[-1] += " # no Service chooses between its colours"
    signals = used if counted else own
    return [*lines, f"      signals: [{signals}]"] if signals else lines


def _of_requests(requests: Requests | None) -> tuple[str, ...]:
    if requests is None:
        return ()
    return (*(("errors",) if requests.status_label else ()), *(("latency",) if requests.buckets else ()))


def _signals(requests: Requests | None) -> list[str]:
    """The keys of the preset that do not fit what there is."""
    lines: list[str] = []
    if requests is None:
        return lines
    if requests.status_label and (requests.counter, requests.status_label) != (PRESET_COUNTER, PRESET_STATUS):
        lines += [
            "    errors:",
            f'      bad: {requests.counter}{{{requests.status_label}=~"5.."}}',
            f"      total: {requests.counter}",
        ]
    if requests.buckets:
        latency = [] if requests.buckets == PRESET_BUCKETS else [f"      buckets: {requests.buckets}"]
        latency += _levels(requests.edges)
        lines += ["    latency:", *latency] if latency else []
    return ["  signals:", *lines] if lines else []


def _levels(edges: tuple[float, ...]) -> list[str]:
    """The preset's bounds at edges that the buckets have, where these have not all of them."""
    finite = sorted(edge for edge in edges if math.isfinite(edge))
    if not finite or all(any(math.isclose(edge, bound) for edge in finite) for _name, bound in _BOUNDS):
        return []
    found = ((name, next((edge for edge in finite if edge >= bound), finite[-1])) for name, bound in _BOUNDS)
    levels = ", ".join(f"{name}: {{p95: {durations.format_(edge)}}}" for name, edge in found)
    return [f"      levels: {{{levels}}} # at the edges that the buckets have"]


def _text(name: str) -> str:
    """The name as it must be written."""
    return name if _PLAIN.fullmatch(name) and name not in _WORDS else f'"{name}"'
