"""A colour that is live and has no Deployment any more: its Service still names it, or it was a worker's."""

from __future__ import annotations

from rollguard.model.facts import UnitFacts
from rollguard.model.policy import ReleaseSet
from rollguard.model.records import Passage
from rollguard.observe.sets import ready_pods


def left_behind(release_set: ReleaseSet, passage: Passage, facts: UnitFacts) -> bool:
    """Whether the new colour's Deployment was deleted while the member stays with that colour.

    Without a Service: while the old colour's Deployment is there. Where that is gone too, the member was taken away.
    """
    if facts.member(passage.new.workload) is not None:
        return False
    if not passage.service:
        return facts.member(passage.old.workload) is not None
    service = facts.service(passage.service)
    return service is not None and service.selects(release_set.selector_key) == passage.new.colour


def deserted(release_set: ReleaseSet, passage: Passage, facts: UnitFacts) -> bool:
    """Whether the member is left behind so, and nobody serves it: no ready endpoint, or no worker of either colour."""
    if not left_behind(release_set, passage, facts):
        return False
    service = facts.service(passage.service) if passage.service else None
    if service is not None:
        return not any(endpoint.ready for endpoint in service.endpoints)
    return not any(ready_pods(facts, side.workload) for side in (passage.old, passage.new))
