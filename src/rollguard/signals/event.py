"""Event: a rule on the cluster's own statuses. The metrics store is not asked."""

from __future__ import annotations

from rollguard.model.metrics import Expression
from rollguard.model.policy import Signal
from rollguard.signals.grouping import Grouping

CLASS_LABEL = ""


def expressions(_signal: Signal, _group: Grouping) -> tuple[Expression, ...]:
    """None."""
    return ()
