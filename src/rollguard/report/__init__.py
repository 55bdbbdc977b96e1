"""Records -> what people read: an incident as Markdown. Pure: text out."""

from rollguard.report.incident import Figures, figures, incident_markdown

__all__ = ["Figures", "figures", "incident_markdown"]
