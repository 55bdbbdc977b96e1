"""docs/doctor.md lists every check, as the code has it."""

from __future__ import annotations

from pathlib import Path

from rollguard.doctor import TOPICS

PAGE = Path(__file__).parents[3] / "docs" / "doctor.md"


def test_the_page_has_exactly_the_checks_of_the_code() -> None:
    text = PAGE.read_text()
    listed = [line for line in text.partition("## Every check")[2].splitlines() if line.startswith("| `")]
    assert listed == [f"| `{topic.name}` | {topic.about} | {topic.remedy} |" for topic in TOPICS]


def test_names_are_unique() -> None:
    names = [topic.name for topic in TOPICS]
    assert len(set(names)) == len(names)
