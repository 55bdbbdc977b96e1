"""Release sets: which members changed since nothing rolled out, and what of them is remembered when that is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from rollguard import observe, undo
from rollguard.loop import lives, opening, timeline, units
from rollguard.loop.context import Context, Memory
from rollguard.loop.judging import ending
from rollguard.loop.transitions import note, transit, unit_of
from rollguard.model.facts import UnitFacts
from rollguard.model.judgement import VerdictKind
from rollguard.model.lifecycle import NewTarget, WorkloadGone
from rollguard.model.names import RolloutId, UnitName, WorkloadKind, WorkloadName
from rollguard.model.policy import ReleaseSet
from rollguard.model.records import OWN_UNDO, LifecycleState, Passage, RolloutRecord, Side, TimelineEntry, UnitRecord
from rollguard.observe import Begun

SETTLING = 5.0
"""Seconds that the caches may take to show what the guard wrote."""
NEXT = 0.001
"""Seconds by which a rollout of what stayed begins after the one before it: the newest is the last to begin."""
_BY_HAND = "it was switched back by hand, not by the guard"


def workloads(memory: Memory) -> frozenset[WorkloadName]:
    """The Deployments of the unit."""
    release_set = memory.watch.release_set
    if release_set is not None:
        return frozenset(release_set.deployments())
    return frozenset() if memory.workload.kind is WorkloadKind.RELEASE_SET else frozenset({memory.workload})


async def opened(context: Context, memory: Memory, release_set: ReleaseSet, facts: UnitFacts) -> RolloutRecord | None:
    """The rollout that the members' colours show; else the set is at rest: remember what serves, and adopt."""
    unit = unit_of(context, facts.unit)
    now = context.server_now()
    seen = observe.passages(unit, release_set, facts, now)
    if seen:
        since = [memory.stayed.get(passage.member, now) for passage in seen]
        seen = tuple(replace(passage, since=began) for passage, began in zip(seen, since, strict=True))
        # who stayed is judged on what it did since its switch; who is switched now begins now
        begun = observe.switch_begun(unit, release_set, seen, facts, now if now in since else min(since))
        record = await opening.open_rollout(context, memory, begun, facts)
        memory.stayed = {}  # what comes after this one begins by itself
        return record
    memory.stayed = {}
    await _rest(context, unit, release_set, facts)
    return None


def taken_over(context: Context, memory: Memory) -> RolloutId | None:
    """The open rollout of the unit's release set that it is a new side of; None where there is none.

    A colour is watched by itself until it is switched to: what it does then is the set's to judge.
    """
    record = _of_whole(context, memory)
    if record is None:
        return None
    return record.id if any(passage.new.workload == memory.workload for passage in record.passages) else None


def tells(context: Context, memory: Memory, begun: Begun) -> bool:
    """Whether the beginning of a colour's own rollout is the release set's to tell, which it has done already.

    It is for the version that serves by the set's open rollout, and within `joinWindow` for what is put into the colour
    of another member that the set is being switched to: that joins. What goes wrong with it is told all the same.
    """
    record = _of_whole(context, memory)
    if record is None or record.order:
        return False
    if any((p.new.workload, p.new.digest) == (begun.workload, begun.target_digest) for p in record.passages):
        return True
    release_set, timing = unit_of(context, record.unit).release_set, context.policies.of(record).timing
    found = release_set.member_of(begun.workload.name) if release_set is not None else None
    if found is None or record.state in OWN_UNDO or stopped_half(record):
        return False
    beside = all(p.member != found[0].name and p.new.colour == found[1] for p in record.passages)
    return beside and begun.since.since(record.started) <= timing.join_within


def _of_whole(context: Context, memory: Memory) -> RolloutRecord | None:
    """The open rollout of the release set that the unit is a colour of."""
    workload = memory.workload
    if not memory.watch.colour_of:
        return None
    name = UnitName.of_workload(WorkloadName(workload.namespace, WorkloadKind.RELEASE_SET, memory.watch.colour_of))
    record = context.store.rollout(name)
    return record if record is not None and record.closed is None else None


async def _rest(context: Context, unit: UnitRecord, release_set: ReleaseSet, facts: UnitFacts) -> None:
    """Remembers what serves while nothing rolls out, and adopts what has stood long enough."""
    live = observe.at_rest(unit, release_set, facts)
    if live != unit.live:
        unit = await context.store.change_unit(unit.name, lambda u: replace(u, live=live))
    if not facts.complete:
        return
    for each in live:
        good = observe.side_adopted(unit, each, facts, context.policy.timing, context.now())
        if good is not None:
            await context.store.change_unit(unit.name, partial(units.with_adopted_side, good=good))
            context.log("adopted", {"unit": str(unit.name), "workload": good.workload, "revision": good.number})


