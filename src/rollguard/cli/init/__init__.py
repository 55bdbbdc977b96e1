"""`rollguard init`: looks at a cluster and writes a first policy."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes.survey.asking import Asking
from rollguard.adapters.kubernetes.survey.landscape import DeploymentFound, Landscape, landscape
from rollguard.adapters.prometheus import StoreProblem
from rollguard.cli import exits, output
from rollguard.cli.connect import Way, opened
from rollguard.cli.init.pairs import Pairing, paired
from rollguard.cli.init.series import Measured, measured
from rollguard.cli.init.stores import StoreFound, candidates, first_answering
from rollguard.model.policy import Policy
from rollguard.model.signals import EventRule, Signal, SignalKind
from rollguard.policy import load
from rollguard.policy.drafting import Draft, DraftedMember, DraftedSet, drafted
from rollguard.policy.selection import OPT_OUT

CLUSTERS_OWN = frozenset({"kube-system", "kube-public", "kube-node-lease"})
MANAGED_BY = ("app.kubernetes.io/managed-by", "rollguard")
DEFAULT_LABELS = {"namespace": "namespace", "pod": "pod", "workload": "deployment"}
EMPTY = """apiVersion: rollguard.dev/v1alpha1
kind: GuardPolicy
metadata: {name: empty}
spec:
  preset: generic
  metrics: {address: "http://localhost"}
  watch: [{name: a, namespace: a, workloads: [a]}]
