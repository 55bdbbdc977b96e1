"""What goes wrong, where and when: chosen from the seed, counted as fault x await point."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from enum import StrEnum


class Fault(StrEnum):
    """What can happen to one call of a port."""

    LOST = "lost"
    """The request never arrives; the caller waits until its timeout."""
    APPLIED_UNKNOWN = "applied, answer lost"
    APPLIED_LATE = "applied 30 s late, answer lost"
    SLOW = "slow answer"
    THROTTLED = "throttled"
    PAUSED_BEFORE = "process paused before it is sent"
    PAUSED_AFTER = "process paused after it"
    PARTITION = "API server out of reach from here on"
    KILLED_BEFORE = "killed before it is sent"
    KILLED_AFTER = "killed after it took effect"
    NO_ANSWER = "no (complete) answer of the store"
    POD_MISSING = "a pod's series are missing or NaN"
    REFUSED = "refused by the channel"
    RETRY = "the channel asks to come again"
    ACCEPTED_TIMED_OUT = "accepted, then timed out"
    NOT_CONFIGURED = "the channel's secret is not there"


_READ = (
    Fault.LOST,
    Fault.SLOW,
    Fault.PAUSED_BEFORE,
    Fault.PAUSED_AFTER,
    Fault.PARTITION,
    Fault.KILLED_BEFORE,
    Fault.KILLED_AFTER,
)
_WRITE = (*_READ, Fault.APPLIED_UNKNOWN, Fault.APPLIED_LATE)
POINTS: dict[str, tuple[Fault, ...]] = {
    "cluster.fetch": _READ,
    "cluster.fetch_service": _READ,
    "cluster.fetch_autoscaler": _READ,
    "cluster.apply": (*_WRITE, Fault.THROTTLED),
    "cluster.dry_run": (*_READ, Fault.THROTTLED),
    "cluster.save_evidence": _WRITE,
    "cluster.save_template": _WRITE,
    "cluster.load_template": _READ,
    "cluster.emit_event": _WRITE,
    "records.list_units": _READ,
    "records.list_rollouts": _READ,
    "records.read_unit": _READ,
    "records.read_rollout": _READ,
    "records.create_unit": _WRITE,
    "records.create_rollout": _WRITE,
    "records.replace_unit": _WRITE,
    "records.replace_rollout": _WRITE,
    "records.delete_rollout": _WRITE,
    "leadership.read": _READ,
    "leadership.write": _WRITE,
    "leadership.release": _WRITE,
    "metrics.ask": (Fault.NO_ANSWER, Fault.POD_MISSING, Fault.KILLED_BEFORE, Fault.KILLED_AFTER, Fault.PAUSED_AFTER),
    "notifier.send": (
        Fault.REFUSED,
        Fault.RETRY,
        Fault.ACCEPTED_TIMED_OUT,
        Fault.KILLED_BEFORE,
        Fault.KILLED_AFTER,
        Fault.PAUSED_AFTER,
    ),
    "channel.send": (
        Fault.REFUSED,
        Fault.RETRY,
        Fault.NOT_CONFIGURED,
        Fault.SLOW,
        Fault.ACCEPTED_TIMED_OUT,
        Fault.KILLED_BEFORE,
        Fault.KILLED_AFTER,
        Fault.PAUSED_AFTER,
    ),
}
"""Each await point of the ports, and what can happen at it."""


class FaultPlan:
    """Strikes at random with `rate` per call, and surely once at the `focus`: (point, fault, which visit)."""

    def __init__(
        self,
        seed: int,
        *,
        rate: float = 0.0,
        focus: tuple[str, Fault, int] | None = None,
        kinds: frozenset[Fault] | None = None,
    ) -> None:
        self.random = random.Random(seed)
        self.rate = rate
        self.focus = focus
        self.primer: tuple[str, Fault] | None = None
        """A point and the fault that surely strikes at its next visit: some points are passed only after another."""
        self.kinds = kinds
        self.hits: Counter[tuple[str, Fault]] = Counter()
        self.visits: Counter[str] = Counter()
        self.calls = 0
        self.on_strike: list[Callable[[str, Fault], None]] = []

    @classmethod
    def none(cls, seed: int = 0) -> FaultPlan:
        """Nothing goes wrong."""
        return cls(seed)

    def stop(self) -> None:
        """No more faults from here on."""
        self.rate, self.focus, self.primer = 0.0, None, None

    def strike(self, point: str) -> Fault | None:
        """What happens to this call."""
        visit = self.visits[point]
        self.visits[point] = visit + 1
        self.calls += 1
        fault: Fault | None = None
        if self.primer is not None and self.primer[0] == point:
            fault, self.primer = self.primer[1], None
        elif self.focus is not None and self.focus[0] == point and visit >= self.focus[2]:
            fault, self.focus = self.focus[1], None
        elif self.rate and self.random.random() < self.rate:
            fault = self.random.choice(POINTS[point])
            if self.kinds is not None and fault not in self.kinds:
                fault = None
        if fault is not None:
            self.hits[point, fault] += 1
            for listener in self.on_strike:
                listener(point, fault)
        return fault
