"""Rollbacks that people order, each carried out once or refused with the reason."""

from __future__ import annotations

from rollguard import observe, undo
from rollguard.lifecycle import response
from rollguard.loop import opening, surroundings, timeline
from rollguard.loop.context import Context, Memory
from rollguard.loop.requests import OPEN_TO_PEOPLE, human, mark_handled, pending, tell_back
from rollguard.loop.transitions import note, transit
from rollguard.loop.workers import Priority
from rollguard.model.action import Target
from rollguard.model.facts import UnitFacts
from rollguard.model.handling import Acknowledgement
from rollguard.model.lifecycle import ApprovalGiven, Tell
from rollguard.model.names import UnitName, WorkloadKind
from rollguard.model.notices import NoticeClass
from rollguard.model.records import LifecycleState, RolloutRecord, UnitRecord
from rollguard.model.requests import HumanRequest, RequestKind
from rollguard.observe import Begun

AGAIN = 0.5
SETTLING = 10.0
"""Seconds that an order waits for the rollout that it is for to be taken under guard."""
NO_COLOUR = (
    "there is no other colour to go back to whose Deployments are there and settled, or the members are live on two"
    " colours: --only takes one of them back"
)


def order_of(unit: UnitRecord, record: RolloutRecord) -> HumanRequest | None:
    """The rollback that a person ordered and that has no plan yet."""
    return next((r for r in pending(unit) if r.kind is RequestKind.ROLLBACK and r.rollout in (None, record.id)), None)


async def close_order(context: Context, record: RolloutRecord) -> None:
    """The order behind a plan that was stored or refused is handled."""
    unit = context.store.unit(record.unit)
    order = order_of(unit, record) if unit is not None else None
    if order is not None:
        await mark_handled(context, record.unit, order)


async def handle(
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
    elif record.state in OPEN_TO_PEOPLE:
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
        await note(context, record, lambda r: timeline.with_entries(r, (line,)))
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
    settled = record is not None and record.state not in OPEN_TO_PEOPLE
    if release_set is None or context.settings.orders_only or outdated or settled or not facts.complete:
        return False
    known = {passage.member for passage in record.passages} if record is not None else set[str]()
    seen = observe.passages(unit, release_set, facts, context.server_now())
    return any(passage.member not in known for passage in seen)


async def _accept(context: Context, record: RolloutRecord, request: HumanRequest) -> None:
    line = human(request, f"Rollback ordered: {request.reason}" + (" (forced)" if request.force else ""))
    given = ApprovalGiven(actor=request.actor, reason=request.reason)
    by = Acknowledgement(actor=request.actor, at=context.now())
    await transit(context, record, given, change=lambda r: response.acknowledged(r, by), entries=(line,))


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
    await tell_back(context, unit, tell, line, record)
    await mark_handled(context, unit.name, request)
