"""What people ask for in `spec.requests`, each handled exactly once.

A request is marked as handled after its effect is in the cluster; an effect that is there already is not had again.
"""

from __future__ import annotations

from dataclasses import replace

from rollguard import observe, undo
from rollguard.loop import changes, opening, surroundings
from rollguard.loop.context import Context, Memory
from rollguard.loop.transitions import note, transit
from rollguard.loop.workers import Priority
from rollguard.model.action import Target
from rollguard.model.facts import UnitFacts
from rollguard.model.lifecycle import ApprovalGiven, ApprovalRefused, Tell
from rollguard.model.names import UnitName, WorkloadKind
from rollguard.model.notices import NoticeClass
from rollguard.model.records import HumanRequest, LifecycleState, RequestKind, RolloutRecord, TimelineEntry, UnitRecord
from rollguard.observe import Begun

OPEN_TO_ORDERS = (LifecycleState.WATCHING, LifecycleState.AWAITING_APPROVAL, LifecycleState.HELD)
OPEN_TO_REJECTION = (LifecycleState.AWAITING_APPROVAL, LifecycleState.PLANNED)
AGAIN = 0.5
SETTLING = 10.0
"""Seconds that an order waits for the rollout that it is for to be taken under guard."""
NO_COLOUR = (
    "there is no other colour to go back to whose Deployments are there and settled, or the members are live on two"
    " colours: --only takes one of them back"
)


def pending(unit: UnitRecord) -> tuple[HumanRequest, ...]:
    """The requests that were not handled yet, the oldest first."""
    return tuple(sorted((r for r in unit.requests if r.id not in unit.handled_requests), key=lambda r: (r.at, r.id)))


def order_of(unit: UnitRecord, record: RolloutRecord) -> HumanRequest | None:
    """The rollback that a person ordered and that has no plan yet."""
    return next((r for r in pending(unit) if r.kind is RequestKind.ROLLBACK and r.rollout in (None, record.id)), None)


async def close_order(context: Context, record: RolloutRecord) -> None:
    """The order behind a plan that was stored or refused is handled."""
    unit = context.store.unit(record.unit)
    order = order_of(unit, record) if unit is not None else None
    if order is not None:
        await mark_handled(context, record.unit, order)


async def mark_handled(context: Context, unit: UnitName, request: HumanRequest) -> None:
    """Never again."""
    await context.store.change_unit(unit, lambda u: changes.handled(u, request.id))


async def handle_all(context: Context, memory: Memory, facts: UnitFacts) -> None:
    """Handles what is pending for the unit, in order."""
    name = UnitName.of_workload(memory.workload)
    unit = context.store.unit(name)
    if unit is None:
        return
    for request in pending(unit):
        record = context.store.rollout(name)
        match request.kind:
            case RequestKind.ROLLBACK:
                await _rollback(context, memory, request, record, facts)
            case RequestKind.RESOLVE:
                await _resolve(context, name, request, record)
            case _:
                await _answer(context, unit, request, record)


async def _answer(context: Context, unit: UnitRecord, request: HumanRequest, record: RolloutRecord | None) -> None:
    """Approvals, rejections, acknowledgements: of the rollout that is meant, else they come too late."""
    meant = record if record is not None and request.rollout in (None, record.id) else None
    state = meant.state if meant is not None else LifecycleState.CLOSED
    line = human(request, f"{request.kind.value.capitalize()}: {request.reason}")
    if request.kind is RequestKind.ACKNOWLEDGE:
        if meant is not None:
            await note(context, meant, lambda r: changes.with_entries(r, (line,)))
    elif meant is not None and request.kind is RequestKind.APPROVE and state is LifecycleState.AWAITING_APPROVAL:
        given = ApprovalGiven(actor=request.actor, reason=f"approved: {request.reason}")
        await transit(context, meant, given, entries=(line,))
    elif meant is not None and request.kind is RequestKind.REJECT and state in OPEN_TO_REJECTION:
        await transit(context, meant, ApprovalRefused(actor=request.actor, reason=request.reason), entries=(line,))
    else:
        text = f"{request.actor}'s answer {request.id} ({request.kind.value}): {_unasked(request.kind, meant)}"
        tell = Tell(class_=NoticeClass.INFO, topic="answer-unasked", reason=text, anew=True)
        await _tell_back(context, unit, tell, line, meant)
    await mark_handled(context, unit.name, request)


