"""A ticket's message: its words, and the documented JSON body of the address that tickets are sent to
(docs/webhook.md)."""

from __future__ import annotations

import json

from rollguard.model.handling import Ticket, TicketState
from rollguard.model.notices import Notice
from rollguard.model.records import RolloutRecord
from rollguard.notify.payload import VERSION, rollout_body

TOPIC = "ticket"
_STATES = {
    TicketState.OPEN: "wants a ticket",
    TicketState.UPDATED: "has news",
    TicketState.CLOSED: "is closed",
}


def reason(ticket: Ticket) -> str:
    """What the message says, in one or more sentences."""
    where = f"{ticket.member} {ticket.signal}" if ticket.member else ticket.signal
    by = f", says {ticket.actor}" if ticket.number == 1 else ""
    said = [f"{where} {_STATES[ticket.state]}{by}"]
    said += [ticket.text] if ticket.text else []
    said += [f"note: {ticket.note}"] if ticket.note else []
    said += [f"the rollout ended: {ticket.outcome}"] if ticket.outcome else []
    return "; ".join(said)


def ticket_payload(notice: Notice, rollout: RolloutRecord | None) -> str:
    """The body as JSON text, keys sorted: one message, one sequence of bytes. Raises ValueError for a notice that is
    about no ticket."""
    ticket = notice.ticket
    if ticket is None:
        raise ValueError(f"{notice.id} is about no ticket")
    body: dict[str, object] = {
        "version": VERSION,
        "kind": "ticket",
        "id": ticket.id,
        "number": ticket.number,
        "state": ticket.state.value,
        "title": notice.title,
        "text": notice.text,
        "at": ticket.at.iso(),
        "actor": ticket.actor,
        "finding": {
            "member": ticket.member or None,
            "signal": ticket.signal,
            "level": None if ticket.level is None else ticket.level.value,
            "text": ticket.text or None,
            "note": ticket.note or None,
        },
        "outcome": ticket.outcome or None,
    }
    if rollout is not None:
        body["rollout"] = rollout_body(rollout)
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
