"""When a level is reached: pooled over its window and over each third of it, with traffic and without holes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from rollguard.judge.kinds import KINDS
from rollguard.judge.memory import slots_of
from rollguard.judge.pooled import ArmSlot, ArmState, Pooled, SlotSums, pool
from rollguard.model.signals import Signal

GAPS_AT_MOST = 10
"""One slot in so many may be a gap."""
LAST_WITHOUT_GAP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A level's window as it stands at the slot `end`."""

    pooled: Pooled
    bound: float
    slots: int
    """How many slots it should hold."""
    gaps: int
    owed: int
    """How many of them lie after the arm began."""
    usable: bool
    """Few enough gaps, none of the last two."""
    enough: bool
    """The minimum of traffic is there."""
    past: bool
    """The whole and each third are past the bound."""
    calm: bool
    """Neither the whole nor any third is."""
    first: int
    """Number of its first slot."""

    @property
    def reached(self) -> bool:
        """Past the bound with evidence enough."""
        return self.usable and self.enough and self.past


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The slots that a window may look at: by number, from the first in which the new arm owed samples."""

    ring: dict[int, SlotSums]
    first: int | None
    seconds: float
    """Length of a slot."""


def window(stretch: Stretch, signal: Signal, level: int, *, end: int) -> Window:
    """The new arm's window (t-D, t] of a level, t being the end of slot number `end`.

    It is usable only where all of it lies after the arm began: what came before is no gap, it does not exist.
    """
    ring = stretch.ring
    rule, kind = signal.levels[level], KINDS[signal.kind]
    bound = kind.bound(rule)
    count = slots_of(rule.seconds, stretch.seconds)
    numbers = range(end - count + 1, end + 1)
    good = {n: ring[n].new for n in numbers if n in ring and _tells(ring[n].new, level)}
    gaps = count - len(good)
    pooled = pool(good.values(), level, bound)
    whole = _past(pooled, bound)
    parts = [_past(pool((good[n] for n in part if n in good), level, bound), bound) for part in thirds(numbers)]
    return Window(
        pooled=pooled,
        bound=bound,
        slots=count,
        gaps=gaps,
        owed=0 if stretch.first is None else max(0, end + 1 - max(stretch.first, numbers[0])),
        usable=stretch.first is not None
        and stretch.first <= numbers[0]
        and gaps <= count // GAPS_AT_MOST
        and all(n in good for n in numbers[-LAST_WITHOUT_GAP:]),
        enough=not kind.requests or pooled.total >= max(1, signal.minimum_traffic),
        past=whole and (all(parts) or kind.any_at_all(rule)),
        calm=not whole and not any(parts),
        first=numbers[0],
    )


def thirds(numbers: range) -> list[range]:
    """The window in three, rounded to whole slots; a window of less than three slots has fewer parts."""
    count = len(numbers)
    cuts = [(2 * i * count + 3) // 6 for i in range(4)]
    return [numbers[low:high] for low, high in itertools.pairwise(cuts) if high > low]


def _tells(arm: ArmSlot, level: int) -> bool:
    return arm.state is ArmState.COMPLETE and arm.bad[level] is not None


def _past(pooled: Pooled, bound: float) -> bool:
    value = pooled.value
    return value is not None and value > bound