def _unasked(kind: RequestKind, record: RolloutRecord | None) -> str:
    """What an answer means where no question is open."""
    if record is None:
        return "there is no rollout that it could be for (any more)"
    if record.state not in OPEN_TO_ORDERS:
        return "a rollback is under way already" + (
            ": only a freeze stops it" if kind is RequestKind.REJECT else ", and goes on"
        )
    if kind is RequestKind.REJECT:
        return "no rollback is asked about; from here on this rollout is held instead of being rolled back"
    held = f"the rollback is held ({record.why})" if record.state is LifecycleState.HELD else "the rollout is watched"
    return f"no rollback waits for approval: {held}; to roll back nevertheless, order it"


async def _resolve(context: Context, unit: UnitName, request: HumanRequest, record: RolloutRecord | None) -> None:
    """The incident of the named rollout, or of the present one, is over because a person says so."""
    meant = record
    if request.rollout is not None and (record is None or record.id != request.rollout):
        meant = await context.store.fetch_rollout(unit, request.rollout)
    if meant is not None and meant.incident and meant.incident_resolved is None:
        now = context.now()
        line = human(request, f"Incident resolved: {request.reason}")
        await note(context, meant, lambda r: changes.with_entries(replace(r, incident_resolved=now), (line,)))
        context.store.forget_settled()
    await mark_handled(context, unit, request)


async def _rollback(
    context: Context, memory: Memory, request: HumanRequest, record: RolloutRecord | None, facts: UnitFacts
) -> None:
    """An order leads to a plan, by the executor, which marks it as handled; or it is refused with the reason.

    Nothing is opened for an order that is refused.
    """
    name = UnitName.of_workload(memory.workload)
    unit = context.store.unit(name)
    if unit is None:
        return
    if request.rollout is not None and (record is None or record.id != request.rollout):
        await refuse(context, unit, request, f"the rollout {request.rollout} is over")
    elif _unseen(context, memory, unit, request, record=record, facts=facts):
        context.workers.later(AGAIN, Priority.WAKE, name)
    elif record is None:
        await _without_rollout(context, memory, unit, request, facts)
    elif record.state in OPEN_TO_ORDERS:
        if _unsettled(context, request, record.target_digest, facts):
            context.workers.later(AGAIN, Priority.WAKE, name)
            return
        target = _target(context, memory, unit, request, record=record, facts=facts)
        if isinstance(target, undo.Refused):
            await refuse(context, unit, request, target.reason, record)
        else:
            await _accept(context, record, request)
    elif record.state is not LifecycleState.PLANNED:
        if apart := _not_under_way(request, record):
            await refuse(context, unit, request, apart, record)
            return
        line = human(request, f"Rollback ordered: {request.reason}; one is under way already")
        await note(context, record, lambda r: changes.with_entries(r, (line,)))
        await mark_handled(context, name, request)


def _not_under_way(request: HumanRequest, record: RolloutRecord) -> str:
    """What of the order the rollback that is under way does not do, in words; empty where it does all of it."""
    if record.plan is None:
        return ""
    wanted = {request.only} if request.only else {passage.member for passage in record.passages}
    moved = undo.members_moved(record.plan)
    if not wanted - moved:
        return ""
    rest, first = (", ".join(sorted(members)) for members in (wanted - moved, moved))
    return f"{first} goes back at this moment, without {rest}: order that once it is over"


async def _without_rollout(
    context: Context, memory: Memory, unit: UnitRecord, request: HumanRequest, facts: UnitFacts
) -> None:
    """Opens a rollout of what runs now for the order, unless it is refused."""
    begun = _begun_by_order(context, memory, unit, request, facts)
    fresh = begun is None or unit.last_target not in (None, begun.target)
    if _unsettled(context, request, "" if begun is None or fresh else begun.target_digest, facts):
        context.workers.later(AGAIN, Priority.WAKE, unit.name)
        return
    if begun is None:
        gone = "the workload is gone, or its status is behind its spec"
        await refuse(context, unit, request, gone if memory.watch.release_set is None else NO_COLOUR)
        return
    imagined = opening.new_record(context, memory, begun, facts, order=request.id)
    target = _target(context, memory, unit, request, record=imagined, facts=facts)
    if isinstance(target, undo.Refused):
        await refuse(context, unit, request, target.reason)
        return
    record = await opening.open_rollout(context, memory, begun, facts, order=request.id)
    if record is None:
        await refuse(context, unit, request, "it was carried out or given up before")
        return
    await _accept(context, record, request)


