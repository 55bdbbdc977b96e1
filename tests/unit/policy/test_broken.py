"""More than a hundred mistakes, each alone and with others: all are reported, at their places and nowhere else."""

from __future__ import annotations

import itertools
import random

import pytest

from rollguard.model.policy import Policy
from rollguard.policy import load
from tests.unit.policy.broken import MARK, RICH, SINGLE
from tests.unit.policy.texts import good

Place = tuple[int, int]
LINES = RICH.count("\n")


def places(marked: str) -> tuple[str, list[Place]]:
    """The text without the marks, and where they stood."""
    found: list[Place] = []
    while MARK in marked:
        before, marked = marked.split(MARK, 1)
        found.append((before.count("\n") + 1, len(before) - before.rfind("\n")))
        marked = before + marked
    return marked, found


def reported(text: str) -> list[Place]:
    mistakes = load(text, "policy.yaml")
    assert not isinstance(mistakes, Policy), "it is called good"
    return [(mistake.line, mistake.column) for mistake in mistakes]


def lines_of(old: str) -> range:
    """The lines that a change touches."""
    start = RICH.index(old)
    return range(RICH.count("\n", 0, start), RICH.count("\n", 0, start + len(old.rstrip("\n"))) + 1)


def part_of(line: int) -> str:
    """The mapping under `spec`, or the item of its lists, in which a line stands."""
    above = RICH.splitlines()[: line + 1]
    return next((text for text in reversed(above) if text[:4].strip() and text.strip()), "")


def independent(one: str, other: str) -> bool:
    """Whether two changes touch different parts, so that neither hides the other's place."""
    first, second = lines_of(one), lines_of(other)
    parts = {part_of(line) for line in first} & {part_of(line) for line in second}
    return not parts and not set(first) & set(second)


def test_the_policy_without_the_mistakes_is_good() -> None:
    good(RICH)


def test_there_are_a_hundred_different_ones() -> None:
    assert len({RICH.replace(old, new, 1) for old, new in SINGLE}) == len(SINGLE) >= 100


@pytest.mark.parametrize(("old", "new"), SINGLE, ids=[" ".join(new.split())[:50] for _old, new in SINGLE])
def test_a_mistake_is_reported_once_and_at_its_place(old: str, new: str) -> None:
    assert old in RICH
    text, expected = places(RICH.replace(old, new, 1))
    assert len(expected) == 1
    assert reported(text) == expected


def test_of_two_mistakes_in_different_parts_both_are_reported_at_their_places() -> None:
    pairs = [(one, other) for one, other in itertools.combinations(SINGLE, 2) if independent(one[0], other[0])]
    assert len(pairs) > 1000
    wrong: list[str] = []
    for one, other in random.Random(7).sample(pairs, 100):
        text, expected = places(RICH.replace(one[0], one[1], 1).replace(other[0], other[1], 1))
        if len(expected) != 2:
            continue
        found = reported(text)
        if not set(expected) <= set(found):
            wrong.append(f"{one[1]!r} and {other[1]!r}: expected {expected}, found {found}")
    assert not wrong, "\n".join(wrong[:20])
