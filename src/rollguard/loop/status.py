"""What the guard says of itself: for its own metrics and for people who ask."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.model.action import Decision
from rollguard.model.judgement import Verdict
from rollguard.model.names import RolloutId, UnitName
from rollguard.model.records import LifecycleState
from rollguard.model.time import Mono


@dataclass(slots=True)
class Counted:
    """What the guard counts of its own looks. `looked` is when everything was last looked at."""

    ticks: int = 0
    late: int = 0
    errors: int = 0
    last_tick: float = 0.0
    looked: Mono | None = None

    def ticked(self, started: Mono, ended: Mono) -> None:
        """One tick came to its end."""
        self.ticks += 1
        self.looked = ended
        self.last_tick = ended.since(started)

    def since_look(self, now: Mono) -> float:
        """Seconds."""
        return now.since(self.looked) if self.looked is not None else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitStatus:
    """One guarded unit. `verdict` and `decision` are those of the last look, newer than the record's."""

    unit: UnitName
    rollout: RolloutId | None
    state: LifecycleState | None
    verdict: Verdict | None
    decision: Decision | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A snapshot. Durations in seconds."""

    leading: bool
    active: bool
    """Leading, and everything is loaded."""
    waiting: str
    """Why this process does not lead, empty while it does."""
    standby: bool
    """Somebody else is known to lead."""
    epoch: int
    ticks: int
    late_ticks: int
    last_tick_seconds: float
    since_look: float
    """Since the last look at everything, or since it became the leader's to look; 0 where we do not lead."""
    tick: float
    """How long a tick is."""
    errors: int
    units: tuple[UnitStatus, ...]
    open_rollouts: int
    blind_signals: tuple[str, ...]
    """Signals without a complete answer in the last slot."""
    outbox_pending: int
    policy: str
    """Digest of the policy in force."""
    policy_mistakes: tuple[str, ...]
    """Of the newest policy, which is not in force because of them."""
    doctor_failures: tuple[tuple[str, int], ...] = ()
    """(check, how many failed) at the last examination, sorted."""
