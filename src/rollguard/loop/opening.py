"""Takes units and rollouts under guard: first the unit's compare-and-swap, then the rollout's object (rule 1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from hashlib import sha256

from rollguard import observe
from rollguard.loop import changes, telling, timeline, units
from rollguard.loop.context import Context, LookAgain, Memory
from rollguard.loop.transitions import save, settle, tell_workloads, transit
from rollguard.model.facts import UnitFacts
from rollguard.model.judgement import Phase, VerdictKind
from rollguard.model.lifecycle import NewTarget, Tell
from rollguard.model.names import RolloutId, UnitName, WorkloadKind
from rollguard.model.notices import NoticeClass
from rollguard.model.policy import Mode, ReleaseSet
from rollguard.model.records import LifecycleState, Passage, RolloutRecord, TimelineEntry, UnitRecord
from rollguard.model.requests import HumanRequest
from rollguard.observe import Begun

OWNERS = 8


async def ensure_unit(context: Context, memory: Memory, facts: UnitFacts) -> UnitRecord:
    """The unit's record, created when it is first seen; started anew for another workload of the same name."""
    name = UnitName.of_workload(memory.workload)
    uid = facts.members[0].uid if facts.members and memory.workload.kind is WorkloadKind.DEPLOYMENT else ""
    unit = context.store.unit(name)
    if unit is None:
        fresh = UnitRecord(
            name=name,
            workload=memory.workload,
            uid=uid,
            mode=memory.watch.mode,
            team=memory.watch.team,
            release_set=memory.watch.release_set,
        )
        unit = await context.store.create_unit(fresh)
    if uid and unit.uid != uid and unit.current_rollout is None:
        unit = await context.store.change_unit(name, lambda u: _anew(u, uid))
    watch = memory.watch
    owners = _owners(facts) if facts.members else unit.owners

    def known(present: UnitRecord) -> UnitRecord:
        return replace(present, mode=watch.mode, team=watch.team, release_set=watch.release_set, owners=owners)

    return unit if known(unit) == unit else await context.store.change_unit(name, known)


def _owners(facts: UnitFacts) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(owner) for member in facts.members for owner in member.owners))[:OWNERS]


def _anew(unit: UnitRecord, uid: str) -> UnitRecord:
    """What is known of another workload of that name does not hold for this one."""
    if unit.uid == uid:
        return unit
    if not unit.uid:
        return replace(unit, uid=uid)
    return replace(
        unit,
        uid=uid,
        last_target=None,
        healthy=(),
        adopted=None,
        adopted_before=(),
        undone=(),
        automatic_rollbacks=(),
        charged_migrations=(),
    )


async def recover_current(context: Context, unit: UnitRecord) -> None:
    """Makes good a crash between two writes of opening or closing, and a unit's record that was deleted."""
    store = context.store
    id_ = unit.current_rollout
    for stray in store.strays(unit.name):
        if id_ is None:
            id_ = stray.id
            await store.change_unit(unit.name, _naming(stray.id))
        elif id_ != stray.id:
            await transit(context, stray, NewTarget(reason=f"{id_} is the unit's rollout"))
    store.no_strays(unit.name)
    present = store.rollout(unit.name)
    if id_ is None and present is not None and present.closed is None:
        await store.change_unit(unit.name, _naming(present.id))  # the unit's record was deleted and is new
    if id_ is None or (present is not None and present.closed is None):
        return
    # a known one that is closed: the answer to its last write was lost
    found = present if present is not None else await store.fetch_rollout(unit.name, id_)
    if found is None:
        await store.change_unit(unit.name, lambda u: replace(u, current_rollout=None))
    elif found.closed is None:
        store.make_current(found)
    else:
        await settle(context, found)


def _naming(id_: RolloutId) -> Callable[[UnitRecord], UnitRecord]:
    return lambda unit: replace(unit, current_rollout=id_)


async def open_rollout(
    context: Context, memory: Memory, begun: Begun, facts: UnitFacts, *, order: str = "", quiet: bool = False
) -> RolloutRecord | None:
    """The rollout, open and current; None where that very rollout was closed before.

    `order` is the id of the order that it is opened for, where nothing rolls out: then no rollout is told of. Nor is it
    where it is `quiet`.
    """
    now = context.now()

    def claim(unit: UnitRecord) -> UnitRecord:
        if unit.current_rollout not in (None, begun.id):
            raise LookAgain(f"{unit.name} has the rollout {unit.current_rollout}")
        counted = unit.switches + (bool(begun.passages) and unit.current_rollout is None)
        return replace(unit, current_rollout=begun.id, uid=begun.uid, switches=counted)

    unit = await context.store.change_unit(begun.unit, claim)
    record = new_record(context, memory, begun, facts, order=order)
    text = _beginning(begun, order)
    line = TimelineEntry(at=record.started, kind="rollout", text=text)
    record = timeline.with_entries(record, (line,))
    if not order and not quiet:
        tell = Tell(class_=NoticeClass.INFO, topic="rollout-began", reason=text)
        record = telling.told(record, tell, unit=unit, policy=context.policy, now=now)
    stored = await context.store.create_rollout(record)
    if stored.closed is not None:
        await settle(context, stored)
        if not begun.passages:
            await context.store.change_unit(begun.unit, lambda u: replace(u, last_target=begun.target))
        return None
    context.store.make_current(stored)
    for entry in (entry for entry in record.timeline if entry in stored.timeline):
        context.journal.append(stored.unit, stored.id, entry)
    tell_workloads(context, stored, "RolloutGuarded", text, warning=False)
    context.log("rollout-opened", {"unit": str(stored.unit), "rollout": stored.id})
    return stored


