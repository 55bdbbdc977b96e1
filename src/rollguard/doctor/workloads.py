"""The watched workloads: can each be put back, by itself, and does anything work against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rollguard.doctor.check import Check, Topic
from rollguard.doctor.facts import Autoscaler, Facts
from rollguard.doctor.selection import Selected, selected
from rollguard.doctor.sets import unit_of
from rollguard.model.action import Unknown
from rollguard.model.names import UnitName
from rollguard.model.policy import Mode
from rollguard.model.records import UnitRecord
from rollguard.policy import durations
from rollguard.policy.amounts import counted

GROUP = "workloads"

HISTORY = Topic(
    group=GROUP,
    name="history",
    about="`revisionHistoryLimit` keeps the revisions that a rollback and `kubectl rollout undo` go back to",
    remedy="set `spec.revisionHistoryLimit` to 2 or more (10 is the default)",
)
PAUSED = Topic(
    group=GROUP,
    name="paused",
    about="The Deployment is not paused",
    remedy="`kubectl rollout resume`: while it is paused, every rollback is held",
)
STRATEGY = Topic(
    group=GROUP,
    name="strategy",
    about="The strategy is RollingUpdate: old pods run beside the new ones",
    remedy="use the strategy RollingUpdate where the workload allows it; with Recreate a person approves each rollback",
)
REPLICAS = Topic(
    group=GROUP,
    name="replicas",
    about="Two replicas or more run",
    remedy="run two replicas or more: one pod is little evidence, and nothing serves while it fails",
)
PROBES = Topic(
    group=GROUP,
    name="probes",
    about="Each container has a readiness probe",
    remedy="give each container a readiness probe: without one a pod takes traffic before it can serve it",
)
WAY_BACK = Topic(
    group=GROUP,
    name="way-back",
    about="A revision that was judged healthy, or adopted, is known: what a rollback would go back to",
    remedy="wait until a rollout is judged healthy or the running revision has stood for `timing.adoptedAfter`",
)
AUTOSCALER = Topic(
    group=GROUP,
    name="autoscaler",
    about="The autoscaler, where there is one, is active and keeps at least one replica",
    remedy="look at `kubectl describe hpa`; a workload at 0 replicas has no pods to judge, and its autoscaler is off",
)
TOPICS = (HISTORY, PAUSED, STRATEGY, REPLICAS, PROBES, WAY_BACK, AUTOSCALER)

One = Callable[[Facts, Selected], Check | None]
"""What is wrong with one workload, None where nothing is."""


def checks(facts: Facts) -> Iterator[Check]:
    """A line for each that is wrong; one for all where none is."""
    chosen = tuple(selected(facts))
    if not chosen:
        return
    subject = counted(len(chosen), "workload")
    for topic, one, fine in _EACH:
        wrong = [check for each in chosen if (check := one(facts, each)) is not None]
        yield from wrong or (topic.ok(subject, fine),)
    yield from _way_back(facts, chosen, subject)
    yield from _autoscalers(facts, chosen)


def history(_facts: Facts, each: Selected) -> Check | None:
    """With 0 the old ReplicaSet is deleted as soon as it has no pods. A release set goes back to a Deployment."""
    limit = each.seen.history_limit
    if limit > 1 or each.watch.colour_of:
        return None
    kept = "no old revision is kept" if limit == 0 else "only one old revision is kept"
    found = f"revisionHistoryLimit {limit}: {kept}; the guard goes back only to templates that it has saved itself"
    return HISTORY.warning(str(each.name), found, unit=each.unit)


def paused(_facts: Facts, each: Selected) -> Check | None:
    """A paused Deployment is in somebody's hands."""
    if not each.seen.workload.paused:
        return None
    do = f"`kubectl rollout resume deployment/{each.name.name} -n {each.name.namespace}`"
    return PAUSED.failed(str(each.name), "is paused: every rollback is held", do, unit=each.unit)


def strategy(_facts: Facts, each: Selected) -> Check | None:
    """Recreate has no old pods beside the new ones, and its undo is an outage. A release set has both colours."""
    found = each.seen.workload.strategy
    if found != "Recreate" or each.watch.colour_of:
        return None
    mode = " although its mode is automatic" if each.watch.mode is Mode.AUTOMATIC else ""
    return STRATEGY.warning(str(each.name), f"strategy Recreate: rolled back only by approval{mode}", unit=each.unit)


