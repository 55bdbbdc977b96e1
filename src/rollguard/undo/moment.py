"""What the next step of a release set's plan is decided from: fresh reads, the time, and what unready pods say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rollguard.model.action import (
    Absent,
    AutoscalerOutcome,
    FetchOutcome,
    Found,
    FoundAutoscaler,
    FoundService,
    Plan,
    Reading,
    ServiceOutcome,
    Unknown,
)
from rollguard.model.names import Ref
from rollguard.model.time import Instant
from rollguard.undo.unready import Unready

SHARE = 1 / 3
"""Of a plan's time: so long the old colour may take to be ready before the first switch."""
NOT_READ = Unknown(detail="it was not read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One look at the objects of a plan. What was not read is Unknown; another object of that name is Absent."""

    plan: Plan
    readings: Mapping[Ref, Reading]
    now: Instant
    unready: Mapping[Ref, Unready] = field(default_factory=dict)

    @property
    def too_long(self) -> bool:
        """Whether the old colour has had its time to be ready."""
        return self.now.since(self.plan.created) >= self.plan.expires.since(self.plan.created) * SHARE

    def deployment(self, ref: Ref) -> FetchOutcome:
        """The Deployment."""
        found = self._found(ref)
        if isinstance(found, FoundService | FoundAutoscaler):
            raise TypeError(f"{ref.kind} {ref.name} was read as a {type(found).__name__}")
        return found

    def service(self, ref: Ref) -> ServiceOutcome:
        """The Service."""
        found = self._found(ref)
        if isinstance(found, Found | FoundAutoscaler):
            raise TypeError(f"{ref.kind} {ref.name} was read as a {type(found).__name__}")
        return found

    def autoscaler(self, ref: Ref) -> AutoscalerOutcome:
        """The HorizontalPodAutoscaler."""
        found = self._found(ref)
        if isinstance(found, Found | FoundService):
            raise TypeError(f"{ref.kind} {ref.name} was read as a {type(found).__name__}")
        return found

    def _found(self, ref: Ref) -> Reading:
        found = self.readings.get(ref, NOT_READ)
        return found if isinstance(found, Absent | Unknown) or found.uid == ref.uid else Absent()


def unreadable(ref: Ref, found: Absent | Unknown) -> str:
    """Why nothing can be said of the object."""
    if isinstance(found, Unknown):
        return f"{ref.namespace}/{ref.name} cannot be read: {found.detail}"
    return f"{ref.kind} {ref.namespace}/{ref.name} was deleted"
