"""What the loop is told at its start, beside the policy and the ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from rollguard.model.records import CLOSED_KEPT


class Log(Protocol):
    """Where the loop's structured log lines go. An unexpected error carries its traceback in the field `traceback`."""

    def __call__(self, event: str, fields: Mapping[str, str | int | float]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Fixed for a process. Durations in seconds."""

    namespace: str
    """The guard's own namespace: the GuardedUnit `rollguard-all` lives there."""
    fail_fast: bool = False
    """In simulation: an unexpected exception ends the run instead of being logged and counted."""
    orders_only: bool = False
    """In a controller's place, by a person's command: orders are handled and plans acted upon, nothing is decided."""
    renew_every: float = 2.0
    request_timeout: float = 3.0
    """Of one call to the API server; it must fit into what is left of the leadership."""
    evidence_timeout: float = 5.0
    notice_timeout: float = 10.0
    notice_attempts: int = 10
    refresh_every: float = 30.0
    """How often the GuardedUnits are listed again, in case a wake-up was lost."""
    workers: int = 16
    closed_rollouts: int = CLOSED_KEPT
