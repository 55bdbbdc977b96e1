"""Shares and rates as people write them: `10%`, `0.5/min`."""

from __future__ import annotations

import re

SHARE_EXPECTED = "a share in percent, such as 10% or 0.5%"
RATE_EXPECTED = "a count per time, such as 10/min, 0.5/min, 1/s or 3/h"
_NUMBER = r"(\d{1,12}(?:\.\d{1,9})?)"
_SHARE = re.compile(_NUMBER + r"\s?%", re.ASCII)
_RATE = re.compile(_NUMBER + r"\s?/\s?(s|min|m|h)", re.ASCII)
_PER_MINUTE = {"s": 60.0, "min": 1.0, "m": 1.0, "h": 1 / 60}


def parse_share(text: str) -> float | None:
    """A fraction (`10%` is 0.1), or None where the text is no share."""
    found = _SHARE.fullmatch(text)
    # divided, not multiplied: 10 / 100 is exactly the 0.1 that people mean
    return float(found[1]) / 100 if found else None


def parse_rate(text: str) -> float | None:
    """A count per minute, or None where the text is no rate."""
    found = _RATE.fullmatch(text)
    return float(found[1]) * _PER_MINUTE[found[2]] if found else None
