"""Exact tail probabilities of two conditional tests. No approximation: terms are summed away from the mode."""

from __future__ import annotations

import math
from collections.abc import Callable

_NEGLIGIBLE = 1e-17


def more_bad_by_chance(*, bad: int, total: int, reference_bad: int, reference_total: int) -> float:
    """P(X >= bad) for X hypergeometric: of all bad requests, those that fall to `total` by chance alone.

    Fisher's exact test, one-sided: the probability that an arm no worse than its reference looks at least as bad.
    """
    every, every_bad = total + reference_total, bad + reference_bad
    low, high = max(0, every_bad - reference_total), min(total, every_bad)
    if bad <= low:
        return 1.0
    whole = _log_choose(every, every_bad)

    def probability(x: int) -> float:
        return math.exp(_log_choose(total, x) + _log_choose(reference_total, every_bad - x) - whole)

    return _tail(probability, bad, low, high, mean=total * every_bad / every)


def more_events_by_chance(*, events: int, all_events: int, share: float) -> float:
    """P(X >= events) for X binomial: of all events, those that fall to an arm with that share of the exposure.

    The exact conditional test of two Poisson rates, one-sided.
    """
    if events <= 0 or share >= 1.0:
        return 1.0
    if share <= 0.0:
        return 0.0
    log_in, log_out = math.log(share), math.log1p(-share)

    def probability(x: int) -> float:
        return math.exp(_log_choose(all_events, x) + x * log_in + (all_events - x) * log_out)

    return _tail(probability, events, 0, all_events, mean=all_events * share)


def _tail(probability: Callable[[int], float], at: int, low: int, high: int, *, mean: float) -> float:
    """The sum from `at` to `high`; where that crosses the mode, one minus the sum below `at`."""
    if at > mean:
        return min(1.0, _outward(probability, range(at, high + 1)))
    return max(0.0, 1.0 - _outward(probability, range(at - 1, low - 1, -1)))


def _outward(probability: Callable[[int], float], values: range) -> float:
    summed = 0.0
    last = 0.0
    for x in values:
        term = probability(x)
        summed += term
        if term < last and term < _NEGLIGIBLE * max(summed, _NEGLIGIBLE):
            break
        last = term
    return summed


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
