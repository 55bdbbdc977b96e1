"""Several journals as one: the log, and the database where the policy names one."""

from __future__ import annotations

from rollguard.model.names import RolloutId, UnitName
from rollguard.model.records import TimelineEntry
from rollguard.ports import Journal


class Journals:
    """A `Journal` that is several."""

    def __init__(self, *journals: Journal) -> None:
        self._journals = journals

    def append(self, unit: UnitName, rollout: RolloutId | None, entry: TimelineEntry) -> None:
        """Appends to each."""
        for journal in self._journals:
            journal.append(unit, rollout, entry)

    def problem(self) -> str | None:
        """Of all that have a database."""
        known = [problem for problem in (journal.problem() for journal in self._journals) if problem is not None]
        return "; ".join(problem for problem in known if problem) if known else None
