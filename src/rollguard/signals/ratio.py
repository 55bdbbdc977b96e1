"""Ratio: bad requests of all requests."""

from __future__ import annotations

from rollguard.model.metrics import Expression
from rollguard.model.policy import Signal
from rollguard.signals import parts
from rollguard.signals.grouping import Grouping

CLASS_LABEL = ""


def expressions(signal: Signal, group: Grouping) -> tuple[Expression, ...]:
    """Cumulative bad and total requests."""
    return (
        group.total(parts.BAD, signal.bad),
        group.total(parts.TOTAL, signal.total),
        group.resets(signal.total),
        group.newest(signal.total),
    )
