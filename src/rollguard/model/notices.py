"""Notices as data: messages of the outbox, which stand in a record before they are sent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollguard.model.handling import Ticket
from rollguard.model.time import Instant


class NoticeState(StrEnum):
    """Where a notice of the outbox is."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    FAILED = "failed"


class NoticeClass(StrEnum):
    """How urgent a notice is, and so where it goes."""

    INFO = "info"
    WARNING = "warning"
    PAGE = "page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message of the outbox: written in the object before it is sent. `id` is what makes a repeat harmless."""

    id: str
    class_: NoticeClass
    topic: str
    """What it is about, for repetition: `rollout-started`, `hold`, `rolled-back`, ..."""
    title: str
    text: str
    at: Instant
    state: NoticeState = NoticeState.PENDING
    attempts: int = 0
    """Rounds of sending."""
    next_attempt: Instant | None = None
    """Of the next round; None: at once."""
    detail: str = ""
    """What the channels said that have not taken it, and which routes ended without one."""
    team: str = ""
    """Whose unit it is about, as the policy's watch says; empty where it says nothing."""
    taken: tuple[str, ...] = ()
    """Names of the channels that took it: they do not get it again."""
    given_up: tuple[tuple[str, str], ...] = ()
    """(channel, why) of those by which it is not tried any more: refused, or tried often enough."""
    tries: tuple[tuple[str, int], ...] = ()
    """(channel, how often it was tried there in vain), of those that are still tried."""
    waits: tuple[tuple[str, Instant], ...] = ()
    """(channel, when it may be tried there again), of the same."""
    kept: bool = False
    """Quiet hours keep it back: machines have it, and people are told at their end."""
    ticket: Ticket | None = None
    """What a message about a ticket says; it goes to the tickets' channel alone."""
