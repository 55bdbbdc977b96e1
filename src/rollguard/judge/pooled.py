"""What an arm adds up to over slots. For every kind the value is `bad / total`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from rollguard.model.time import Slot


class ArmState(StrEnum):
    """How an arm stands in a slot. ABSENT: nobody in it owed a sample."""

    COMPLETE = "complete"
    GAP = "gap"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSlot:
    """An arm in one slot. `bad[i]` belongs to the signal's level i, None where the samples cannot tell it."""

    state: ArmState
    pods: int
    total: float
    bad: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSums:
    """Both arms in one slot; `number` is the slot's place in time. `cause` says why the new arm is a gap."""

    number: int
    slot: Slot
    new: ArmSlot
    old: ArmSlot
    all_pods: bool
    """The series have no pod: `new` holds all of them."""
    cause: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """Several slots of one arm together, for one level."""

    bad: float
    total: float
    pod_slots: int
    """One for each pod and slot: the exposure behind it."""
    slots: int
    past: int
    """How many of the slots are past the bound by themselves."""

    @property
    def value(self) -> float | None:
        """Bad by total; None without any total."""
        return self.bad / self.total if self.total > 0 else None


def pool(arms: Iterable[ArmSlot], level: int, bound: float) -> Pooled:
    """The arms that are complete and can tell the level, together; the others are left out, not counted as good."""
    bad = total = 0.0
    pod_slots = slots = past = 0
    for arm in arms:
        own = arm.bad[level] if arm.state is ArmState.COMPLETE else None
        if own is None:
            continue
        bad += own
        total += arm.total
        pod_slots += max(1, arm.pods)
        slots += 1
        past += own > bound * arm.total
    return Pooled(bad=bad, total=total, pod_slots=pod_slots, slots=slots, past=past)
