"""The guard itself: does one run, and does one lead."""

from __future__ import annotations

from collections.abc import Iterator

from rollguard.doctor.check import Check, State, Topic
from rollguard.doctor.facts import Facts
from rollguard.model.action import Absent, Unknown
from rollguard.model.destinations import JournalKind
from rollguard.model.time import Instant
from rollguard.policy import durations

GROUP = "guard"
STALE_SECONDS = 120.0
"""A Lease is renewed every few seconds: one that is so much older has no living holder, whatever the clocks."""

LEADER = Topic(
    group=GROUP,
    name="leader",
    about="A controller holds the Lease and renews it",
    remedy="start the guard: `rollguard install --policy FILE --apply`; its log says what keeps it from leading",
)
CONTROLLER = Topic(
    group=GROUP,
    name="controller",
    about="The guard's Deployment has all its replicas ready",
    remedy="look why: `kubectl describe pods -n NAMESPACE -l app.kubernetes.io/name=rollguard`",
)
JOURNAL = Topic(
    group=GROUP,
    name="journal",
    about="A journal in a file is written by one replica alone",
    remedy="render and apply the manifests anew, which have one replica then; or keep the journal in PostgreSQL",
)
TOPICS = (LEADER, CONTROLLER, JOURNAL)


def checks(facts: Facts) -> Iterator[Check]:
    """All of them."""
    yield leader(facts)
    yield controller(facts)
    yield from journal(facts)


def leader(facts: Facts) -> Check:
    """Who holds the Lease."""
    lease, subject = facts.guard.lease, f"Lease in {facts.guard.namespace}"
    if isinstance(lease, Unknown):
        return LEADER.unknown(subject, lease, f"look as somebody who may read Leases in {facts.guard.namespace}")
    if isinstance(lease, Absent) or not lease.holder:
        return LEADER.failed(subject, "nobody holds it: nothing is guarded")
    age = _age(facts, lease.renewed)
    if age is not None and age > STALE_SECONDS:
        return LEADER.failed(subject, f"{lease.holder} holds it, but renewed it last {durations.format_(age)} ago")
    return LEADER.ok(subject, f"held by {lease.holder}")


def _age(facts: Facts, renewed: Instant | None) -> float | None:
    """Whole seconds since the renewal, by the API server's clock."""
    if renewed is None:
        return None
    return float(round(facts.now.plus(facts.server_offset or 0.0).since(renewed)))


def controller(facts: Facts) -> Check:
    """The Deployment that `install` makes. A guard that leads without it runs elsewhere: that is said."""
    found, namespace = facts.guard.deployment, facts.guard.namespace
    subject = f"Deployment in {namespace}"
    if isinstance(found, Unknown):
        return CONTROLLER.unknown(subject, found, f"look as somebody who may read Deployments in {namespace}")
    if isinstance(found, Absent):
        if leader(facts).state is State.OK:
            return CONTROLLER.ok(subject, "there is none, yet a guard leads: it runs elsewhere")
        return CONTROLLER.failed(subject, "there is none", LEADER.remedy)
    subject = f"Deployment {namespace}/{found.name}"
    do = CONTROLLER.remedy.replace("NAMESPACE", namespace)
    counts = f"{found.ready} of {found.wanted} replicas are ready"
    if found.ready == 0:
        return CONTROLLER.failed(subject, counts, do)
    return CONTROLLER.ok(subject, counts) if found.ready >= found.wanted else CONTROLLER.warning(subject, counts, do)


def journal(facts: Facts) -> Iterator[Check]:
    """Nothing is said where the policy names no file, and of a guard that runs elsewhere."""
    place, found = facts.policy.journal, facts.guard.deployment
    if place is None or place.kind is not JournalKind.SQLITE or isinstance(found, Absent | Unknown):
        return
    subject = f"SQLite {place.path}"
    if found.wanted > 1:
        yield JOURNAL.failed(subject, f"{found.wanted} replicas would write to it")
    else:
        yield JOURNAL.ok(subject, "the guard has one replica")