def _beginning(begun: Begun, order: str) -> str:
    if begun.passages and not order:
        return _switched(begun.passages)
    if order and begun.passages:
        return f"Nothing rolls out, {begun.passages[0].new.colour} serves: opened for the order {order}"
    if order:
        return f"Nothing rolls out, revision {begun.target_number} runs: opened for the order {order}"
    before = "" if begun.baseline_number is None else f" from revision {begun.baseline_number}"
    how = " was already under way" if begun.under_way else " began"
    return f"Rollout{how}{before} to revision {begun.target_number}"


def _switched(passages: tuple[Passage, ...]) -> str:
    moved = ", ".join(f"{p.member} (revision {p.old.number} to {p.new.number})" for p in passages)
    return f"Switch began from {passages[0].old.colour} to {passages[0].new.colour}: {moved}"


def new_record(context: Context, memory: Memory, begun: Begun, facts: UnitFacts, *, order: str = "") -> RolloutRecord:
    """The record as it is opened; one that is opened for an order does nothing by itself."""
    record = RolloutRecord(
        id=begun.id,
        unit=begun.unit,
        workload=begun.workload,
        uid=begun.uid,
        started=timeline.to_milliseconds(begun.since),
        target=begun.target,
        target_number=begun.target_number,
        target_digest=begun.target_digest,
        target_images=begun.target_images,
        baseline=begun.baseline,
        baseline_number=begun.baseline_number,
        baseline_images=begun.baseline_images,
        passages=begun.passages,
        policy_digest=context.policy.digest,
        mode=Mode.OBSERVE if order else memory.watch.mode,
        state=LifecycleState.WATCHING,
        phase=Phase.STARTUP,
        epoch=context.gate.epoch,
        verdict=VerdictKind.UNDECIDED,
        why="opened for an order" if order else "the rollout has just begun",
        order=order,
    )
    return changes.with_pods(record, facts)


def ordered_without_rollout(unit: UnitRecord, order: HumanRequest, facts: UnitFacts, context: Context) -> Begun | None:
    """A rollback that is ordered while nothing rolls out needs a rollout that carries its plan: of what runs now."""
    target = observe.settled_target(facts)
    if target is None:
        return None
    workload = facts.members[0]
    base = observe.rollout_id(workload.name, target.number, target.hash, workload.uid)
    return Begun(
        id=RolloutId(f"{base[: 253 - 9]}-{sha256(order.id.encode()).hexdigest()[:8]}"),  # a person's id may be no name
        unit=unit.name,
        workload=workload.name,
        uid=workload.uid,
        target=target.hash,
        target_number=target.number,
        target_digest=target.template.digest,
        target_images=target.template.images,
        baseline=None,
        baseline_number=None,
        baseline_images=(),
        since=context.now(),
        under_way=False,
    )


def set_without_rollout(
    unit: UnitRecord, release_set: ReleaseSet, order: HumanRequest, facts: UnitFacts, context: Context
) -> Begun | None:
    """The same for a release set: to the colours beside the live ones, where those are there; else None."""
    now = context.now()
    passages = observe.ways_back(unit, release_set, facts, now, only=order.only)
    return observe.switch_begun(unit, release_set, passages, facts, now) if passages else None


async def adopt(context: Context, unit: UnitRecord, facts: UnitFacts) -> None:
    """Adopts what has stood long enough, remembers what runs when nothing rolls out, keeps the good templates."""
    good = observe.adoption(unit, facts, context.policy.timing, context.now())
    if good is not None:
        await context.store.change_unit(unit.name, partial(units.with_adopted, good=good))
        context.log("adopted", {"unit": str(unit.name), "revision": good.number})
    target = observe.settled_target(facts)
    if unit.last_target is None and target is not None and facts.complete:
        hash_ = target.hash
        await context.store.change_unit(
            unit.name, lambda u: replace(u, last_target=hash_) if u.last_target is None else u
        )
    await _keep_templates(context, unit.name, facts)


async def _keep_templates(context: Context, name: UnitName, facts: UnitFacts) -> None:
    """Saves the template of the last healthy and of the adopted revision, where that has not been done yet."""
    unit = context.store.unit(name)
    if unit is None or not facts.members:
        return
    for good in (*unit.healthy[-1:], *((unit.adopted,) if unit.adopted is not None else ())):
        revision = facts.members[0].revision(good.hash)
        if good.saved or revision is None or revision.template.digest != good.digest:
            continue
        saved = await save(context, unit.workload, revision.template)
        if saved:
            await context.store.change_unit(name, partial(units.with_saved, hash_=good.hash, saved=saved))
