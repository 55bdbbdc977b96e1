"""In the controller's place: what a rollback would do, and doing it where no controller lives, without metrics."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from rollguard import observe, undo
from rollguard.adapters.kubernetes import KubernetesCluster, KubernetesLeadership, KubernetesRecords, Look
from rollguard.cli import exits, output
from rollguard.cli.connect import Session, why_not
from rollguard.loop import Guard, Settings
from rollguard.loop.reading import read
from rollguard.model.action import Applied, Found, Plan, Target, Unknown
from rollguard.model.facts import Template, UnitFacts
from rollguard.model.judgement import Phase, VerdictKind
from rollguard.model.metrics import GapCause, MetricsAnswer, NoSnapshot, Question
from rollguard.model.names import Ref, RolloutId, UnitName, WorkloadName
from rollguard.model.policy import Limits, Links, MetricsStore, Mode, Policy, ReleaseSet, StoreAccess, Timing, Watch
from rollguard.model.records import (
    LifecycleState,
    Passage,
    RolloutRecord,
    StoredRollout,
    StoredUnit,
    TimelineEntry,
    UnitRecord,
)
from rollguard.model.requests import HumanRequest
from rollguard.model.situation import Situation, Surroundings
from rollguard.model.time import Instant, Mono
from rollguard.ports import Clock, Notifier

FACTS_WITHIN_S = 15.0
LOOK_EVERY_S = 0.1
TIMEOUT_S = 10.0
ACT_WITHIN_S = 300.0
ORDERS = Look(config=False)
"""An order needs no configuration, and not everybody who may give one may list ConfigMaps."""


class NoMetrics:
    """A metrics store that is not asked: a rollback that a person ordered needs none."""

    async def ask(self, question: Question, *, deadline: Mono) -> tuple[MetricsAnswer, ...]:  # noqa: ARG002
        """Says for each instant that nothing was asked."""
        detail = "acting in the controller's place, without metrics"
        return tuple(
            NoSnapshot(signal=question.signal, at=at, cause=GapCause.NOT_ASKED, detail=detail)
            for at in question.instants
        )

    def clock_offset(self) -> float | None:
        """Unknown."""
        return None

    async def close(self) -> None:
        """There is nothing to end."""


class NoChannels:
    """Nobody is told from here: what stands in the outbox is the controller's."""

    def connect(self, policy: Policy) -> tuple[Notifier, ...]:  # noqa: ARG002
        """None."""
        return ()

    def place(self, channel: str, policy: Policy) -> str:  # noqa: ARG002
        """Its name."""
        return channel

    def needs(self, policy: Policy) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        """It is for the controller to say."""
        return ()


class NoJournal:
    """No copy of the story: the command prints it, line by line, as it is written into the record."""

    def append(self, unit: UnitName, rollout: RolloutId | None, entry: TimelineEntry) -> None:
        """Writes nothing."""

    def problem(self) -> None:
        """It has none."""


async def dry_run(opened: Session, workload: WorkloadName, request: HumanRequest) -> Plan:
    """The plan of the rollback, after the server accepted all its writes in a dry run; changes nothing."""
    unit = UnitName.of_workload(workload)
    stored = await opened.records.read_unit(unit)
    if not isinstance(stored, StoredUnit):
        raise exits.CommandError(f"{unit} is not guarded; `rollguard status` lists what is")
    async with _cluster(opened, stored.record) as cluster:
        facts = await seen(cluster, unit, opened.clock)
        situation = await _situation(opened, stored.record, facts, request)
        target = undo.manual(situation, request, (), opened.clock.now())
        if isinstance(target, undo.Refused):
            raise exits.CommandError(target.reason)
        plan = await _plan(opened, cluster, situation, target, request)
        if isinstance(plan, undo.Refused):
            raise exits.CommandError(plan.reason)
        await _tried(cluster, plan, opened.clock.now())
    return plan


async def _plan(
    opened: Session, cluster: KubernetesCluster, situation: Situation, target: Target, request: HumanRequest
) -> Plan | undo.Refused:
    made = {"id": "dry-run", "reason": request.reason, "actor": request.actor}
    now = opened.clock.now()
    if situation.rollout.passages:
        return undo.plan_set(situation, **made, epoch=0, now=now, only=request.only)
    template = await _template(cluster, situation, target.hash)
    return undo.plan(situation, target, template, **made, epoch=0, now=now)


