"""Durations as people write them: `500ms`, `15s`, `5m`, `2h`, `1h30m`, `1d`."""

from __future__ import annotations

import re

EXPECTED = "a duration with a unit, such as 500ms, 15s, 5m, 2h or 1h30m"
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_WHOLE = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,8})m)?(?:(\d{1,8})s)?(?:(\d{1,10})ms)?", re.ASCII)
_DECIMAL = re.compile(r"(\d{1,8}\.\d{1,6})(ms|d|h|m|s)", re.ASCII)


def parse(text: str) -> float | None:
    """Seconds, or None where the text is no duration."""
    decimal = _DECIMAL.fullmatch(text)
    if decimal:
        return float(decimal[1]) * _UNITS[decimal[2]]
    whole = _WHOLE.fullmatch(text)
    if not whole or not text:
        return None
    return sum(int(part) * unit for part, unit in zip(whole.groups(), _UNITS.values(), strict=True) if part)


def format_(seconds: float) -> str:
    """The shortest such text, exact to the millisecond: 5400 is `1h30m`."""
    rest = round(seconds * 1000)
    parts: list[str] = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
