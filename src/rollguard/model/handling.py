"""What people have done about a rollout: who has taken note of it, who looks into it, what came of each finding."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollguard.model.signals import LevelName
from rollguard.model.time import Instant


class Via(StrEnum):
    """By which way a person's word came."""

    COMMAND = "command"
    """A write to `spec.requests`: the command line's, or any other."""
    PAGERDUTY = "pagerduty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """A person has taken note, or has taken it on."""

    actor: str
    at: Instant
    via: Via = Via.COMMAND


class TicketState(StrEnum):
    """What the present message about a ticket is."""

    OPEN = "open"
    """Its first."""
    UPDATED = "updated"
    CLOSED = "closed"
    """A person has closed the finding: its last, unless the finding is opened anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A finding as the ticket about it said last: one for each finding of a rollout."""

    id: str
    """The same in all its messages: rollout, member of a release set where there is one, signal."""
    number: int
    """Of the message, from 1."""
    state: TicketState
    signal: str
    actor: str
    """Who wanted it; `rollguard` where the policy says so."""
    at: Instant
    """When this was so."""
    text: str = ""
    """The finding in one sentence; empty where nothing was found."""
    level: LevelName | None = None
    """The worst that was found."""
    member: str = ""
    note: str = ""
    outcome: str = ""
    """How the rollout ended; empty while it is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """What people have done about one finding of a rollout."""

    signal: str
    member: str = ""
    acknowledged: Acknowledgement | None = None
    note: str = ""
    """The last one."""
    noted: Acknowledgement | None = None
    """Who wrote it, and when."""
    closed: Acknowledgement | None = None
    """Who has closed it: nothing more is to be done about it."""
    ticket: Ticket | None = None