async def what_runs(opened: Session, workload: WorkloadName) -> str:
    """Digest of the template that the workload asks for now; empty where it cannot be read."""
    ref = Ref(workload.kind.value, workload.namespace, workload.name, "")
    rng = random.Random()  # noqa: S311 (jitter of retries)
    cluster = KubernetesCluster(opened.api, opened.clock, rng, namespaces=(workload.namespace,), look=ORDERS)
    found = await cluster.fetch(ref, timeout=TIMEOUT_S)
    return found.template_digest if isinstance(found, Found) else ""


class _RecordsOfOne(KubernetesRecords):
    """The records of one unit alone: those of all others are the controller's, and are not to be touched."""

    unit: UnitName

    async def list_units(self) -> tuple[StoredUnit, ...] | Unknown:
        """The unit, where it exists."""
        listed = await super().list_units()
        return listed if isinstance(listed, Unknown) else tuple(s for s in listed if s.record.name == self.unit)

    async def list_rollouts(self, *, open_only: bool) -> tuple[StoredRollout, ...] | Unknown:
        """The unit's rollouts."""
        listed = await super().list_rollouts(open_only=open_only)
        return listed if isinstance(listed, Unknown) else tuple(s for s in listed if s.record.unit == self.unit)


async def stand_in(opened: Session, workload: WorkloadName, request: HumanRequest) -> None:
    """Takes the Lease once it has expired and works on this one unit until the order is handled and acted upon."""
    unit = UnitName.of_workload(workload)
    stored = await opened.records.read_unit(unit)
    if not isinstance(stored, StoredUnit):
        raise exits.CommandError(f"{unit} cannot be read", exits.UNREACHABLE)
    rng = random.Random()  # noqa: S311 (jitter of retries)
    settings = Settings(namespace=opened.guard_namespace, orders_only=True)
    async with (
        _cluster(opened, stored.record) as cluster,
        _RecordsOfOne(opened.api, opened.clock, rng, namespaces=(workload.namespace,)) as records,
    ):
        records.unit = unit
        guard = Guard(
            _policy(stored.record),
            cluster=cluster,
            records=records,
            leadership=KubernetesLeadership(
                opened.api, opened.clock, namespace=settings.namespace, identity=f"cli-{secrets.token_hex(4)}"
            ),
            metrics=lambda _store: NoMetrics(),
            channels=NoChannels(),
            journal=NoJournal(),
            clock=opened.clock,
            settings=settings,
            log=_quiet,
        )
        running = asyncio.create_task(guard.run())
        try:
            await _until_acted(records, unit, request, opened.clock)
        finally:
            guard.stop()
            await running


async def _until_acted(records: KubernetesRecords, unit: UnitName, request: HumanRequest, clock: Clock) -> None:
    """Returns when the order is handled and no plan of the unit is under way any more."""
    under_way = (LifecycleState.PLANNED, LifecycleState.ACTING)
    began = clock.mono()
    while clock.mono().since(began) < ACT_WITHIN_S:
        stored = await records.read_unit(unit)
        if isinstance(stored, StoredUnit) and request.id in stored.record.handled_requests:
            current = stored.record.current_rollout
            rollout = None if current is None else await records.read_rollout(unit, current)
            state = getattr(getattr(rollout, "record", None), "state", None)
            if state not in under_way:
                return
        await clock.sleep_until(clock.mono().plus(LOOK_EVERY_S * 5))
    output.note(f"the order was not acted upon within {ACT_WITHIN_S / 60:.0f} min")


@asynccontextmanager
async def _cluster(opened: Session, unit: UnitRecord) -> AsyncIterator[KubernetesCluster]:
    rng = random.Random()  # noqa: S311 (jitter of retries)
    namespaces = (unit.name.namespace,)
    async with KubernetesCluster(opened.api, opened.clock, rng, namespaces=namespaces, look=ORDERS) as cluster:
        cluster.sets((unit.release_set,) if unit.release_set is not None else ())
        cluster.guard(frozenset({unit.name}))
        yield cluster


async def seen(cluster: KubernetesCluster, unit: UnitName, clock: Clock) -> UnitFacts:
    """The unit's facts, once they are complete; ends the command where they do not become so."""
    began = clock.mono()
    facts = cluster.facts(unit)
    while not facts.complete:
        if clock.mono().since(began) > FACTS_WITHIN_S:
            raise exits.CommandError(
                f"the cluster is not seen completely: {'; '.join(facts.missing)}", exits.UNREACHABLE
            )
        await clock.sleep_until(clock.mono().plus(LOOK_EVERY_S))
        facts = cluster.facts(unit)
    return facts


