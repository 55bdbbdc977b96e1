"""A policy with release sets is not run yet: it counts as one with mistakes."""

from __future__ import annotations

from dataclasses import replace

from rollguard.model.action import Unknown
from rollguard.model.records import PolicyStatus
from rollguard.ports import PolicyReading, PolicySource


class WithoutSets:
    """A source whose policies with release sets are mistakes."""

    def __init__(self, source: PolicySource) -> None:
        self._source = source

    def latest(self) -> PolicyReading:
        """The newest reading, without what is not run."""
        found = self._source.latest()
        sets = found.policy.release_sets() if found.policy is not None else ()
        mistakes = tuple(
            f"the watch `{each.name}`: expected workloads: a release set is checked, but not guarded yet"
            for each in sets
        )
        return replace(found, policy=None, mistakes=mistakes) if sets else found

    async def report(self, status: PolicyStatus, *, timeout: float) -> Unknown | None:
        """As the source does it."""
        return await self._source.report(status, timeout=timeout)
