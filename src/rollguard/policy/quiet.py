"""`spec.maintenance`: the quiet windows, and what is wrong between their keys."""

from __future__ import annotations

from rollguard.model.policy import QuietWindow
from rollguard.policy.document import QuietPart
from rollguard.policy.yaml_text import Marked

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def windows(parts: tuple[tuple[int, QuietPart], ...], time_zone: str, marked: Marked) -> tuple[QuietWindow, ...]:
    """The windows of the parts (with their places in the list); the policy's time zone where one names none."""
    found: list[QuietWindow] = []
    for index, part in parts:
        path = ("spec", "maintenance", index)
        if any(part.name == other.name for other in found):
            marked.wrong((*path, "name"), part.name, "a name of its own for each quiet window")
        if part.from_ == part.to:
            words = "another time than `from` (00:00 to 24:00 is the whole day)"
            marked.wrong((*path, "to"), marked.places[*path, "to"].text, words)
        found.append(
            QuietWindow(
                name=part.name,
                days=tuple(sorted({_DAYS.index(day) for day in part.days or ()})),
                begin=part.from_,
                end=part.to,
                time_zone=part.time_zone or time_zone,
                reason=part.reason,
            )
        )
    return tuple(found)
