"""Rate: how fast a counter grows, per minute."""

from __future__ import annotations

from rollguard.model.metrics import Expression
from rollguard.model.policy import Signal
from rollguard.signals import parts
from rollguard.signals.grouping import Grouping

CLASS_LABEL = ""


def expressions(signal: Signal, group: Grouping) -> tuple[Expression, ...]:
    """The cumulative counter."""
    return (
        group.total(parts.COUNT, signal.counter),
        group.resets(signal.counter),
        group.newest(signal.counter),
    )
