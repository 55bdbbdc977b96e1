"""All that a decision may look at beside the verdict."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.model.facts import UnitFacts
from rollguard.model.names import UnitName, WorkloadName
from rollguard.model.policy import Limits, Mode, Timing, Watch
from rollguard.model.records import Freeze, GoodRevision, RolloutRecord, UnitRecord
from rollguard.model.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Sibling:
    """An unchanged workload (no rollout under way) and the signals that it breaches now, at rollback level."""

    workload: WorkloadName
    breached: tuple[str, ...]
    since: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is known beyond the unit itself."""

    siblings: tuple[Sibling, ...]
    fleet_rollbacks: tuple[tuple[UnitName, Instant], ...]
    """Automatic rollbacks of all units, newest last."""
    clock_offset: float | None
    """Seconds by which the metrics store's or API server's clock differs from ours; None while unknown."""
    freeze_all: Freeze | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A unit, its rollout and what surrounds them."""

    unit: UnitRecord
    rollout: RolloutRecord
    facts: UnitFacts
    around: Surroundings
    watch: Watch
    mode: Mode
    """The watch's mode, or the rollout's own where that is milder."""
    timing: Timing
    limits: Limits
    on_timeout_roll_back: bool = False

    def good(self) -> tuple[GoodRevision, ...]:
        """What may be gone back to, best first: judged healthy (the newest first), then adopted."""
        judged = tuple(reversed(self.unit.healthy))
        return judged if self.unit.adopted is None else (*judged, self.unit.adopted)

    def way_back(self) -> GoodRevision | None:
        """The best of them that is neither what runs now nor what this rollout brought."""
        refused = {self.rollout.target_digest, *(member.template.digest for member in self.facts.members)}
        return next((good for good in self.good() if good.digest not in refused), None)
