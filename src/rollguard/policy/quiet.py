"""`spec.maintenance` and `spec.notify.quiet`: windows of time, and what is wrong between their keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from rollguard.model.policy import QuietWindow
from rollguard.model.quiet import LONGEST, quiet_through
from rollguard.model.time import Instant
from rollguard.policy import checks
from rollguard.policy.part import ClockTime, EndTime, Name, Part
from rollguard.policy.yaml_text import Marked, Path

MAINTENANCE = ("spec", "maintenance")
HOURS = ("spec", "notify", "quiet")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SOME_MONDAY = Instant.parse("2026-01-05T00:00:00Z")


class QuietPart(Part):
    """A time in which the guard pages instead of acting."""

    name: Name
    """A name of its own."""
    days: Annotated[list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], Field(min_length=1)] | None = None
    """The days on which it begins; every day where none is named."""
    from_: ClockTime = Field(alias="from")
    """When it begins, in quotes: `"22:00"`."""
    to: EndTime
    """When it ends, on the next day where that is before `from`; `"24:00"` is the end of the day."""
    time_zone: Annotated[str, AfterValidator(checks.time_zone)] | None = None
    """Its time zone; else that of the policy."""
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    """Why, for the notice."""


class QuietHoursPart(QuietPart):
    """A time in which warnings and information wait, and are told in one message at its end."""


def windows(
    parts: tuple[tuple[int, QuietPart], ...],
    time_zone: str,
    marked: Marked,
    *,
    place: tuple[str, ...] = MAINTENANCE,
    others: tuple[QuietWindow, ...] = (),
) -> tuple[QuietWindow, ...]:
    """The windows of the parts (with their places in the list); the policy's time zone where one names none. No name
    is one of the others'."""
    found: list[QuietWindow] = []
    for index, part in parts:
        path: Path = (*place, index)
        if any(part.name == other.name for other in (*others, *found)):
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


def quiet_hours(
    parts: tuple[QuietHoursPart, ...], time_zone: str, maintenance: tuple[QuietWindow, ...], marked: Marked
) -> tuple[QuietWindow, ...]:
    """When warnings and information wait. Hours that never end are a mistake."""
    found = windows(tuple(enumerate(parts)), time_zone, marked, place=HOURS, others=maintenance)
    end = quiet_through(tuple(window for window in found if window.begin != window.end), _SOME_MONDAY)
    if end is not None and end.since(_SOME_MONDAY) >= LONGEST:
        marked.wrong(HOURS, "quiet", "some time of the week that is not quiet: what waits is told then", key=True)
    return found
