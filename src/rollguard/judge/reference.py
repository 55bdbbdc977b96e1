"""What a level's value is compared with: old pods beside the new, else the time before the rollout."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.judge.kinds import KINDS, Kind
from rollguard.judge.kinds.kind import like_for_like
from rollguard.judge.memory import SignalMemory
from rollguard.judge.pooled import ArmState, Pooled, SlotSums, pool
from rollguard.judge.window import Window
from rollguard.model.judgement import Reference
from rollguard.model.signals import Signal

BESIDE = "old pods beside it"
BEFORE = "before the rollout"
NONE = "none"
BY_CHANCE_AT_MOST = 0.01

NO_REFERENCE = Reference(source=NONE, value=None, bad=0.0, total=0.0, past_bound=False, not_worse=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The reference, and whether the value is a shared resource's, which old and new pods suffer from alike."""

    reference: Reference
    shared: bool


def compared(
    memory: SignalMemory,
    ring: dict[int, SlotSums],
    signal: Signal,
    level: int,
    seen: Window,
    *,
    end: int,
    idle: bool = False,
) -> Compared:
    """The reference of a level's window that ends with slot number `end`.

    Old pods beside the new count where they held at least half of the window and had requests enough for a difference
    to show at all; so does the time before. For a shared resource that both arms suffer from alike, the time before
    tells whether it began with the rollout. What was past the bound before the rollout is said beside either. Pods that
    are `idle` beside it show only what their own requests show.
    """
    kind = KINDS[signal.kind]
    numbers = range(end - seen.slots + 1, end + 1)
    beside = _pooled([ring[n] for n in numbers if n in ring], level, seen) if kind.requests or not idle else None
    # Where a bad release came between, the good revision's own last slots are the time before.
    stood = [slot for slot in memory.before if slot.old.state is not ArmState.ABSENT]
    recent = _pooled(stood[-seen.slots :], level, seen)
    before = pool((slot.old for slot in memory.before), level, seen.bound) if recent is not None else None
    was_past = recent is not None and _past(seen, recent, signal)
    of_beside = _reference(BESIDE, seen, beside, signal, past=was_past)
    of_before = _reference(BEFORE, seen, before, signal, past=was_past)
    unattributed = any(ring[n].all_pods for n in numbers if n in ring)
    chosen = of_beside
    if of_beside is None or (beside is not None and not _can_tell(kind, seen.pooled, beside) and of_before):
        chosen = of_before
    alike = of_beside is not None and (of_beside.not_worse or of_beside.past_bound)
    shared = signal.shared and (unattributed or alike)
    if shared and of_before is not None:
        chosen = of_before
    return Compared(reference=chosen or NO_REFERENCE, shared=shared)


def _pooled(slots: list[SlotSums], level: int, seen: Window) -> Pooled | None:
    """The old arm over the slots; None where it held less than half of the window."""
    pooled = pool((slot.old for slot in slots), level, seen.bound)
    return pooled if 2 * pooled.slots >= seen.slots else None


def _reference(source: str, seen: Window, reference: Pooled | None, signal: Signal, *, past: bool) -> Reference | None:
    kind = KINDS[signal.kind]
    least = max(1, signal.minimum_traffic) if kind.requests else 0
    if reference is None or reference.value is None or reference.total < least:
        return None
    counts = kind.requests or kind.burst_counts
    fair = like_for_like(seen.pooled, reference, per_pod=kind.burst_counts and not signal.per_pod)
    return Reference(
        source=source,
        value=fair.value,
        bad=reference.bad if counts else 0.0,
        total=reference.total if counts else 0.0,
        past_bound=past or _past(seen, reference, signal),
        not_worse=kind.not_better_by_chance(seen.pooled, reference) > BY_CHANCE_AT_MOST,
    )


def _past(seen: Window, reference: Pooled, signal: Signal) -> bool:
    fair = like_for_like(seen.pooled, reference, per_pod=KINDS[signal.kind].burst_counts and not signal.per_pod)
    return fair.value is not None and fair.value > seen.bound


def _can_tell(kind: Kind, new: Pooled, reference: Pooled) -> bool:
    """Even without anything bad of its own, so small a reference might not show the new arm to be worse."""
    spotless = Pooled(bad=0.0, total=reference.total, pod_slots=reference.pod_slots, slots=reference.slots, past=0)
    return kind.not_better_by_chance(new, spotless) <= BY_CHANCE_AT_MOST
