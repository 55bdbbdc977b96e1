"""What people asked of the guard."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollguard.model.names import RolloutId
from rollguard.model.time import Instant


class RequestKind(StrEnum):
    """What people ask for by writing to `spec.requests`."""

    ROLLBACK = "rollback"
    APPROVE = "approve"
    REJECT = "reject"
    ACKNOWLEDGE = "acknowledge"
    """A person has taken note: of the rollout, or of one finding."""
    INVESTIGATE = "investigate"
    """A person has taken it on: no default runs meanwhile."""
    NOTE = "note"
    """What a person found out; the reason is the note."""
    TICKET = "ticket"
    """One for a finding."""
    RESOLVE = "resolve"
    """The incident is over; with a signal, that finding is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanRequest:
    """An entry of `spec.requests`; the API server has checked that `actor` is who wrote it."""

    id: str
    kind: RequestKind
    actor: str
    at: Instant
    reason: str
    rollout: RolloutId | None = None
    to_revision: int | None = None
    force: bool = False
    against: str = ""
    """Digest of the template that ran when it was ordered: where another runs by then, it is refused. Empty: any."""
    only: str = ""
    """Of a release set: the one member that is to go back; empty for all that changed."""
    signal: str = ""
    """The finding that is meant; empty for the rollout as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A human's order to leave a unit (or all) alone until a time."""

    until: Instant
    actor: str
    reason: str
