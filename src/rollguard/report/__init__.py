"""Records -> what people read: an incident as Markdown, a history, why. Pure: text out."""

from rollguard.report.history import (
    account,
    decisions,
    ending,
    figures_of,
    images_between,
    numbers_between,
    summary,
    verdicts,
)
from rollguard.report.incident import Figures, cause, figures, incident_markdown

__all__ = [
    "Figures",
    "account",
    "cause",
    "decisions",
    "ending",
    "figures",
    "figures_of",
    "images_between",
    "incident_markdown",
    "numbers_between",
    "summary",
    "verdicts",
]
