"""Event: a rule on the cluster's own statuses. The metrics store is not asked."""

from __future__ import annotations

from rollguard.model.metrics import Expression
from rollguard.model.signals import Signal
from rollguard.signals.grouping import Grouping
from rollguard.signals.measure import Measure, Span
from rollguard.signals.scope import Scope

CLASS_LABEL = ""


def expressions(_signal: Signal, _group: Grouping) -> tuple[Expression, ...]:
    """None."""
    return ()


def measured(_signal: Signal, _scope: Scope, _span: Span) -> Measure:
    """Nothing: the rules on the cluster's statuses have expressions of their own."""
    return Measure()
