"""What people ask for in `spec.requests`, each handled exactly once: orders, answers to a page, words on a finding."""

from __future__ import annotations

from dataclasses import replace

from rollguard.lifecycle import findings, response, tickets
from rollguard.loop import orders, telling, ticketing, timeline
from rollguard.loop.context import Context, Memory
from rollguard.loop.requests import OPEN_TO_PEOPLE, human, mark_handled, pending, tell_back
from rollguard.loop.transitions import note, transit
from rollguard.model.facts import UnitFacts
from rollguard.model.handling import Acknowledgement
from rollguard.model.lifecycle import ApprovalGiven, ApprovalRefused, TakenOn, Tell
from rollguard.model.names import UnitName
from rollguard.model.notices import NoticeClass
from rollguard.model.records import LifecycleState, RolloutRecord, TimelineEntry, UnitRecord
from rollguard.model.requests import HumanRequest, RequestKind
from rollguard.model.time import Instant

OPEN_TO_REJECTION = (LifecycleState.AWAITING_APPROVAL, LifecycleState.PLANNED)
DECISIONS = (RequestKind.APPROVE, RequestKind.REJECT, RequestKind.INVESTIGATE)
SAID = {
    RequestKind.ACKNOWLEDGE: "Acknowledged",
    RequestKind.NOTE: "Note",
    RequestKind.TICKET: "Ticket wanted",
    RequestKind.RESOLVE: "Incident resolved",
    RequestKind.APPROVE: "Approve",
    RequestKind.REJECT: "Reject",
    RequestKind.INVESTIGATE: "Investigate",
}
"""How the line of the story begins."""


async def handle_all(context: Context, memory: Memory, facts: UnitFacts) -> None:
    """Handles what is pending for the unit, in order."""
    name = UnitName.of_workload(memory.workload)
    unit = context.store.unit(name)
    if unit is None:
        return
    for request in pending(unit):
        record = context.store.rollout(name)
        if request.kind is RequestKind.ROLLBACK:
            await orders.handle(context, memory, request, record, facts)
        elif request.kind in DECISIONS:
            await _decide(context, unit, request, record)
        else:
            await _said(context, unit, request, record)


async def _decide(context: Context, unit: UnitRecord, request: HumanRequest, record: RolloutRecord | None) -> None:
    """Approvals, rejections, and who looks into it: of the rollout that is meant, else they come too late."""
    meant = record if record is not None and record.is_meant(request) else None
    state = meant.state if meant is not None else LifecycleState.CLOSED
    line = _line(request)
    given: ApprovalGiven | ApprovalRefused | TakenOn | None = None
    if request.kind is RequestKind.APPROVE and state is LifecycleState.AWAITING_APPROVAL:
        given = ApprovalGiven(actor=request.actor, reason=f"approved: {request.reason}")
    elif request.kind is RequestKind.REJECT and state in OPEN_TO_REJECTION:
        given = ApprovalRefused(actor=request.actor, reason=request.reason)
    elif request.kind is RequestKind.INVESTIGATE and state in OPEN_TO_PEOPLE:
        given = TakenOn(actor=request.actor, reason=request.reason)
    if meant is not None and given is not None:
        by = Acknowledgement(actor=request.actor, at=context.now())
        await transit(context, meant, given, change=lambda r: response.acknowledged(r, by), entries=(line,))
    else:
        await _unheard(context, unit, request, _unasked(request.kind, meant), meant)
    await mark_handled(context, unit.name, request)


def _unasked(kind: RequestKind, record: RolloutRecord | None) -> str:
    """What an answer means where no question is open."""
    if record is None:
        return "there is no rollout that it could be for (any more)"
    if record.state not in OPEN_TO_PEOPLE:
        return "a rollback is under way already" + (
            ": only a freeze stops it" if kind is RequestKind.REJECT else ", and goes on"
        )
    if kind is RequestKind.REJECT:
        return "no rollback is asked about; from here on this rollout is held instead of being rolled back"
    held = f"the rollback is held ({record.why})" if record.state is LifecycleState.HELD else "the rollout is watched"
    return f"no rollback waits for approval: {held}; to roll back nevertheless, order it"