def _begun_by_order(
    context: Context, memory: Memory, unit: UnitRecord, request: HumanRequest, facts: UnitFacts
) -> Begun | None:
    release_set = memory.watch.release_set
    if release_set is not None:
        return opening.set_without_rollout(unit, release_set, request, facts, context)
    return opening.ordered_without_rollout(unit, request, facts, context)


def _target(
    context: Context,
    memory: Memory,
    unit: UnitRecord,
    request: HumanRequest,
    *,
    record: RolloutRecord,
    facts: UnitFacts,
) -> Target | undo.Refused:
    situation = surroundings.situation(context, memory, unit, record, facts)
    doubts = memory.decision.interlocks if memory.decision is not None and memory.judged == record.id else ()
    return undo.manual(situation, request, doubts, context.now())


def _unsettled(context: Context, request: HumanRequest, rolled_out: str, facts: UnitFacts) -> bool:
    """Whether another template is on its way than the rollout's: which one a new order is for shows in a moment."""
    alone = facts.unit.guards is WorkloadKind.DEPLOYMENT
    if not alone or not facts.members or context.now().since(request.at) > SETTLING:
        return False
    runs = facts.members[0].template.digest
    return runs != rolled_out or request.against not in ("", runs)


def _unseen(
    context: Context,
    memory: Memory,
    unit: UnitRecord,
    request: HumanRequest,
    *,
    record: RolloutRecord | None,
    facts: UnitFacts,
) -> bool:
    """Whether members of the set were switched that its rollout does not know yet: this look takes them in, and the
    order is for them as well. Not for ever: an order that has become too old is refused as that."""
    release_set = memory.watch.release_set
    outdated = context.now().since(request.at) > context.policy.timing.plan_expiry
    settled = record is not None and record.state not in OPEN_TO_ORDERS
    if release_set is None or context.settings.orders_only or outdated or settled or not facts.complete:
        return False
    known = {passage.member for passage in record.passages} if record is not None else set[str]()
    seen = observe.passages(unit, release_set, facts, context.server_now())
    return any(passage.member not in known for passage in seen)


async def _accept(context: Context, record: RolloutRecord, request: HumanRequest) -> None:
    line = human(request, f"Rollback ordered: {request.reason}" + (" (forced)" if request.force else ""))
    given = ApprovalGiven(actor=request.actor, reason=request.reason)
    await transit(context, record, given, entries=(line,))


async def outdated(context: Context, record: RolloutRecord, runs: str) -> None:
    """Refuses the orders that were for this rollout, which is about to end, so that they do not hit the next one.

    `runs` is the digest of the template that runs instead: an order against that one stays.
    """
    unit = context.store.unit(record.unit)
    for request in pending(unit) if unit is not None else ():
        meant = request.rollout in (None, record.id) and request.against != runs
        if unit is not None and request.kind is RequestKind.ROLLBACK and meant:
            reason = f"it was ordered against revision {record.target_number}; another one runs now"
            await refuse(context, unit, request, reason)


async def refuse(
    context: Context, unit: UnitRecord, request: HumanRequest, reason: str, record: RolloutRecord | None = None
) -> None:
    """The order is handled, and who gave it is told why nothing is done."""
    text = f"{request.actor}'s rollback {request.id}: {reason}"
    tell = Tell(class_=NoticeClass.INFO, topic="order-refused", reason=text, anew=True)
    line = human(request, f"Rollback ordered and refused: {reason}")
    await _tell_back(context, unit, tell, line, record)
    await mark_handled(context, unit.name, request)


async def _tell_back(
    context: Context, unit: UnitRecord, tell: Tell, line: TimelineEntry, record: RolloutRecord | None
) -> None:
    """Who asked for something is told what became of it; once, as the line of the story is there once."""
    now = context.now()

    def told(present: RolloutRecord) -> RolloutRecord:
        noted = changes.with_entries(present, (line,))
        if noted == present:
            return present
        return changes.told(noted, tell, unit=unit, policy=context.policies.of(present), now=now)

    if record is not None:
        await note(context, record, told)
    else:
        await context.store.change_unit(unit.name, lambda u: changes.told_unit(u, tell, policy=context.policy, now=now))


def human(request: HumanRequest, text: str) -> TimelineEntry:
    """A line of the story whose actor is the person; the time is that of the request, so that it is told once."""
    return TimelineEntry(at=changes.to_milliseconds(request.at), kind="human", text=text, actor=request.actor)
