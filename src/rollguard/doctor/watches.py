"""The policy's watches: do they select what is there."""

from __future__ import annotations

from collections.abc import Iterator

from rollguard.doctor.check import Check, Topic
from rollguard.doctor.facts import Facts, NamespaceSeen, WorkloadSeen
from rollguard.doctor.selection import item, selected
from rollguard.model.action import Unknown
from rollguard.model.policy import Watch
from rollguard.policy import watch_of
from rollguard.policy.selection import OPT_OUT

GROUP = "watches"
SHOWN = 8

NAMESPACE = Topic(
    group=GROUP,
    name="namespace",
    about="Each watched namespace exists and its workloads can be listed",
    remedy="create the namespace, or correct `spec.watch[].namespace`",
)
WATCH = Topic(
    group=GROUP,
    name="watch",
    about="Each watch selects a workload, and each name in it is one",
    remedy="correct the names or the selector in `spec.watch`",
)
UNWATCHED = Topic(
    group=GROUP,
    name="unwatched",
    about="For information: workloads of the watched namespaces that no watch selects, or that opt out",
    remedy="name them in `spec.watch` where they should be guarded",
)
TOPICS = (NAMESPACE, WATCH, UNWATCHED)


def checks(facts: Facts) -> Iterator[Check]:
    """Namespaces first: what is not there, no watch can select."""
    for namespace in facts.namespaces:
        yield from _namespace(namespace)
    known = {each.name: each for each in facts.namespaces if not isinstance(each.workloads, Unknown)}
    chosen = tuple(selected(facts))
    for watch in facts.policy.watches:
        # a release set has checks of its own
        if watch.release_set is None and watch.namespace in known and known[watch.namespace].exists is not False:
            mine = {each.name.name for each in chosen if each.watch == watch}
            yield from _watch(watch, mine, known[watch.namespace])
    yield from (check for each in known.values() if (check := _unwatched(facts, each)) is not None)


def _namespace(found: NamespaceSeen) -> Iterator[Check]:
    if found.exists is False:
        yield NAMESPACE.failed(found.name, "there is no such namespace")
    elif isinstance(found.workloads, Unknown):
        yield NAMESPACE.unknown(found.name, found.workloads, "look as somebody who may list Deployments there")
    else:
        yield NAMESPACE.ok(found.name, f"{len(found.workloads)} Deployments")


def _watch(watch: Watch, mine: set[str], namespace: NamespaceSeen) -> Iterator[Check]:
    there = {each.workload.name.name for each in _workloads(namespace)}
    for name in watch.workloads:
        if name not in there:
            do = f"correct the name; there are: {_some(sorted(there))}" if there else ""
            yield WATCH.failed(watch.name, f"there is no Deployment {watch.namespace}/{name}", do)
    if not watch.workloads and not mine:
        labels = ",".join(f"{key}={value}" for key, value in watch.selector)
        yield WATCH.failed(watch.name, f"no Deployment of {watch.namespace} has the labels {labels}")
    elif mine:
        yield WATCH.ok(watch.name, f"selects {_some(sorted(mine))}")


def _unwatched(facts: Facts, namespace: NamespaceSeen) -> Check | None:
    out: list[str] = []
    nobodys: list[str] = []
    for each in _workloads(namespace):
        if watch_of(facts.policy, item(each)) is None:
            (out if each.workload.annotation(OPT_OUT) == "off" else nobodys).append(each.workload.name.name)
    told = [f"not watched: {_some(nobodys)}"] if nobodys else []
    told += [f"opted out: {_some(out)}"] if out else []
    return UNWATCHED.ok(namespace.name, "; ".join(told)) if told else None


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _workloads(namespace: NamespaceSeen) -> tuple[WorkloadSeen, ...]:
    return () if isinstance(namespace.workloads, Unknown) else namespace.workloads
