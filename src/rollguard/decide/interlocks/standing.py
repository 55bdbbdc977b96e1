"""How an interlock says what it found."""

from __future__ import annotations

from rollguard.model.action import Standing


def forbids(name: str, reason: str, *, judging: bool = False) -> Standing:
    """It keeps the guard from acting alone."""
    return Standing(name=name, forbids=True, reason=reason, judging=judging)


def clear(name: str, reason: str, *, judging: bool = False) -> Standing:
    """It was looked at and stands in nobody's way."""
    return Standing(name=name, forbids=False, reason=reason, judging=judging)


def span(seconds: float) -> str:
    """A length of time in words: seconds below two minutes, else minutes."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