async def _said(context: Context, unit: UnitRecord, request: HumanRequest, record: RolloutRecord | None) -> None:
    """What changes no state: of the named rollout of the unit, open or closed, or of the present one."""
    meant = record if record is not None and record.is_meant(request) else None
    if meant is None and request.rollout is not None:
        meant = await context.store.fetch_rollout(unit.name, request.rollout)
    if meant is None:
        await _unheard(context, unit, request, _unasked(request.kind, None), None)
    elif why := _unfit(context, request, meant):
        await _unheard(context, unit, request, why, meant)
    else:
        now, line, policy = context.now(), _line(request), context.policies.of(meant)

        def said(present: RolloutRecord) -> RolloutRecord:
            noted = timeline.with_entries(_with(present, request, now), (line,))
            noted = ticketing.ticketed(noted, unit=unit, policy=policy, now=now)
            if request.kind is not RequestKind.RESOLVE or request.signal:
                return noted
            reason = f"{request.actor} has resolved the incident" + (f": {request.reason}" if request.reason else "")
            tell = Tell(class_=NoticeClass.INFO, topic="incident-resolved", reason=reason)
            return telling.told(noted, tell, unit=unit, policy=policy, now=now)

        await note(context, meant, said)
        context.store.forget_settled()
    await mark_handled(context, unit.name, request)


def _unfit(context: Context, request: HumanRequest, meant: RolloutRecord) -> str:
    """Why nothing can come of it, in words; empty where it can."""
    policy = context.policies.of(meant)
    if request.kind is RequestKind.TICKET and policy.tickets is None:
        return "the policy names no address for tickets (`notify.tickets.url`)"
    if request.kind is RequestKind.TICKET and not request.signal and not meant.findings:
        return f"nothing is found in rollout {meant.id} now: name the signal"
    known = {signal.name for signal in policy.signals} | set(findings.named(meant))
    if request.signal and request.signal not in known:
        return f"the policy of rollout {meant.id} has no signal {request.signal}"
    if request.kind is RequestKind.RESOLVE and not request.signal:
        if not meant.incident:
            return f"rollout {meant.id} has no incident"
        if meant.incident_resolved is not None:
            return f"the incident was resolved at {meant.incident_resolved.iso_second()}"
    return ""


def _with(record: RolloutRecord, request: HumanRequest, now: Instant) -> RolloutRecord:
    """The record with what the person said."""
    by, signal, member = Acknowledgement(actor=request.actor, at=now), request.signal, request.only
    match request.kind:
        case RequestKind.ACKNOWLEDGE if signal:
            return findings.acknowledged(record, signal, member, by)
        case RequestKind.ACKNOWLEDGE:
            return response.acknowledged(record, by)
        case RequestKind.NOTE if signal:
            return findings.noted(record, signal, member, request.reason, by)
        case RequestKind.TICKET:
            return tickets.wanted(record, signal, member, request.actor, now)
        case RequestKind.RESOLVE if signal:
            noted = findings.noted(record, signal, member, request.reason, by)
            return findings.closed(noted, signal, member, by)
        case RequestKind.RESOLVE:
            return replace(record, incident_resolved=now)
        case _:
            return record


async def _unheard(
    context: Context, unit: UnitRecord, request: HumanRequest, why: str, record: RolloutRecord | None
) -> None:
    """Who asked is told why nothing comes of it."""
    text = f"{request.actor}'s answer {request.id} ({request.kind.value}): {why}"
    tell = Tell(class_=NoticeClass.INFO, topic="answer-unasked", reason=text, anew=True)
    await tell_back(context, unit, tell, _line(request), record)


def _line(request: HumanRequest) -> TimelineEntry:
    said = SAID[request.kind]
    if request.signal:
        where = f"{request.only} {request.signal}" if request.only else request.signal
        said = f"Finding closed, {where}" if request.kind is RequestKind.RESOLVE else f"{said}, {where}"
    return human(request, f"{said}: {request.reason}" if request.reason else said)
