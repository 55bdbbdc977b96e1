"""All checks, in the order in which one would mend things: the cluster first, each workload last."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rollguard.doctor import (
    clocks,
    cluster,
    guard,
    notices,
    outlets,
    owners,
    rights,
    sets,
    signals,
    store,
    watches,
    workloads,
)
from rollguard.doctor.check import Check, Topic
from rollguard.doctor.facts import Facts

GROUPS: tuple[Callable[[Facts], Iterator[Check]], ...] = (
    cluster.checks,
    rights.checks,
    guard.checks,
    clocks.checks,
    watches.checks,
    sets.checks,
    workloads.checks,
    owners.checks,
    store.checks,
    signals.checks,
    notices.checks,
    outlets.checks,
)

TOPICS: tuple[Topic, ...] = (
    *cluster.TOPICS,
    *rights.TOPICS,
    *guard.TOPICS,
    *clocks.TOPICS,
    *watches.TOPICS,
    *sets.TOPICS,
    *workloads.TOPICS,
    *owners.TOPICS,
    *store.TOPICS,
    *signals.TOPICS,
    *notices.TOPICS,
    *outlets.TOPICS,
)
"""Everything that is checked."""


def examine(facts: Facts) -> tuple[Check, ...]:
    """Every check, those that are ok included, by group."""
    return tuple(check for group in GROUPS for check in group(facts))
