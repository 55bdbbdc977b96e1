"""All that a decision may look at beside the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field

from rollguard.model.action import Target
from rollguard.model.facts import MigrationRun, UnitFacts
from rollguard.model.names import UnitName, WorkloadName
from rollguard.model.policy import Limits, Migration, Mode, Owners, QuietWindow, Timing, Watch
from rollguard.model.records import GoodRevision, RolloutRecord, UnitRecord
from rollguard.model.requests import Freeze
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
    maintenance: tuple[QuietWindow, ...] = ()
    owners: Owners = field(default_factory=Owners)
    migration: Migration | None = None
    shared_roll_back: bool = False
    _way_back: GoodRevision | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # found once: every second interlock asks for it
        object.__setattr__(self, "_way_back", self._found())

    def good(self) -> tuple[GoodRevision, ...]:
        """What may be gone back to, the newest first."""
        return self.unit.good()

    def way_back(self) -> GoodRevision | None:
        """What ran before this rollout, where that is good; else the newest good one.

        Never what runs now or what this rollout brought.
        """
        return self._way_back

    def _found(self) -> GoodRevision | None:
        refused = {self.rollout.target_digest, *(member.template.digest for member in self.facts.members)}
        left = tuple(good for good in self.good() if good.digest not in refused)
        before = next((good for good in left if good.hash == self.rollout.baseline), None)
        return before or next(iter(left), None)

    def old_served(self, proven: Instant | None) -> Instant:
        """Since when the way back has served healthily, as far as it was seen: judged so, or seen beside or before this
        rollout (`proven`, or as recorded). There must be a way back."""
        good = self.way_back()
        if good is None:
            raise ValueError("there is no way back")
        shown = (proven, self.rollout.proven) if good.hash == self.rollout.baseline else ()
        return max([good.since, *(moment for moment in shown if moment is not None)])

    def migrations(self) -> tuple[MigrationRun, ...]:
        """What is known to have run: seen now, or recorded with the rollout, the present look of each."""
        runs = {run.uid: run for run in (*self.rollout.migrations, *self.facts.migrations)}
        return tuple(sorted(runs.values(), key=lambda run: (run.started, run.name)))

    def target(self) -> Target | None:
        """The way back as a plan's target; None where there is none."""
        good = self.way_back()
        if good is None:
            return None
        return Target(hash=good.hash, number=good.number, images=good.images, judged=good in self.unit.healthy)