async def _template(cluster: KubernetesCluster, situation: Situation, hash_: str) -> Template:
    for workload in situation.facts.members:
        for revision in workload.revisions:
            if revision.hash == hash_:
                return revision.template
    saved = next((good.saved for good in situation.good() if good.hash == hash_ and good.saved), "")
    loaded = await cluster.load_template(situation.unit.name.namespace, saved, timeout=TIMEOUT_S) if saved else None
    if not isinstance(loaded, Template):
        raise exits.CommandError("the revision is no longer in the history, and its template was not saved")
    return loaded


async def _tried(cluster: KubernetesCluster, plan: Plan, now: Instant) -> None:
    readings = await read(cluster, tuple(dict.fromkeys(step.target for step in plan.steps)), timeout=TIMEOUT_S)
    unread = [found.detail for found in readings.values() if isinstance(found, Unknown)]
    if unread:
        raise exits.CommandError(f"not everything can be read: {unread[0]}", exits.UNREACHABLE)
    trials = undo.trials(plan, readings, now)
    if isinstance(trials, undo.Refused):
        raise exits.CommandError(trials.reason)
    for step, write in trials:
        outcome = await cluster.apply(write, dry_run=True, timeout=TIMEOUT_S)
        if not isinstance(outcome, Applied):
            raise exits.CommandError(f"the server would not take it: {why_not(outcome)}")
        if changed := undo.changed(step, outcome):
            raise exits.CommandError(changed)


async def _situation(opened: Session, unit: UnitRecord, facts: UnitFacts, request: HumanRequest) -> Situation:
    policy = _policy(unit)
    if not facts.members:
        raise exits.CommandError(f"{unit.workload} does not exist")
    rollout = _of_what_runs(unit, facts, opened.clock)
    if unit.release_set is not None:
        rollout = replace(rollout, passages=await _passages(opened, unit, unit.release_set, facts, request.only))
    return Situation(
        unit=unit,
        rollout=rollout,
        facts=facts,
        around=Surroundings(siblings=(), fleet_rollbacks=(), clock_offset=None, freeze_all=None),
        watch=policy.watches[0],
        mode=Mode.OBSERVE,
        timing=policy.timing,
        limits=policy.limits,
    )


async def _passages(
    opened: Session, unit: UnitRecord, release_set: ReleaseSet, facts: UnitFacts, only: str
) -> tuple[Passage, ...]:
    """The members that the present rollout changed; where nothing rolls out, all that have another colour."""
    current = unit.current_rollout
    stored = await opened.records.read_rollout(unit.name, current) if current is not None else None
    if isinstance(stored, StoredRollout):
        return stored.record.passages
    return observe.ways_back(unit, release_set, facts, opened.clock.now(), only=only)


def _of_what_runs(unit: UnitRecord, facts: UnitFacts, clock: Clock) -> RolloutRecord:
    """A rollout to what the workload's spec asks for now, as an order opens one."""
    workload = facts.members[0]
    target = workload.target()
    if target is None:
        raise exits.CommandError(f"the status of {workload.name} is behind its spec: try again in a moment")
    return RolloutRecord(
        id=RolloutId("dry-run"),
        unit=unit.name,
        workload=unit.workload,
        uid=workload.uid,
        started=clock.now(),
        target=target.hash,
        target_number=target.number,
        target_digest=target.template.digest,
        target_images=target.template.images,
        baseline=None,
        baseline_number=None,
        baseline_images=(),
        policy_digest="",
        mode=Mode.OBSERVE,
        state=LifecycleState.WATCHING,
        phase=Phase.STARTUP,
        epoch=0,
        verdict=VerdictKind.UNDECIDED,
        why="",
    )


def _policy(unit: UnitRecord) -> Policy:
    """Guards this one unit, and does nothing but what people order."""
    watch = Watch(
        name=unit.workload.name,
        namespace=unit.workload.namespace,
        workloads=() if unit.release_set is not None else (unit.workload.name,),
        selector=(),
        mode=Mode.OBSERVE,
        signals=(),
        called_by=(),
        release_set=unit.release_set,
    )
    store = MetricsStore(
        address="",
        namespace_label="namespace",
        pod_label="pod",
        workload_label="",
        match="",
        auth=StoreAccess(),
        scrape_interval=15.0,
    )
    return Policy(
        name="ordered",
        digest="ordered",
        cluster="",
        time_zone="UTC",
        metrics=store,
        watches=(watch,),
        signals=(),
        timing=replace(Timing(), tick=1.0),
        limits=Limits(),
        on_timeout_roll_back=False,
        webhooks=(),
        links=Links(),
    )


def _quiet(event: str, fields: Mapping[str, str | int | float]) -> None:
    """What matters of the stand-in's work is in the rollout's story, which the command prints; errors are shown."""
    if "traceback" in fields:
        output.note(f"{event}: {fields['traceback']}")
