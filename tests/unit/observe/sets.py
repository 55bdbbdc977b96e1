"""Facts of a release set of two members, for tests of observing and deciding: blue serves, green has pods too."""

from __future__ import annotations

from dataclasses import replace

from rollguard.model.facts import Endpoint, Service, UnitFacts, Workload
from rollguard.model.names import TemplateHash, UnitName, WorkloadKind, WorkloadName
from rollguard.model.policy import ReleaseSet, SetMember
from rollguard.model.records import LiveMember, UnitRecord
from rollguard.observe import at_rest
from tests.unit.observe.building import LONG_AGO, NOW, pod, revision, workload

SET = ReleaseSet(
    name="dubbing",
    namespace="production",
    selector_key="version",
    colours=("blue", "green"),
    members=(
        SetMember(
            name="backend", service="backend-service", workloads=(("blue", "backend-blue"), ("green", "backend-green"))
        ),
        SetMember(name="workers", service="", workloads=(("blue", "workers-blue"), ("green", "workers-green"))),
    ),
)
UNIT = UnitName.of_workload(WorkloadName("production", WorkloadKind.RELEASE_SET, "dubbing"))
FRESH = UnitRecord(name=UNIT, workload=WorkloadName("production", WorkloadKind.RELEASE_SET, "dubbing"))


def named(name: str) -> WorkloadName:
    """A Deployment of the set."""
    return WorkloadName("production", WorkloadKind.DEPLOYMENT, name)


def hash_of(name: str, version: str = "1") -> TemplateHash:
    """The template hash of a Deployment's version."""
    return TemplateHash(f"{name}-{version}")


def side(name: str, version: str = "1", *, replicas: int = 2) -> Workload:
    """A settled Deployment that runs a version."""
    number = int(version)
    own = revision(hash_of(name, version), number, replicas=replicas)
    return replace(workload(own, target=own.hash), name=named(name), uid=f"uid-{name}", desired=replicas)


def service(colour: str) -> Service:
    """`backend-service`, which selects the colour."""
    return Service(
        namespace="production",
        name="backend-service",
        uid="5e5e5e5e-uid",
        created=LONG_AGO,
        selector=(("app", "backend"), ("version", colour)),
        endpoints=(Endpoint(pod=f"backend-{colour}-0", ready=True, serving=True, terminating=False),),
    )


def facts_of(*members: Workload, live: str = "blue", ready: dict[str, int] | None = None) -> UnitFacts:
    """The set's facts; `ready` says how many ready pods a Deployment has (2 of blue, 0 of green elsewhere)."""
    there = {member.name.name: member for member in members}
    for name in ("backend-blue", "backend-green", "workers-blue", "workers-green"):
        there.setdefault(name, side(name))
    counts = {"backend-blue": 2, "workers-blue": 2} | (ready or {})
    pods = tuple(
        pod(f"{name}-{n}", member.revisions[-1].hash, workload=member.name)
        for name, member in there.items()
        for n in range(counts.get(name, 0))
    )
    return UnitFacts(
        unit=UNIT,
        as_of=NOW,
        complete=True,
        missing=(),
        members=tuple(there.values()),
        pods=pods,
        events=(),
        services=(service(live),),
    )


def resting(*members: Workload) -> UnitRecord:
    """The set's record while blue serves."""
    return replace(FRESH, live=at_rest(FRESH, SET, facts_of(*members)))


def colours(live: tuple[LiveMember, ...]) -> dict[str, str]:
    """Which colour each member is live on."""
    return {each.member: each.side.colour for each in live}
