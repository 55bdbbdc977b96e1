"""`rollguard ack`, `note`, `investigate` and `ticket`, and what resolves an incident: a person answers the guard."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

from rollguard.cli import exits, lookup, output
from rollguard.cli.approve import LOOK_EVERY_S, TAKEN_WITHIN_S, passage
from rollguard.cli.connect import Connection, Session, recorded, session, written
from rollguard.model.names import RolloutId
from rollguard.model.records import RolloutRecord, StoredRollout, StoredUnit, UnitRecord
from rollguard.model.requests import HumanRequest, RequestKind
from rollguard.policy.checks import is_dns_name

DONE = {
    RequestKind.ACKNOWLEDGE: "acknowledged",
    RequestKind.INVESTIGATE: "taken on",
    RequestKind.NOTE: "noted",
    RequestKind.TICKET: "made a ticket",
    RequestKind.RESOLVE: "resolved",
}
"""What was done, for people; a finding is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a person says of a rollout, or of one finding of it."""

    kind: RequestKind
    words: str
    signal: str = ""

    @property
    def done(self) -> str:
        """What was done, in one word."""
        return "closed" if self.kind is RequestKind.RESOLVE and self.signal else DONE[self.kind]


def ack(
    target: str,
    name: str | None = None,
    /,
    *,
    signal: str = "",
    reason: str = "",
    connection: Connection | None = None,
    format_: output.Output = output.Format.TABLE,
) -> int:
    """Acknowledge a page, or one finding: you have seen it. It is not repeated, and nobody else is paged for it.

    Parameters
    ----------
    target
        An incident, a rollout's name, NAMESPACE WORKLOAD, NAMESPACE/WORKLOAD, or WORKLOAD with -n.
    name
        The workload, where its namespace stands before it.
    signal
        Only the finding of this signal.
    reason
        What you do about it; recorded with your name.
    """
    said = Said(kind=RequestKind.ACKNOWLEDGE, words=reason, signal=signal)
    return asyncio.run(say(lookup.spelled(target, name), said, connection, format_))


def investigate(
    target: str,
    name: str | None = None,
    /,
    *,
    reason: str = "",
    connection: Connection | None = None,
    format_: output.Output = output.Format.TABLE,
) -> int:
    """Take it on: you look into it. A question's time limit does not run any more; approve or reject still answer it.

    Parameters
    ----------
    target
        An incident, a rollout's name, NAMESPACE WORKLOAD, NAMESPACE/WORKLOAD, or WORKLOAD with -n.
    name
        The workload, where its namespace stands before it.
    reason
        What you look at; recorded with your name.
    """
    said = Said(kind=RequestKind.INVESTIGATE, words=reason)
    return asyncio.run(say(lookup.spelled(target, name), said, connection, format_))


def ticket(
    target: str,
    name: str | None = None,
    /,
    *,
    signal: str = "",
    reason: str = "",
    connection: Connection | None = None,
    format_: output.Output = output.Format.TABLE,
) -> int:
    """Make a ticket of a finding, at the address that the policy names; it is updated with the rollout, never doubled.

    Parameters
    ----------
    target
        An incident, a rollout's name, NAMESPACE WORKLOAD, NAMESPACE/WORKLOAD, or WORKLOAD with -n.
    name
        The workload, where its namespace stands before it.
    signal
        Of the finding of this signal; else of every finding.
    reason
        Why; recorded with your name.
    """
    said = Said(kind=RequestKind.TICKET, words=reason, signal=signal)
    return asyncio.run(say(lookup.spelled(target, name), said, connection, format_))


def note(
    target: str,
    text: str,
    /,
    *more: str,
    signal: str = "",
    close: bool = False,
    connection: Connection | None = None,
    format_: output.Output = output.Format.TABLE,
) -> int:
    """Write down what you found out: it stands in the incident, with your name and the time.

    Parameters
    ----------
    target
        An incident, a rollout's name, NAMESPACE/WORKLOAD, or WORKLOAD with -n; NAMESPACE where WORKLOAD follows.
    text
        What you found out, in quotes; the WORKLOAD where NAMESPACE stands before it.
    more
        What you found out, in quotes, where NAMESPACE WORKLOAD stands before it.
    signal
        About the finding of this signal.
    close
        The finding is closed with it: nothing more is to be done.
    """
    target, text = noted(target, text, more)
    if not text.strip():
        raise exits.CommandError("the note is empty: expected what you found out", exits.USAGE)
    if close and not signal:
        text_ = "--close closes one finding: name it with --signal; `rollguard incident resolve` ends an incident"
        raise exits.CommandError(text_, exits.USAGE)
    said = Said(kind=RequestKind.RESOLVE if close else RequestKind.NOTE, words=text, signal=signal)
    return asyncio.run(say(target, said, connection, format_))


def noted(first: str, second: str, more: tuple[str, ...]) -> tuple[str, str]:
    """What a note is about and its text, of two words, or of three with the namespace first; else ends the command."""
    if not more:
        return first, second
    if len(more) > 1 or not (is_dns_name(first) and is_dns_name(second)):
        words = f"'{' '.join((first, second, *more))}': expected a target and then the text in quotes: "
        forms = 'NAMESPACE WORKLOAD "TEXT", NAMESPACE/WORKLOAD "TEXT", or INCIDENT "TEXT"'
        raise exits.CommandError(words + forms, exits.USAGE)
    return lookup.spelled(first, second), more[0]


async def say(text: str, said: Said, connection: Connection | None, format_: output.Format) -> int:
    """Writes it for the rollout that the text names, and waits until the controller has taken it; the exit code."""
    async with session(lookup.scoped(connection, text)) as opened:
        rollout = await lookup.rollout_named(opened, text)
        actor = await opened.actor()
        request = HumanRequest(
            id=f"{said.kind.value}-{secrets.token_hex(6)}",
            kind=said.kind,
            actor=actor,
            at=opened.clock.now(),
            reason=recorded(said.words, actor),
            rollout=rollout.id,
            signal=said.signal,
            only=await _member(opened, text, rollout) if said.signal else "",
        )
        written(await opened.orders.request(rollout.unit, request), rollout.unit)
        handled = await _taken(opened, rollout, request)
        if not handled:
            output.note("no controller has taken it yet; it stands until one does")
            output.note(await opened.leader())
    output.say(told(rollout, said, request, format_, handled=handled))
    return exits.OK


async def _member(opened: Session, text: str, rollout: RolloutRecord) -> str:
    """The member of a release set whose Deployment was named; empty where the set, or its rollout, was."""
    if not rollout.passages or text in (rollout.id, rollout.incident):
        return ""
    return (await lookup.meant(opened, text)).member


async def _taken(opened: Session, rollout: RolloutRecord, request: HumanRequest) -> bool:
    """Whether a controller took it within half a minute; ends the command with its reason where nothing comes of it."""
    began = opened.clock.mono()
    while opened.clock.mono().since(began) < TAKEN_WITHIN_S:
        unit = await opened.records.read_unit(rollout.unit)
        if isinstance(unit, StoredUnit) and request.id in unit.record.handled_requests:
            stored = await opened.records.read_rollout(rollout.unit, RolloutId(rollout.id))
            refuse_where_unheard(request, unit.record, stored.record if isinstance(stored, StoredRollout) else rollout)
            return True
        await opened.clock.sleep_until(opened.clock.mono().plus(LOOK_EVERY_S))
    return False


def refuse_where_unheard(request: HumanRequest, unit: UnitRecord, rollout: RolloutRecord) -> None:
    """Ends the command with the guard's own words where nothing comes of the request."""
    notices = (*unit.notices, *rollout.notices)
    unheard = [n.text for n in notices if n.topic == "answer-unasked" and request.id in n.text]
    if unheard:
        raise exits.CommandError(unheard[-1].splitlines()[0])


def told(rollout: RolloutRecord, said: Said, request: HumanRequest, format_: output.Format, *, handled: bool) -> str:
    """What was said of which rollout, by whom."""
    if not format_.for_programs:
        what = f", {request.only} {said.signal}".replace(",  ", ", ") if said.signal else ""
        state = "" if handled else " (written; not taken yet)"
        return f"{said.done} by {request.actor}: {passage(rollout)}{what}{state}"
    fields = {"workload": str(rollout.workload), "rollout": str(rollout.id), "incident": rollout.incident}
    document = output.as_object(
        **fields,
        answer=request.id,
        kind=said.kind.value,
        signal=said.signal,
        actor=request.actor,
        reason=request.reason,
        handled=handled,
    )
    return output.document(document, format_)
