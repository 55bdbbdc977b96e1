"""One signal definition -> what the metrics store is asked, and what rules and panels measure. Each kind of signal is a
file and one entry in `KINDS`."""

from rollguard.signals.asking import KINDS, LONGEST_EXPRESSION, asked, joined, measured, question
from rollguard.signals.measure import Measure, Span
from rollguard.signals.scope import DEPLOYMENT, NAMESPACE, OWNER, POD, Scope, scope

__all__ = [
    "DEPLOYMENT",
    "KINDS",
    "LONGEST_EXPRESSION",
    "NAMESPACE",
    "OWNER",
    "POD",
    "Measure",
    "Scope",
    "Span",
    "asked",
    "joined",
    "measured",
    "question",
    "scope",
]
