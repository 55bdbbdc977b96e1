"""What the users of a release set see: which part of their requests fails, as their clients count it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from rollguard.cli.demo.stage import Cast
from rollguard.model.policy import SetMember
from rollguard.sim.world import World

OVER = 15.0
"""Seconds that a figure is about."""
MANY, FEW = 0.1, 0.01
"""Above the first it is told that users see errors, below the second that they do not any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Count:
    at: float
    total: float
    bad: float


@dataclass(slots=True, kw_only=True)
class Users:
    """Counts on each `look`."""

    world: World
    cast: Cast
    _counts: dict[str, deque[_Count]] = field(default_factory=dict)
    _suffering: set[str] = field(default_factory=set)

    def look(self) -> list[str]:
        """Counts, and tells of each member whose users begin or cease to see errors."""
        if self.cast.release_set is None:
            return []
        self.world.settle()
        for member in self.cast.release_set.members:
            counts = self._counts.setdefault(member.name, deque())
            counts.append(self._count(member))
            while len(counts) > 2 and counts[1].at <= counts[-1].at - OVER:
                counts.popleft()
        return [line for member in self.cast.release_set.members if member.service for line in self._news(member.name)]

    def errors(self, member: str) -> float | None:
        """The part of the member's requests (or jobs) that failed lately; None where there were none."""
        counts = self._counts.get(member)
        if not counts or counts[-1].total <= counts[0].total:
            return None
        return max(0.0, counts[-1].bad - counts[0].bad) / (counts[-1].total - counts[0].total)

    def _news(self, member: str) -> list[str]:
        errors = self.errors(member)
        if errors is None:
            return []
        if errors > MANY and member not in self._suffering:
            self._suffering.add(member)
            return [f"users see {errors:.1%} errors in {member}"]
        if errors < FEW and member in self._suffering:
            self._suffering.discard(member)
            return [f"users see {errors:.1%} errors in {member}: as before"]
        return []

    def _count(self, member: SetMember) -> _Count:
        """Of both colours together, and what nobody took."""
        names = {name for _, name in member.workloads}
        found = [s.now for s in self.world.traffic.series.values() if s.pod.owner.name.name in names]
        service = self.cast.services.get(member.service)
        lost = service.lost if service is not None else 0.0
        return _Count(
            at=self.world.loop.time(),
            total=sum(counters.total for counters in found) + lost,
            bad=sum(counters.bad for counters in found) + lost,
        )
