"""Moves a rollout through the state machine and writes what follows from it, in an order that survives a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from rollguard import lifecycle, observe, undo
from rollguard.loop import changes, lives, migrations, ticketing, timeline, units
from rollguard.loop.context import Context, LookAgain
from rollguard.loop.emitting import WorkloadEvent
from rollguard.model.action import Unknown
from rollguard.model.facts import Template, UnitFacts
from rollguard.model.lifecycle import LifecycleInput, MarkHealthy
from rollguard.model.names import TemplateHash, UnitName, WorkloadName
from rollguard.model.records import (
    LifecycleState,
    Outcome,
    RolloutRecord,
    TimelineEntry,
    UnitRecord,
)
from rollguard.model.time import Instant

RESTORED = (Outcome.ROLLED_BACK, Outcome.RECOVERED, Outcome.UNCONFIRMED, Outcome.DID_NOT_HELP)
"""Outcomes after which the old version is in place."""


def unchanged(record: RolloutRecord) -> RolloutRecord:
    """The record itself."""
    return record


async def note(
    context: Context, record: RolloutRecord, change: Callable[[RolloutRecord], RolloutRecord]
) -> RolloutRecord:
    """Writes a change that moves no state; new lines of the story go to the journal as well."""
    before = context.store.known(record.id) or record  # what the caller has may be older than its last write
    updated = await context.store.change_rollout(record.id, change)
    if updated.timeline != before.timeline:
        known = set(before.timeline)
        for entry in updated.timeline:
            if entry not in known:
                context.journal.append(updated.unit, updated.id, entry)
    return updated


async def transit(
    context: Context,
    record: RolloutRecord,
    input_: LifecycleInput,
    *,
    change: Callable[[RolloutRecord], RolloutRecord] = unchanged,
    entries: tuple[TimelineEntry, ...] = (),
) -> RolloutRecord:
    """The rollout after that input, with `change` and `entries` in the same write.

    Raises LookAgain where the record is in another state by now. A revision is kept as healthy before the rollout says
    so, and the unit is freed after it is closed: a crash between two writes is made good at the next look.
    """
    unit = context.store.unit(record.unit)
    if unit is None:
        raise LookAgain(f"unit {record.unit} is gone")
    now = context.now()
    expected = record.state

    def advance(present: RolloutRecord) -> RolloutRecord:
        if present.state is not expected:
            raise LookAgain(f"{present.id} is {present.state.value}, not {expected.value}")
        changed = timeline.with_entries(change(present), entries)
        transition = lifecycle.advance(present.state, input_)
        policy = context.policies.of(present)
        advanced = changes.advanced(changed, transition, unit=unit, policy=policy, now=now)
        return ticketing.ticketed(advanced, unit=unit, policy=policy, now=now)

    effects = lifecycle.advance(expected, input_).effects
    if any(isinstance(effect, MarkHealthy) for effect in effects):
        await mark_healthy(context, record, now)
    updated = await note(context, record, advance)
    if updated.state is not expected:
        _announce(context, updated)
        context.log(
            "state", {"rollout": updated.id, "from": expected.value, "to": updated.state.value, "why": updated.why}
        )
    if updated.closed is not None:
        await settle(context, updated)
    return updated


def _announce(context: Context, record: RolloutRecord) -> None:
    """Kubernetes Events on the workload for what its owners look for there."""
    match record.state:
        case LifecycleState.HELD:
            reason, text, warning = "RolloutHeld", record.why, True
        case LifecycleState.VERIFYING:
            done = record.plan.target.state if record.plan is not None else "the old version is put back"
            reason, text, warning = "RolledBack", f"{done[0].upper()}{done[1:]}: {record.why}", True
        case _:
            return
    tell_workloads(context, record, reason, text, warning=warning)


def tell_workloads(context: Context, record: RolloutRecord, reason: str, text: str, *, warning: bool) -> None:
    """A Kubernetes Event on the rollout's workload; of a release set on both colours of each member that changed."""
    sides = [side for passage in record.passages for side in (passage.new, passage.old)]
    for workload, uid in [(side.workload, side.uid) for side in sides] or [(record.workload, record.uid)]:
        context.events.emit(WorkloadEvent(workload=workload, uid=uid, reason=reason, text=text, warning=warning))


