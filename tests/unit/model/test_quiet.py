"""Quiet windows by local clocks: over midnight, on some days, and where the clock is changed."""

from __future__ import annotations

import pytest

from rollguard.model.policy import QuietWindow
from rollguard.model.quiet import LONGEST, latest_end, quiet_through, quiet_until
from rollguard.model.time import Instant


def window(begin: str, end: str, *days: int, zone: str = "Europe/Berlin", name: str = "w") -> QuietWindow:
    first, last = (int(text[:2]) * 60 + int(text[3:]) for text in (begin, end))
    return QuietWindow(name=name, days=days, begin=first, end=last, time_zone=zone, reason="r")


def end_at(quiet: QuietWindow, now: str) -> str | None:
    end = quiet_until(quiet, Instant.parse(now))
    return end.iso().replace(":00.000Z", "Z") if end is not None else None


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-27T20:59:59Z", None),
        ("2026-11-27T21:00:00Z", "2026-11-28T05:00Z"),
        ("2026-11-27T23:30:00Z", "2026-11-28T05:00Z"),
        ("2026-11-28T04:59:59Z", "2026-11-28T05:00Z"),
        ("2026-11-28T05:00:00Z", None),
    ],
)
def test_a_window_over_midnight_ends_on_the_next_day(now: str, end: str | None) -> None:
    assert end_at(window("22:00", "06:00"), now) == end


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-27T22:00:00Z", "2026-11-28T05:00Z"),  # Friday night
        ("2026-11-28T04:00:00Z", "2026-11-28T05:00Z"),  # Saturday morning: it began on Friday
        ("2026-11-27T04:00:00Z", None),  # Friday morning: that would have begun on Thursday
        ("2026-11-28T22:00:00Z", None),  # Saturday night
    ],
)
def test_the_days_are_those_on_which_it_begins(now: str, end: str | None) -> None:
    assert end_at(window("22:00", "06:00", 4), now) == end


def test_a_whole_day_is_one_of_the_local_clock() -> None:
    sunday = window("00:00", "24:00", 6)
    assert end_at(sunday, "2026-11-28T22:59:59Z") is None
    assert end_at(sunday, "2026-11-28T23:00:00Z") == "2026-11-29T23:00Z"
    assert end_at(sunday, "2026-11-29T23:00:00Z") is None


def test_a_night_in_which_the_clock_is_changed_is_an_hour_longer_or_shorter() -> None:
    night = window("22:00", "06:00")
    assert end_at(night, "2026-10-24T20:00:00Z") == "2026-10-25T05:00Z"
    assert end_at(night, "2026-10-25T04:30:00Z") == "2026-10-25T05:00Z"
    assert end_at(night, "2026-03-28T21:00:00Z") == "2026-03-29T04:00Z"
    assert end_at(night, "2026-03-29T04:00:00Z") is None


def test_a_time_that_comes_twice_begins_at_the_first_and_ends_at_the_second() -> None:
    assert end_at(window("01:00", "02:30"), "2026-10-25T00:45:00Z") == "2026-10-25T01:30Z"
    assert end_at(window("02:30", "04:00"), "2026-10-25T00:30:00Z") == "2026-10-25T03:00Z"


def test_a_time_that_is_jumped_over_counts_as_if_the_clock_had_not_been_changed() -> None:
    assert end_at(window("01:00", "02:30"), "2026-03-29T01:15:00Z") == "2026-03-29T01:30Z"
    assert end_at(window("02:30", "04:00"), "2026-03-29T01:15:00Z") is None
    assert end_at(window("02:30", "04:00"), "2026-03-29T01:30:00Z") == "2026-03-29T02:00Z"


def test_of_two_windows_the_one_that_ends_last_is_told() -> None:
    short, long = window("22:00", "23:00", name="short"), window("22:00", "06:00", name="long")
    found = latest_end((long, short), Instant.parse("2026-11-27T21:30:00Z"))
    assert found is not None
    assert (found[0].name, found[1].iso()) == ("long", "2026-11-28T05:00:00.000Z")
    assert latest_end((long, short), Instant.parse("2026-11-27T12:00:00Z")) is None


def through(windows: tuple[QuietWindow, ...], now: str) -> str | None:
    end = quiet_through(windows, Instant.parse(now))
    return end.iso().replace(":00.000Z", "Z") if end is not None else None


def test_windows_that_go_over_into_one_another_are_one_time_of_quiet() -> None:
    weekend = (
        window("22:00", "06:00", zone="UTC"),
        window("00:00", "24:00", 5, 6, zone="UTC", name="weekend"),
    )
    assert through(weekend, "2026-11-27T21:59:00Z") is None
    assert through(weekend, "2026-11-27T22:00:00Z") == "2026-11-30T06:00Z"
    assert through(weekend, "2026-11-30T06:00:00Z") is None


def test_a_quiet_without_an_end_ends_after_a_week() -> None:
    assert LONGEST == 7 * 24 * 3600
    assert through((window("00:00", "24:00", zone="UTC"),), "2026-11-27T12:00:00Z") == "2026-12-04T12:00Z"
