"""Who may write, and until when. Everything that changes the cluster asks here first (rule 8)."""

from __future__ import annotations

from rollguard.ports import Clock, Held


class LeadershipLost(Exception):
    """A write was due, but the leadership is gone or too short for it: the next holder goes on from the cluster."""


class Gate:
    """Lets a mutating request leave only while it ends within the leadership.

    `Held.until` is the start of the last successful renewal plus 10 s of the 15 s Lease; a request that may take
    `timeout` must leave `timeout` earlier, so that not even its answer comes after it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: Held | None = None

    def hold(self, held: Held | None) -> None:
        """The outcome of the last renewal; None once somebody else leads."""
        self._held = held

    @property
    def epoch(self) -> int:
        """The epoch under which we lead; 0 while we do not."""
        return self._held.epoch if self._held is not None else 0

    def leading(self) -> bool:
        """True while the leadership has not run out on the monotonic clock."""
        return self._held is not None and self._clock.mono() < self._held.until

    def left(self) -> float:
        """Seconds of the leadership that are left; 0 while we do not lead."""
        return max(0.0, self._held.until.since(self._clock.mono())) if self._held is not None else 0.0

    def check(self, timeout: float) -> None:
        """Returns where a request of that timeout may leave now; raises LeadershipLost otherwise."""
        if self._held is None:
            raise LeadershipLost("somebody else leads")
        left = self.left()
        if left < timeout:
            raise LeadershipLost(f"{left:.1f} s of the leadership are left, the request may take {timeout:.1f} s")
