"""The kubelet's exponential back-off, for restarts and for image pulls."""

from __future__ import annotations

BASE_S = 10.0
CAP_S = 300.0
FORGET_AFTER_S = 600.0


class Backoff:
    """10 s, 20 s, 40 s ... 300 s, times `scale`; forgotten after ten (scaled) minutes without a failure.

    As in the kubelet, the first restart is immediate: `failed` answers 0 for the first failure.
    """

    def __init__(self, scale: float = 1.0, *, immediate_first: bool = True) -> None:
        self._scale = scale
        self._immediate_first = immediate_first
        self._failures = 0

    def failed(self, lived_s: float) -> float:
        """Seconds to wait before the next try, after one that lived for `lived_s`."""
        if lived_s >= FORGET_AFTER_S * self._scale:
            self._failures = 0
        self._failures += 1
        waited = self._failures - (2 if self._immediate_first else 1)
        return 0.0 if waited < 0 else min(CAP_S, BASE_S * 2.0**waited) * self._scale
