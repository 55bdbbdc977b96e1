"""Records -> what people read: an incident as Markdown, a history, why. Pure: text out."""

from rollguard.report.channels import channels
from rollguard.report.history import (
    account,
    decisions,
    ending,
    figures_of,
    images_between,
    in_name,
    live_colours,
    moved,
    numbers_between,
    summary,
    verdicts,
    versions,
)
from rollguard.report.incident import Figures, cause, figures, incident_markdown

__all__ = [
    "Figures",
    "account",
    "cause",
    "channels",
    "decisions",
    "ending",
    "figures",
    "figures_of",
    "images_between",
    "in_name",
    "incident_markdown",
    "live_colours",
    "moved",
    "numbers_between",
    "summary",
    "verdicts",
    "versions",
]
