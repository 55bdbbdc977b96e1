"""Numbers in text that others wrote."""

from __future__ import annotations

import pytest

from rollguard.adapters.kubernetes.objects.facts import REVISION_ANNOTATION, number_of
from rollguard.adapters.numbers import whole_number


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("12", 12), ("007", 7), ("9" * 18, int("9" * 18))])
def test_digits_are_a_whole_number(text: str, number: int) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize("text", ["", "²", "٣", "-1", "+1", "1.5", " 1", "9" * 19, "9" * 5000])
def test_everything_else_is_none_and_never_an_error(text: str) -> None:
    assert whole_number(text) is None


@pytest.mark.parametrize("text", ["²", "9" * 5000])
def test_a_revision_that_is_no_number_is_no_revision_yet(text: str) -> None:
    assert number_of({REVISION_ANNOTATION: text}) == 0
