"""By which channels notices go out, as a line for people."""

from __future__ import annotations

from rollguard.model.channels import by_needs
from rollguard.model.records import UnitRecord


def channels(unit: UnitRecord) -> str:
    """Of the unit that stands for all: what is set up, and what the others need; empty where no leader has said."""
    if not unit.channels:
        return ""
    names = by_needs(unit.channels)
    present = names.pop("", "")
    absent = "; ".join(f"{some} (needs {needs})" for needs, some in names.items())
    told = f"Notices go out by {present}." if present else "Notices go to the guard's log alone."
    return f"{told} Not set up: {absent}." if absent else told