"""


def init(
    *,
    namespace: Annotated[tuple[str, ...], Parameter(name=["-n", "--namespace"])] = (),
    file: Annotated[Path, Parameter(name=["--output"])] = Path("policy.yaml"),
    metrics: str = "",
    way: Way | None = None,
) -> int:
    """Look at a cluster and write a first policy, in mode observe.

    Finds the Deployments, the metrics store and which labels its series carry; needs only rights to list. Changes
    nothing in the cluster, and never writes over a file.

    Parameters
    ----------
    namespace
        Only these namespaces (may be given several times); else all of them but the cluster's own.
    file
        The file to write.
    metrics
        The metrics store's address, where it is not to be looked for.
    """
    if file.exists():
        raise exits.CommandError(f"{file} exists already: name another with --output", exits.USAGE)
    text, told = asyncio.run(_looked(way or Way(), tuple(dict.fromkeys(namespace)), metrics.rstrip("/")))
    policy = load(text, str(file))
    if not isinstance(policy, Policy):
        lines = "\n".join(str(mistake) for mistake in policy)
        raise exits.CommandError(f"no good policy comes of what was found:\n{lines}\n{text}")
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except OSError as problem:
        raise exits.CommandError(f"cannot write {file}: {problem.strerror}", exits.USAGE) from None
    for line in told:
        output.say(line)
    output.say(f"Wrote {file}. Next: rollguard policy check {file} --cluster, rollguard doctor --policy {file}")
    return exits.OK


async def _looked(way: Way, namespaces: tuple[str, ...], metrics: str) -> tuple[str, list[str]]:
    clock = SystemClock()
    async with opened(way, clock) as api, AsyncExitStack() as stack:
        seen = await landscape(Asking(api), namespaces, api.namespace)
        chosen = tuple(one for one in seen.deployments if _guarded(one))
        if not chosen:
            raise exits.CommandError(_nothing(seen, namespaces), _code(seen))
        problems: list[str] = []
        addresses = (metrics,) if metrics else tuple(service.url for service in candidates(seen.services))
        store = await first_answering(api, clock, addresses, stack, problems)
        workloads = tuple((one.namespace, one.name) for one in chosen)
        others = tuple(signal for signal in _preset() if not _drafted_apart(signal))
        found = Measured()
        if store is not None:
            try:
                found = await measured(store.inspector, workloads, tuple(_asked(others)))
            except StoreProblem as problem:
                problems.append(f"{store.address}: {problem.reason}")
        address = addresses[0] if addresses else ""
        view = _View(seen, chosen, paired(chosen, seen.services), store, address, tuple(problems))
        return drafted(_draft(view, found, others)), _told(view, found)


@dataclass(frozen=True, slots=True)
class _View:
    seen: Landscape
    chosen: tuple[DeploymentFound, ...]
    pairing: Pairing
    store: StoreFound | None
    address: str
    """Where a store should be, although none answered; empty where nothing looks like one."""
    problems: tuple[str, ...]


def _guarded(one: DeploymentFound) -> bool:
    return (
        one.namespace not in CLUSTERS_OWN
        and MANAGED_BY not in one.labels
        and dict(one.annotations).get(OPT_OUT) != "off"
    )


def _nothing(seen: Landscape, namespaces: tuple[str, ...]) -> str:
    where = f"in {', '.join(namespaces)}" if namespaces else "outside the cluster's own namespaces"
    if seen.refused:
        return f"no Deployment may be seen {where}, nothing was written:\n" + "\n".join(seen.refused)
    return f"there is no Deployment {where}: nothing to guard, nothing was written"


def _code(seen: Landscape) -> int:
    return exits.UNREACHABLE if seen.refused and all("no answer" in words for words in seen.refused) else exits.PROBLEM


def _preset() -> tuple[Signal, ...]:
    policy = load(EMPTY, "preset")
    if not isinstance(policy, Policy):
        raise TypeError("the preset generic is damaged")
    return policy.signals


def _drafted_apart(signal: Signal) -> bool:
    """Whether it is drafted from the counter and the histogram, or needs what a first policy does not have."""
    return signal.name in ("errors", "latency") or signal.rule is EventRule.MIGRATION_FAILED


def _asked(others: Iterable[Signal]) -> Iterable[Signal]:
    return (signal for signal in others if signal.kind is not SignalKind.EVENT)


def _draft(view: _View, found: Measured, others: tuple[Signal, ...]) -> Draft:
    counted: defaultdict[str, list[str]] = defaultdict(list)
    uncounted: defaultdict[str, list[str]] = defaultdict(list)
    in_sets = frozenset[tuple[str, str]]().union(*(each.deployments() for each in view.pairing.sets))
    for one in view.chosen:
        if (one.namespace, one.name) in in_sets:
            continue
        of = counted if (one.namespace, one.name) in found.counted else uncounted
        of[one.namespace].append(one.name)
    events = [signal.name for signal in others if signal.kind is SignalKind.EVENT]
    signals = tuple(signal.name for signal in others if signal.name in (*found.present, *events))
    requests = found.requests
    return Draft(
        name=_name(view),
        address=view.store.address if view.store else view.address,
        answered=view.store is not None,
        labels=tuple((key, label) for key, label in found.labels.items() if DEFAULT_LABELS[key] != label),
        scrape_interval=found.interval,
        requests=requests,
        counted=tuple((namespace, tuple(names)) for namespace, names in counted.items()),
        uncounted=tuple((namespace, tuple(names)) for namespace, names in uncounted.items()),
        sets=tuple(_sets(view, found)),
        signals=signals,
        every=bool(requests and requests.status_label and requests.buckets) and len(signals) == len(others),
        remarks=tuple(_remarks(view, found)),
    )


def _sets(view: _View, found: Measured) -> Iterable[DraftedSet]:
    namespaces = {one.namespace for one in view.chosen}
    taken = namespaces | {f"{namespace}-others" for namespace in namespaces}
    for each in view.pairing.sets:
        name = each.pairs[0].name if len(each.pairs) == 1 else f"{each.namespace}-set"
        while name in taken:
            name += "-set"
        taken.add(name)
        yield DraftedSet(
            name=name,
            namespace=each.namespace,
            key=each.key,
            colours=each.colours,
            members=tuple(
                DraftedMember(
                    name=pair.name,
                    service=pair.service,
                    counted=any((each.namespace, name) in found.counted for name in pair.deployments),
                )
                for pair in each.pairs
            ),
        )


def _name(view: _View) -> str:
    namespaces = sorted({one.namespace for one in view.chosen})
    return namespaces[0] if len(namespaces) == 1 else "first"


def _remarks(view: _View, found: Measured) -> Iterable[str]:
    for words in view.seen.refused:
        yield f"not seen: {' '.join(words.split())}: ask for the right to list, or name namespaces with --namespace"
    yield from view.pairing.remarks
    if view.store is None:
        tried = "; ".join(" ".join(problem.split()) for problem in view.problems)
        why = f" ({tried})" if tried else ": no Service is named as one"
        yield f"no metrics store answered{why}: only the cluster's own events are watched; give --metrics URL"
        return
    if view.store.by_proxy:
        yield "the metrics store was asked through the API server: from here its address is not reachable"
    if found.requests is None:
        yield "no counter of requests was found for these workloads: name yours under signals, as docs/policy.md has it"
        return
    if not found.requests.status_label:
        yield f"{found.requests.counter} has no label with the status: errors cannot be told, so they are not watched"
    if not found.requests.buckets:
        yield "no histogram of durations was found: latency is not watched"
    if not found.labels.get("pod"):
        yield "the series carry no pod: old and new pods cannot be told apart, it judges before against after"


def _told(view: _View, found: Measured) -> list[str]:
    by_namespace: defaultdict[str, list[str]] = defaultdict(list)
    for one in view.chosen:
        by_namespace[one.namespace].append(one.name)
    lines = [f"{namespace}: {', '.join(names)}" for namespace, names in by_namespace.items()]
    for found_set in view.pairing.sets:
        pairs = ", ".join(pair.name for pair in found_set.pairs)
        lines.append(f"{found_set.namespace}: {pairs} are {' and '.join(found_set.colours)}: a release set")
    chosen = {(one.namespace, one.name) for one in view.chosen}
    served = sum(1 for one in view.chosen if _is_served(one, view.seen))
    scaled = len(chosen & set(view.seen.autoscaled))
    lines.append(f"{len(chosen)} Deployments, {served} with a Service, {scaled} with an autoscaler")
    if view.store is not None:
        way = ", asked through the API server" if view.store.by_proxy else ""
        lines.append(f"metrics: {view.store.address}{way}")
    if found.requests is not None:
        status, buckets = found.requests.status_label, found.requests.buckets
        told = [f"status in `{status}`" if status else "", f"durations {buckets}" if buckets else ""]
        lines.append("requests: " + ", ".join([found.requests.counter, *filter(None, told)]))
    return [*lines, *(f"! {remark}" for remark in _remarks(view, found))]


def _is_served(one: DeploymentFound, seen: Landscape) -> bool:
    return any(
        service.namespace == one.namespace and service.selector and set(service.selector) <= set(one.pod_labels)
        for service in seen.services
    )