async def let_go(context: Context, name: UnitName) -> None:
    """The unit stands for no Deployments any more: who names one means what guards it now."""
    unit = context.store.unit(name)
    if unit is None:
        return
    frozen = unit.freeze is not None and unit.freeze.until > context.now()
    if unit.release_set is not None and unit.freeze is not None and frozen:
        context.log("frozen-set-left", {"unit": str(name), "until": unit.freeze.until.iso(), "by": unit.freeze.actor})
    await context.store.change_unit(name, lambda unit: replace(unit, release_set=None))


async def remember(context: Context, memory: Memory, name: UnitName) -> None:
    """What serves now is what the set is at rest with: where its way back ends half way, for good."""
    release_set, facts = memory.watch.release_set, context.cluster.facts(name)
    if release_set is not None:
        await context.store.change_unit(name, lambda u: replace(u, live=observe.at_rest(u, release_set, facts)))


async def retarget(
    context: Context, memory: Memory, record: RolloutRecord, release_set: ReleaseSet, facts: UnitFacts
) -> RolloutRecord | None:
    """The rollout with the members that belong to it now; None once it is closed.

    While the guard itself switches back, the steps of its plan look at each object: nothing is concluded here. Once it
    is back, what is switched after that is a release of its own.
    """
    if not facts.complete or record.state in (LifecycleState.PLANNED, LifecycleState.ACTING):
        return record
    if unknown := [p for p in record.passages if not _known(release_set, p)]:
        names = ", ".join(passage.member for passage in unknown)
        reason = f"the policy's set {release_set.name} has no member {names} any more as it was released"
        return await _ended(context, memory, record, NewTarget(reason=reason))
    if record.state is LifecycleState.VERIFYING:
        return await _verified_on(context, memory, record, release_set, facts)
    stays = (facts.member(p.new.workload) or observe.left_behind(release_set, p, facts) for p in record.passages)
    if not any(stays):
        await transit(context, record, WorkloadGone(), change=ending(memory))
        return None
    if stopped_half(record) and _lately(context, record):
        return record
    unit, now = unit_of(context, record.unit), context.server_now()
    seen = {passage.member: passage for passage in observe.passages(unit, release_set, facts, now)}
    serving = {each.member: each.side for each in observe.serving(release_set, facts, unit.live)}
    if anew := [p for p in record.passages if _is_anew(p, serving[p.member], facts)]:
        return await _released_anew(context, memory, record, anew)
    back = [p for p in record.passages if _is_back(p, serving[p.member], facts)]
    if all(passage in back for passage in record.passages):
        colour, ours = record.passages[0].old.colour, stopped_half(record)
        whose = "the guard had begun it, and stopped before its end" if ours else _BY_HAND
        reason = f"{colour} serves again: {whose}"
        return await _ended(context, memory, record, NewTarget(reason=reason, back=True))
    replaced = [p for p in record.passages if p.member in seen and seen[p.member].new.digest != p.new.digest]
    if replaced:
        names = ", ".join(f"{p.new.workload.name} revision {seen[p.member].new.number}" for p in replaced)
        return await _ended(context, memory, record, NewTarget(reason=f"{names} is the target now"))
    if not observe.joined(record, tuple(seen.values()), facts, context.policies.of(record).timing, now):
        known = {passage.member for passage in record.passages}
        late = ", ".join(member for member in seen if member not in known)
        reason = f"{late} was switched too, later than joinWindow: the set is guarded anew with it"
        return await _ended(context, memory, record, NewTarget(reason=reason))
    by_hand = () if stopped_half(record) else tuple(back)
    return await _joined(context, record, facts, seen, back=by_hand, release_set=release_set)


def stopped_half(record: RolloutRecord) -> bool:
    """Whether the guard's own way back was given up when members may have been back already.

    From then on people decide: such a set is no more judged, and its members belong to the rollout until it is closed.
    """
    return bool(record.passages) and record.plan is not None and undo.stopped(record.plan)


def _lately(context: Context, record: RolloutRecord) -> bool:
    """Whether its plan was given up a moment ago: what was written may still be on its way into the caches."""
    ends = [step.over_at for step in record.plan.steps if step.over_at is not None] if record.plan is not None else []
    return bool(ends) and context.now().since(max(ends)) < SETTLING


def _is_back(passage: Passage, side: Side | None, facts: UnitFacts) -> bool:
    """Whether the old colour serves again, with what it had."""
    return side is not None and side.digest == passage.old.digest and _in_old_colour(passage, side, facts)


def _is_anew(passage: Passage, side: Side | None, facts: UnitFacts) -> bool:
    """Whether the old colour serves with another version than it had: the next release, in the colour that was idle."""
    return side is not None and side.digest != passage.old.digest and _in_old_colour(passage, side, facts)


def _in_old_colour(passage: Passage, side: Side, facts: UnitFacts) -> bool:
    """Whether the old colour serves. Without a Service the new one must have been ended: pods of it that are not ready
    at this moment will be at work again. Where it was deleted, the old one must be wanted."""
    if side.colour != passage.old.colour:
        return False
    if passage.service:
        return True
    new = facts.member(passage.new.workload)
    return new.desired == 0 if new is not None else _desired(passage.old, facts) > 0


