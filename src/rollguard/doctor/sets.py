"""The policy's release sets: do they fit what is there, and could they go back."""

from __future__ import annotations

from collections.abc import Iterator

from rollguard.doctor.check import Check, Topic
from rollguard.doctor.facts import Facts
from rollguard.model.action import Unknown
from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.policy import ReleaseSet
from rollguard.policy.ground import Fault, Ground, faults

SET = Topic(
    group="watches",
    name="release-set",
    about="Of each release set the Deployments and Services are there, each Service names one of the colours, the pods "
    "carry what it selects by, and no autoscaler leaves a colour less than the other has",
    remedy="correct the names in `spec.watch[].releaseSet`, or the Service, the pods' labels or the autoscaler",
)
TOPICS = (SET,)


def unit_of(release_set: ReleaseSet) -> UnitName:
    """The unit that guards it."""
    return UnitName.of_workload(WorkloadName(release_set.namespace, WorkloadKind.RELEASE_SET, release_set.name))


def checks(facts: Facts) -> Iterator[Check]:
    """Each fault of each set; one line for a set without any."""
    grounds = {each.name: each.ground for each in facts.namespaces}
    for each in facts.policy.release_sets():
        ground = grounds.get(each.namespace)
        if isinstance(ground, Unknown):
            do = "look as somebody who may list Deployments, Services and HorizontalPodAutoscalers there"
            yield SET.unknown(each.name, ground, do, unit=unit_of(each))
        elif ground is not None:
            found = faults(each, ground)
            yield from (_wrong(each, fault) for fault in found)
            if not found:
                yield SET.ok(each.name, _live(each, ground), unit=unit_of(each))


def _wrong(release_set: ReleaseSet, fault: Fault) -> Check:
    do = f"expected {fault.expected}"
    near = f"; did you mean `{fault.near}`?" if fault.near else ""
    made = SET.warning if fault.passing else SET.failed
    return made(release_set.name, fault.found, do + near, unit=unit_of(release_set))


def _live(release_set: ReleaseSet, ground: Ground) -> str:
    served = [member for member in release_set.members if member.service]
    if not served:
        return "everything that it names is there"
    colour = ground.live(served[0], release_set.selector_key)
    return f"{colour} is live: {', '.join(member.service for member in served)}"
