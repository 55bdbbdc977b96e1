"""The metrics store as such: is it reached, and how often does it scrape."""

from __future__ import annotations

from collections.abc import Iterator

from rollguard.doctor.check import Check, Topic
from rollguard.doctor.facts import Facts, Place
from rollguard.model.action import Unknown
from rollguard.policy import durations

GROUP = "metrics"
TOLERATED = 1.5
"""How many times the policy's interval the measured one may be: scrapes are never quite even."""

STORE = Topic(
    group=GROUP,
    name="store",
    about="The metrics store answers at `metrics.address`",
    remedy="correct `spec.metrics.address` and `spec.metrics.auth`, and see that the store runs",
)
INTERVAL = Topic(
    group=GROUP,
    name="interval",
    about="The store scrapes as often as `metrics.scrapeInterval` says",
    remedy="set `spec.metrics.scrapeInterval` to what the store does, and `timing.slot` to at least twice that",
)
TOPICS = (STORE, INTERVAL)


def checks(facts: Facts) -> Iterator[Check]:
    """The interval only where the store is reached."""
    yield reached(facts)
    if not facts.store.problem:
        yield interval(facts)


def reached(facts: Facts) -> Check:
    """An address that only the cluster resolves is no failure when it is looked at from elsewhere."""
    store, address = facts.store, facts.policy.metrics.address
    if not store.problem:
        way = "answers through the API server: only the cluster reaches its address" if store.proxied else "answers"
        return STORE.ok(address, way)
    if store.inside and facts.place is Place.ELSEWHERE:
        do = "look from inside: `kubectl exec -n {} deployment/monitoring -- rollguard doctor --policy ...`"
        return STORE.unknown(address, f"only the cluster reaches it: {store.problem}", do.format(facts.guard.namespace))
    return STORE.failed(address, store.problem)


def interval(facts: Facts) -> Check:
    """A longer interval than the policy's makes every sample look stale."""
    store, measured, said = "scrapes", facts.store.interval, facts.policy.metrics.scrape_interval
    if isinstance(measured, Unknown):
        return INTERVAL.unknown(store, measured, "look again when the store answers")
    if measured is None:
        return INTERVAL.unknown(store, "no samples to measure it by", "see the checks `signal`: are there series?")
    found = f"every {durations.format_(measured)}, the policy says {durations.format_(said)}"
    if measured > said * TOLERATED:
        return INTERVAL.failed(store, f"{found}: samples count as stale, and the guard is blind")
    if measured * TOLERATED < said:
        return INTERVAL.warning(store, f"{found}: it is judged later than it could be")
    return INTERVAL.ok(store, found)