def replicas(_facts: Facts, each: Selected) -> Check | None:
    """None at all is another matter than one, and what an idle colour may have."""
    wanted = each.seen.workload.desired
    if wanted > 1 or each.resting:
        return None
    if wanted == 0:
        return REPLICAS.warning(str(each.name), "is scaled to 0: nothing runs, nothing is judged", unit=each.unit)
    return REPLICAS.warning(str(each.name), "runs one replica", unit=each.unit)


def probes(_facts: Facts, each: Selected) -> Check | None:
    """A pod without a probe is ready as soon as it runs."""
    if not each.seen.unprobed:
        return None
    found = f"no readiness probe: {', '.join(each.seen.unprobed)}"
    return PROBES.warning(str(each.name), found, unit=each.unit)


_EACH: tuple[tuple[Topic, One, str], ...] = (
    (HISTORY, history, "old revisions are kept"),
    (PAUSED, paused, "none is paused"),
    (STRATEGY, strategy, "RollingUpdate"),
    (REPLICAS, replicas, "two replicas or more"),
    (PROBES, probes, "each container has a readiness probe"),
)


def _way_back(facts: Facts, chosen: tuple[Selected, ...], subject: str) -> Iterator[Check]:
    if isinstance(facts.units, Unknown):
        yield WAY_BACK.unknown(subject, facts.units, "look as somebody who may list GuardedUnits")
        return
    records = {record.name: record for record in facts.units}
    plain = [each for each in chosen if not each.watch.colour_of]
    wrong = [
        *(_no_way_back(facts, str(each.name), each.unit, records.get(each.unit)) for each in plain),
        *(
            _no_way_back(facts, f"{each.namespace}/{each.name}", unit_of(each), records.get(unit_of(each)))
            for each in facts.policy.release_sets()
        ),
    ]
    yield from filter(None, wrong) if any(wrong) else [WAY_BACK.ok(subject, "a good revision of each is known")]


def _no_way_back(facts: Facts, subject: str, unit: UnitName, record: UnitRecord | None) -> Check | None:
    after = durations.format_(facts.policy.timing.adopted_after)
    if record is None:
        found = "no way back yet: the guard has not seen it"
        do = f"start the guard; it adopts what has stood complete and unchanged for {after}"
        return WAY_BACK.warning(subject, found, do, unit=unit)
    if not record.good():
        found = "no way back yet: no revision was judged healthy, none has stood long enough"
        do = f"wait: it is adopted after {after} complete and unchanged, or judged healthy after a rollout"
        return WAY_BACK.warning(subject, found, do, unit=unit)
    live = {each.side.workload.name: each.side.digest for each in record.live}
    good = {(each.workload, each.digest) for each in record.good()}
    doubtful = sorted(name for name, digest in live.items() if (name, digest) not in good)
    if not doubtful:
        return None
    found = (
        f"no way back yet to what is live: {', '.join(doubtful)} was not judged healthy and has not stood long enough"
    )
    do = f"wait: it is adopted after {after} complete and unchanged, or judged healthy after a rollout"
    return WAY_BACK.warning(subject, found, do, unit=unit)


def _autoscalers(facts: Facts, chosen: tuple[Selected, ...]) -> Iterator[Check]:
    by_target: dict[object, Autoscaler] = {}
    for namespace in facts.namespaces:
        if isinstance(namespace.autoscalers, Unknown):
            do = "look as somebody who may list HorizontalPodAutoscalers"
            yield AUTOSCALER.unknown(namespace.name, namespace.autoscalers, do)
        else:
            by_target |= {each.target: each for each in namespace.autoscalers}
    for each in chosen:
        scaler = by_target.get(each.name)
        if scaler is not None:
            yield _autoscaler(each, scaler)


def _autoscaler(each: Selected, scaler: Autoscaler) -> Check:
    subject = f"{scaler.name} of {each.name}"
    if each.resting:
        return AUTOSCALER.ok(subject, "is off while the colour is idle at 0 replicas", unit=each.unit)
    if each.seen.workload.desired == 0:
        found = "is off, because the workload is at 0 replicas"
        return AUTOSCALER.warning(subject, found, unit=each.unit)
    if scaler.minimum == 0:
        return AUTOSCALER.warning(subject, "minReplicas 0: it may take every pod away", unit=each.unit)
    if scaler.inactive:
        return AUTOSCALER.warning(subject, f"does not scale: {scaler.inactive}", unit=each.unit)
    return AUTOSCALER.ok(subject, f"active, at least {scaler.minimum}", unit=each.unit)
