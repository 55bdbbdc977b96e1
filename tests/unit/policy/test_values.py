"""Durations, shares and rates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollguard.policy import durations, values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("15s", 15), ("5m", 300), ("2h", 7200), ("1h30m", 5400), ("1d", 86400), ("1.5h", 5400), ("0s", 0)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert durations.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "5 m", "m", "5min", "-5m", "5m5h", "5M", "٥m", "1e3s", "5m\n"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert durations.parse(text) is None


@given(st.integers(1, 10**10))
def test_a_written_duration_is_read_as_the_same(milliseconds: int) -> None:
    assert durations.parse(durations.format_(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, abs=1e-6)


def test_durations_are_written_short() -> None:
    assert [durations.format_(s) for s in (0, 0.5, 90, 5400, 7200, 86400)] == [
        "0s",
        "500ms",
        "1m30s",
        "1h30m",
        "2h",
        "1d",
    ]


@given(st.integers(0, 100))
def test_a_whole_percentage_is_the_nearest_fraction(percent: int) -> None:
    assert values.parse_share(f"{percent}%") == percent / 100


@pytest.mark.parametrize("text", ["10", "%", "-1%", "10 percent", "1e1%", "10%\n", "nan%"])
def test_what_is_no_share_is_none(text: str) -> None:
    assert values.parse_share(text) is None


@pytest.mark.parametrize(("text", "per_minute"), [("0.5/min", 0.5), ("10/m", 10), ("1/s", 60), ("6/h", 0.1)])
def test_rates_are_per_minute(text: str, per_minute: float) -> None:
    assert values.parse_rate(text) == pytest.approx(per_minute)