async def settle(context: Context, record: RolloutRecord) -> None:
    """Frees the unit of its closed rollout and remembers what is the target when nothing rolls out, and by which failed
    migrations the rollout was judged."""
    facts = context.cluster.facts(record.unit)

    def free(unit: UnitRecord) -> UnitRecord:
        if unit.current_rollout != record.id:
            return unit
        if record.passages:
            freed = _set_at_rest(replace(unit, current_rollout=None), record)
        else:
            freed = replace(unit, current_rollout=None, last_target=stable_target(record, unit) or unit.last_target)
        return units.with_charged(freed, migrations.charged(record, facts))

    await context.store.change_unit(record.unit, free)
    context.store.retire(record.unit)


def _set_at_rest(unit: UnitRecord, record: RolloutRecord) -> UnitRecord:
    """The release set's record with the colour that each member is live on after the rollout."""
    good = {each.digest for each in unit.healthy}
    judged = all(digest in good for digest in record.digests())
    replaced = record.outcome in (Outcome.SUPERSEDED, Outcome.GONE) and not judged
    if record.outcome is Outcome.PUT_BACK:
        return lives.with_put_back(unit, record)
    if record.outcome is Outcome.HELD and record.plan is not None and undo.stopped(record.plan):
        return unit  # half back: what serves was remembered when it was left so
    restored = record.outcome in RESTORED and record.plan is not None
    return lives.with_live(unit, record, restored=restored, replaced=replaced)


def stable_target(record: RolloutRecord, unit: UnitRecord) -> TemplateHash | None:
    """The revision that stands after the rollout; None where it never stood before something newer replaced it."""
    if record.outcome in RESTORED and record.plan is not None:
        return record.plan.target.hash
    judged = any(good.digest == record.target_digest for good in unit.healthy)
    replaced = record.outcome in (Outcome.SUPERSEDED, Outcome.PUT_BACK, Outcome.GONE)
    return None if replaced and not judged else record.target


async def mark_healthy(context: Context, record: RolloutRecord, now: Instant) -> None:
    """The rollout's revision becomes a valid target, its template is kept."""
    unit = unit_of(context, record.unit)
    facts = context.cluster.facts(record.unit)
    if record.passages:
        await _mark_members(context, record, facts, now)
        return
    if any(good.digest == record.target_digest and good.saved for good in unit.healthy[-1:]):
        return
    workload = next((w for w in facts.members if w.uid == record.uid), None)
    revision = workload.revision(record.target) if workload is not None else None
    if revision is None:
        raise LookAgain(f"revision {record.target_number} of {record.workload} is not in sight")
    saved = await save(context, record.workload, revision.template)
    good = observe.good_revision(revision, facts, now, saved)
    await context.store.change_unit(record.unit, lambda unit: units.with_good(unit, good))


async def _mark_members(context: Context, record: RolloutRecord, facts: UnitFacts, now: Instant) -> None:
    """Each member's new side becomes a way back: as it stands, so no template is kept."""
    for passage in record.passages:
        good = observe.good_side(passage.new, facts, now)
        if good is None:
            raise LookAgain(f"revision {passage.new.number} of {passage.new.workload} is not in sight")
        await context.store.change_unit(record.unit, partial(units.with_good, good=good))


async def save(context: Context, workload: WorkloadName, template: Template) -> str:
    """The name under which the template is kept, empty where the server did not answer (kept at a later look)."""
    timeout = context.settings.request_timeout
    context.gate.check(timeout)
    saved = await context.cluster.save_template(workload, template, timeout=timeout)
    if isinstance(saved, Unknown):
        context.log("template-not-saved", {"workload": str(workload), "detail": saved.detail})
        return ""
    return saved


def unit_of(context: Context, name: UnitName) -> UnitRecord:
    """The unit's record; raises LookAgain where it is gone."""
    unit = context.store.unit(name)
    if unit is None:
        raise LookAgain(f"unit {name} is gone")
    return unit
