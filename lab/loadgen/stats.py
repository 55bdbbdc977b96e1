"""What the requests of one target came to, in all and by pod."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from lab.http_client import Outcome

_LATENCIES_KEPT = 5000


@dataclass(slots=True)
class PodCounts:
    """One pod's share. `first` and `last`: when a request was sent to it, in seconds since the epoch."""

    name: str = ""
    requests: int = 0
    errors: int = 0
    failures: int = 0
    resets: int = 0
    streams: int = 0
    cut: int = 0
    first: float = 0.0
    last: float = 0.0

    def reached(self, at: float) -> None:
        """A request, or a stream, was sent to it."""
        self.first = self.first or at
        self.last = at

    def document(self) -> dict[str, Any]:
        """As `GET /stats` gives it."""
        return {
            "name": self.name,
            "requests": self.requests,
            "errors": self.errors,
            "failures": self.failures,
            "resets": self.resets,
            "streams": self.streams,
            "cut": self.cut,
            "first": self.first,
            "last": self.last,
        }


@dataclass(slots=True)
class Stats:
    """What the requests of one target came to. `dropped` were never sent: too many were under way.

    Streams are counted by themselves: `streams` have ended, of which `cut` were broken off by the other side.
    """

    requests: int = 0
    errors: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    dropped: int = 0
    no_endpoints: int = 0
    streams: int = 0
    cut: int = 0
    pods: dict[str, PodCounts] = field(default_factory=dict)
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES_KEPT))

    def pod(self, ip: str, name: str) -> PodCounts:
        """The counts of the pod with that address."""
        pod = self.pods.setdefault(ip, PodCounts())
        pod.name = name
        return pod

    def count(self, pod: PodCounts, outcome: Outcome, seconds: float) -> None:
        """One request that was answered after so many seconds, or failed."""
        self.requests += 1
        pod.requests += 1
        if outcome.failure is not None:
            self.failures[outcome.failure] += 1
            pod.failures += 1
            pod.resets += outcome.failure == "reset"
            return
        self.statuses[outcome.status] += 1
        self.latencies.append(seconds)
        if outcome.status >= 500:
            self.errors += 1
            pod.errors += 1

    def count_stream(self, pod: PodCounts, outcome: Outcome) -> None:
        """One stream that has ended."""
        self.streams += 1
        pod.streams += 1
        if outcome.failure is not None:
            self.cut += 1
            pod.cut += 1

    def document(self) -> dict[str, Any]:
        """As `GET /stats` gives it; latencies in seconds, of the last 5000 answers."""
        ordered = sorted(self.latencies)
        return {
            "requests": self.requests,
            "errors_5xx": self.errors,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "connection_failures": self.failures["refused"],
            "resets": self.failures["reset"],
            "timeouts": self.failures["timeout"],
            "dropped": self.dropped,
            "no_endpoints": self.no_endpoints,
            "streams": self.streams,
            "cut": self.cut,
            "pods": {ip: pod.document() for ip, pod in sorted(self.pods.items())},
            "latency_s": {f"p{q}": quantile(ordered, q / 100) for q in (50, 95, 99)} | {"count": len(ordered)},
        }


def quantile(ordered: list[float], q: float) -> float | None:
    """That quantile of values in order; None where there are none."""
    return round(ordered[min(len(ordered) - 1, int(q * len(ordered)))], 6) if ordered else None
