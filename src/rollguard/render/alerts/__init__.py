"""The policy's alerts and recording rules, the files that hold them, and their tests."""

from rollguard.render.alerts.alert import Alert, Category, Panel, Recording, Severity, Unit
from rollguard.render.alerts.table import alerts, recordings

__all__ = ["Alert", "Category", "Panel", "Recording", "Severity", "Unit", "alerts", "recordings"]
