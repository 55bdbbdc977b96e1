"""Since when the old revision has served healthily: what had changed before that does not hinder it."""

from __future__ import annotations

from rollguard.judge.kinds import KINDS
from rollguard.judge.memory import SignalLook
from rollguard.judge.pooled import ArmState, SlotSums
from rollguard.model.signals import Signal
from rollguard.model.time import Instant

SLOTS_ENOUGH = 2


def served_since(known: Instant | None, looks: tuple[SignalLook, ...]) -> Instant | None:
    """The latest moment after which the old revision was seen to serve healthily; `known` is that of earlier looks.

    For every required signal that counts requests: two complete slots or more, the minimum of traffic, and inside each
    bound. Slots count from before the rollout and from beside the new pods. None where that was never seen.
    """
    required = [seen for seen in looks if seen.signal.required and KINDS[seen.signal.kind].requests]
    found = [_latest(seen) for seen in required]
    moments = [moment for moment in found if moment is not None]
    if not required or len(moments) < len(required):
        return known
    return max(min(moments), known or min(moments))


def _latest(seen: SignalLook) -> Instant | None:
    """The start of the shortest run of slots up to now that shows it."""
    memory, signal = seen.memory, seen.signal
    slots = [slot for slot in (*memory.before, *memory.ring) if slot.old.state is ArmState.COMPLETE]
    total, bad = 0.0, [0.0] * len(signal.levels)
    for count, slot in enumerate(sorted(slots, key=lambda slot: slot.number, reverse=True), start=1):
        total += slot.old.total
        bad = [so_far + (slot.old.bad[level] or 0.0) for level, so_far in enumerate(bad)]
        if count >= SLOTS_ENOUGH and total >= max(1, signal.minimum_traffic) and _inside(signal, bad, total, slot):
            return slot.slot.start
    return None


def _inside(signal: Signal, bad: list[float], total: float, slot: SlotSums) -> bool:
    """No bound is passed; a level that the samples cannot tell says nothing."""
    kind = KINDS[signal.kind]
    told = [level for level in range(len(signal.levels)) if slot.old.bad[level] is not None]
    return bool(told) and all(bad[level] <= kind.bound(signal.levels[level]) * total for level in told)