async def _released_anew(
    context: Context, memory: Memory, record: RolloutRecord, anew: list[Passage]
) -> RolloutRecord | None:
    """The rollout ends, and what it was about is what serves before the next one."""
    names = ", ".join(passage.old.workload.name for passage in anew)
    await context.store.change_unit(
        record.unit, lambda unit: lives.with_live(unit, record, restored=False, replaced=False)
    )
    reason = f"{names} serves with another version than before: that is the release that is guarded now"
    return await _ended(context, memory, record, NewTarget(reason=reason))


async def _verified_on(
    context: Context, memory: Memory, record: RolloutRecord, release_set: ReleaseSet, facts: UnitFacts
) -> RolloutRecord | None:
    """The rollout that was undone, unless somebody has switched to the other colour since."""
    plan = record.plan
    if plan is None:
        return record
    first, moved = record.started.plus(NEXT), undo.members_moved(plan)
    memory.stayed = {p.member: max(p.since, first) for p in record.passages if p.member not in moved}
    if _lately(context, record):
        return record
    seen = observe.passages(unit_of(context, record.unit), release_set, facts, context.server_now())
    after = [p for p in seen if p.member not in memory.stayed and (p.service or _desired(p.new, facts))]
    if not after:
        return record
    names = ", ".join(f"{p.member} to {p.new.colour} (revision {p.new.number})" for p in after)
    reason = f"somebody has switched {names} since it was rolled back: that is the release that is guarded now"
    return await _ended(context, memory, record, NewTarget(reason=reason))


async def left_alone(context: Context, memory: Memory, record: RolloutRecord, facts: UnitFacts) -> RolloutRecord:
    """The rollout that was undone; closed where a member that stayed is bad: that is decided upon at once.

    One plan at a time: the one that took the others back is done, and the rollout of those that stayed has its own.
    """
    plan, release_set, unit = record.plan, memory.watch.release_set, unit_of(context, record.unit)
    if plan is None or release_set is None or not facts.complete:
        return record
    good, moved = {each.digest for each in unit.healthy}, undo.members_moved(plan)
    serves = {p.member: p.new.digest for p in observe.passages(unit, release_set, facts, context.server_now())}

    def stays(passage: Passage) -> bool:
        digest = passage.new.digest
        return passage.member not in moved and serves.get(passage.member) == digest and digest not in good

    bad = [each for each in memory.members if each.verdict.kind is VerdictKind.BAD and stays(each.passage)]
    if not bad:
        return record
    why = "; ".join(each.verdict.why for each in bad)
    reason = f"what stayed when the others went back is bad, and is guarded as a rollout of its own: {why}"
    return await transit(context, record, NewTarget(reason=reason), change=ending(memory))


def _desired(side: Side, facts: UnitFacts) -> int:
    workload = facts.member(side.workload)
    return workload.desired if workload is not None else 0


def _known(release_set: ReleaseSet, passage: Passage) -> bool:
    """Whether the policy still has the member, with the Service and the Deployments that it had."""
    sides = all(observe.is_of(release_set, passage.member, side) for side in (passage.old, passage.new))
    return sides and any((m.name, m.service) == (passage.member, passage.service) for m in release_set.members)


async def _ended(context: Context, memory: Memory, record: RolloutRecord, input_: NewTarget) -> RolloutRecord | None:
    after = await transit(context, record, input_, change=ending(memory))
    return after if after.closed is None else None


async def _joined(
    context: Context,
    record: RolloutRecord,
    facts: UnitFacts,
    seen: dict[str, Passage],
    *,
    back: tuple[Passage, ...],
    release_set: ReleaseSet,
) -> RolloutRecord:
    """The rollout with the members that joined or were switched back, and with the pods that a way back needs.

    `seen` are the members that do not serve as they did before it.
    """
    members = {**seen, **{passage.member: passage for passage in record.passages if passage not in back}}
    present = tuple(_grown(members[member.name], facts) for member in release_set.members if member.name in members)
    if present == record.passages:
        return record
    before = {passage.member for passage in record.passages}
    lines = [f"{p.member} joined: {p.old.colour} to {p.new.colour}" for p in present if p.member not in before]
    lines += [f"{p.member} was switched back to {p.old.colour} by hand" for p in back]
    now = context.now()
    entries = tuple(TimelineEntry(at=now, kind="rollout", text=text) for text in lines)
    return await note(context, record, _with(present, entries))


def _with(
    passages: tuple[Passage, ...], entries: tuple[TimelineEntry, ...]
) -> Callable[[RolloutRecord], RolloutRecord]:
    def changed(record: RolloutRecord) -> RolloutRecord:
        if record.state in OWN_UNDO or record.passages == passages:
            return record
        return timeline.with_entries(replace(record, passages=passages), entries)

    return changed


def _grown(passage: Passage, facts: UnitFacts) -> Passage:
    """As many pods are needed to go back as the new colour serves with by now."""
    ready = len(observe.ready_pods(facts, passage.new.workload))
    return passage if ready <= passage.needed else replace(passage, needed=ready)
