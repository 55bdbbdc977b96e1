"""The body of an answer of Prometheus' HTTP API -> values by labels and instant, or why it cannot be used."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from rollguard.model.metrics import GapCause

Labels = tuple[str, str, str, str]
"""Namespace, pod, workload, class."""

SHOWN = 200


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no usable answer."""

    cause: GapCause
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelNames:
    """Which labels are read; an empty name is a label that is not there."""

    namespace: str
    pod: str
    workload: str
    class_: str


Values = dict[int, dict[Labels, float]]
"""By the instant in milliseconds. A value may be no number."""

_Point = tuple[float, str]


class _Series(msgspec.Struct, gc=False):
    metric: dict[str, str]
    value: _Point | None = None
    values: list[_Point] | None = None


class _Data(msgspec.Struct, rename="camel"):
    result_type: str
    result: list[_Series]


class _Body(msgspec.Struct, rename="camel"):
    status: str
    data: _Data | None = None
    error: str = ""
    error_type: str = ""
    warnings: list[str] = []
    is_partial: bool = False


_decoder = msgspec.json.Decoder(_Body)


def values_of(body: bytes, names: LabelNames) -> Values | Trouble:
    """The values of a good answer. Instants without any value have no entry."""
    try:
        decoded = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Trouble(GapCause.UNEXPECTED, f"the answer is not that of a query: {short(str(error))}")
    if decoded.status != "success" or decoded.data is None:
        return Trouble(GapCause.UNEXPECTED, f"status {short(decoded.status)!r}: {short(decoded.error)}")
    if decoded.warnings or decoded.is_partial:
        warning = decoded.warnings[0] if decoded.warnings else "the store calls it partial"
        return Trouble(GapCause.PARTIAL, f"the store warns: {short(warning)}")
    if decoded.data.result_type not in {"vector", "matrix"}:
        return Trouble(GapCause.UNEXPECTED, f"a result of type {short(decoded.data.result_type)}")
    return _by_instant(decoded.data, names)


def _by_instant(data: _Data, names: LabelNames) -> Values | Trouble:
    found: Values = {}
    for series in data.result:
        points = series.values if data.result_type == "matrix" else [series.value] if series.value else None
        if points is None:
            return Trouble(GapCause.UNEXPECTED, "a series without plain values (a native histogram?)")
        labels = (
            series.metric.get(names.namespace, ""),
            series.metric.get(names.pod, "") if names.pod else "",
            series.metric.get(names.workload, "") if not names.pod else "",
            series.metric.get(names.class_, "") if names.class_ else "",
        )
        for at, text in points:
            try:
                # "NaN", "+Inf" and "-Inf" come as text and are read by float()
                number = float(text)
                when = round(at * 1000)
            except (ValueError, OverflowError):
                return Trouble(GapCause.UNEXPECTED, f"a value that is no number: {short(text)!r}")
            cell = found.setdefault(when, {})
            if labels in cell:
                return Trouble(GapCause.UNEXPECTED, f"two series with the same labels {labels}")
            cell[labels] = number
    return found


def refusal(status: int, body: bytes) -> Trouble:
    """What an answer with another HTTP status than 200 means."""
    try:
        decoded = _decoder.decode(body)
        words = f"{decoded.error_type}: {decoded.error}" if decoded.error else ""
        kind = decoded.error_type
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        words, kind = "", ""
    detail = f"HTTP {status}" + (f": {short(words)}" if words else "")
    if kind == "timeout" or status in {408, 504}:
        return Trouble(GapCause.TIMEOUT, detail)
    if 400 <= status < 500:
        return Trouble(GapCause.REFUSED, detail)
    if status >= 500:
        return Trouble(GapCause.UNREACHABLE, detail)
    return Trouble(GapCause.UNEXPECTED, detail)


def finite(number: float) -> bool:
    """Whether it is a number to count with."""
    return math.isfinite(number)


def short(text: str) -> str:
    """The text as one line of at most `SHOWN` characters."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
