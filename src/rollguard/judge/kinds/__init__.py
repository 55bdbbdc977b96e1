"""One file per kind of signal: what its samples add up to, its bound, its test, its words."""

from __future__ import annotations

from rollguard.judge.kinds import gauge, histogram, rate, ratio
from rollguard.judge.kinds.kind import Kind
from rollguard.model.signals import SignalKind

KINDS: dict[SignalKind, Kind] = {
    SignalKind.RATIO: ratio.KIND,
    SignalKind.HISTOGRAM: histogram.KIND,
    SignalKind.RATE: rate.KIND,
    SignalKind.GAUGE: gauge.KIND,
}

__all__ = ["KINDS", "Kind"]
