"""Numbers in text that others wrote: headers, annotations, addresses."""

from __future__ import annotations

DIGITS_MAX = 18


def whole_number(text: str) -> int | None:
    """The number that up to 18 ASCII digits say; None for every other text.

    `str.isdigit` alone lets through what `int` refuses: superscripts, and thousands of digits.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX else None
