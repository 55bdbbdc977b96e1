"""Values as people read them, for every text: notices, reasons, reports, tables."""

from __future__ import annotations


def percent(fraction: float) -> str:
    """`14.8%`, `10%`, `0.02%`: one digit after the point, two where there is less than 0.1%."""
    digits = 2 if 0 < fraction < 0.001 else 1
    text = f"{fraction * 100:.{digits}f}"
    return text.removesuffix(".0") + "%"


def amount(value: float, unit: str) -> str:
    """A value with the unit of a finding: `14.8%` (of a fraction), `5.2s`, `12/min`, `3 restarts`."""
    if unit == "%":
        return percent(value)
    close = unit in ("", "s") or unit.startswith("/")
    return f"{value:.4g}{unit}" if close else f"{value:.4g} {unit}"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 watch`, `3 watches`; `many` where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
