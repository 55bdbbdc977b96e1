"""The policy's alerts and recording rules, the files that hold them, and their tests."""

from rollguard.render.alerts.alert import Alert, Category, Recording, Severity, Unit
from rollguard.render.alerts.proof import test_file
from rollguard.render.alerts.table import alerts, recordings
from rollguard.render.alerts.written import annotated, rule_files

__all__ = [
    "Alert",
    "Category",
    "Recording",
    "Severity",
    "Unit",
    "alerts",
    "annotated",
    "recordings",
    "rule_files",
    "test_file",
]
