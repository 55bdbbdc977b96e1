"""When warnings and information wait, in the text of a policy."""

from __future__ import annotations

import pytest

from rollguard.model.policy import QuietWindow
from tests.unit.policy.texts import GOOD, added, good, only

NIGHTS = 'name: nights, from: "22:00", to: "06:00", reason: people sleep'


def test_without_a_word_nothing_waits() -> None:
    assert good(GOOD).quiet == ()


def test_quiet_hours_are_written_as_quiet_windows_are() -> None:
    policy = good(added(f"notify: {{quiet: [{{{NIGHTS}, days: [sat], timeZone: Asia/Tokyo}}]}}"))
    assert policy.quiet == (
        QuietWindow(name="nights", days=(5,), begin=1320, end=360, time_zone="Asia/Tokyo", reason="people sleep"),
    )
    assert policy.maintenance == ()


def test_where_they_name_no_time_zone_it_is_the_policys() -> None:
    text = added(f"timeZone: Europe/Berlin\n  notify: {{quiet: [{{{NIGHTS}}}]}}")
    assert good(text).quiet[0].time_zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("quiet", "words"),
    [
        (f"{{{NIGHTS}}}, {{{NIGHTS}}}", "a name of its own for each quiet window"),
        ('{name: a, from: "22:00", to: "22:00", reason: r}', "another time than `from`"),
        ('{name: a, from: "00:00", to: "24:00", reason: r}', "some time of the week that is not quiet"),
    ],
)
def test_hours_that_mean_nothing_or_never_end_are_a_mistake(quiet: str, words: str) -> None:
    assert words in only(added(f"notify: {{quiet: [{quiet}]}}"))


def test_no_quiet_hours_are_called_as_a_quiet_window_is() -> None:
    text = added(f"maintenance: [{{{NIGHTS}}}]\n  notify: {{quiet: [{{{NIGHTS}}}]}}")
    assert "spec.notify.quiet" not in text
    assert "a name of its own for each quiet window" in only(text)
