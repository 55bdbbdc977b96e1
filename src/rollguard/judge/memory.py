"""What the judge remembers between looks: a bounded ring of slots per signal, and the exits of containers.

May be lost: a range query over the rollout brings it back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from rollguard.judge.kinds import KINDS
from rollguard.judge.pooled import ArmSlot, ArmState, SlotSums
from rollguard.model.judgement import Finding, LevelReading, SignalGap
from rollguard.model.metrics import Answer, Answered, Gap, GapCause, Sample, SeriesKey
from rollguard.model.names import TemplateHash
from rollguard.model.signals import Signal
from rollguard.model.time import Instant
from rollguard.observe.slots import number_starting_at_or_after

_MISSING_AT_MOST = 0.1
"""Share of an arm's pods without a sample up to which its slot still counts as complete."""

Side = Callable[[SeriesKey], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalMemory:
    """One signal's slots. `forgotten` is the number of the newest slot that left the ring: none up to it comes back."""

    signal: str
    seconds: float
    ring: tuple[SlotSums, ...] = ()
    before: tuple[SlotSums, ...] = ()
    forgotten: int | None = None
    first: int | None = None
    """The first slot in which the new arm owed samples."""
    complete: int = 0
    """Slots of the automatic part in which the new arm was complete."""
    requests: float = 0.0
    """Seen in them."""
    since: tuple[int | None, ...] = ()
    """For each level: the first slot of the window in which it was reached, None while it is not."""
    reached: bool = False
    """Some level was reached in the automatic part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exits:
    """How a container ended so far, as it was seen."""

    pod_uid: str
    container: str
    nonzero: int
    zero: int
    last: float
    """Seconds since the epoch of the last end, 0 while there is none."""
    counted: int = 0
    """Ends with an error as of the last look."""
    unwatched: int = 0
    """Those of them that came while nobody looked, or between the two looks of which only the first saw an old pod on
    the node: how that one fared then is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullCause:
    """Why a container's image cannot be pulled, as last understood: the message is gone in the back-off."""

    pod_uid: str
    container: str
    cause: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalLook:
    """One signal at one look: what its slots up to the one of number `end` show."""

    signal: Signal
    memory: SignalMemory
    end: int
    readings: tuple[LevelReading, ...]
    findings: tuple[Finding, ...]
    """The levels reached of the highest name: `P95` and `P99` of the same name may both be."""
    gap: SignalGap | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeState:
    """All that the judge remembers of a rollout."""

    looks: tuple[SignalLook, ...] = ()
    """The last look at each signal: it still holds where no slot has come since."""
    exits: tuple[Exits, ...] = ()
    pulls: tuple[PullCause, ...] = ()
    nodes: frozenset[str] = frozenset()
    """Where old pods restarted since the rollout began: remembered when those pods are gone."""
    beside: frozenset[str] = frozenset()
    """Where old pods ran at the last look."""
    looked: float | None = None
    """Seconds since the epoch of the last look's facts; None before the first."""
    proven: Instant | None = None
    """Since when the old revision has served healthily, as far as it was seen."""
    event_reached: bool = False
    """An event rule was complete in the automatic part."""

    @staticmethod
    def empty() -> JudgeState:
        """Nothing seen yet."""
        return JudgeState()

    @property
    def signals(self) -> tuple[SignalMemory, ...]:
        """The memories of all signals."""
        return tuple(seen.memory for seen in self.looks)

    def of(self, signal: str) -> SignalLook | None:
        """The last look at a signal, if there was one."""
        return next((seen for seen in self.looks if seen.signal.name == signal), None)


def slots_of(seconds: float, slot_seconds: float) -> int:
    """A duration in whole slots, at least one."""
    return max(1, math.floor(seconds / slot_seconds + 0.5))


def number_of(answer: Answer) -> int:
    """The place in time of the answer's slot."""
    return number_starting_at_or_after(answer.slot.start, answer.slot.seconds)


def sums(answer: Answer, signal: Signal, *, new: TemplateHash, reference: TemplateHash | None) -> SlotSums:
    """Both arms of a slot after the rollout's start. Series without a pod are all of them in the new arm."""
    all_pods = isinstance(answer, Answered) and any(key.pod is None for key in _keys(answer))

    def is_new(key: SeriesKey) -> bool:
        return key.pod is None or key.revision == new

    def is_old(key: SeriesKey) -> bool:
        return key.pod is not None and reference is not None and key.revision == reference

    return _sums(answer, signal, is_new, is_old, all_pods=all_pods)


def sums_before(answer: Answer, signal: Signal, *, reference: TemplateHash | None) -> SlotSums:
    """A slot before the rollout's start: the baseline's pods, or all where the series have no pod, as the old arm."""

    def nobody(_key: SeriesKey) -> bool:
        return False

    def is_old(key: SeriesKey) -> bool:
        return key.pod is None or (reference is not None and key.revision == reference)

    return _sums(answer, signal, nobody, is_old, all_pods=False)


def _keys(answer: Answered) -> list[SeriesKey]:
    return [sample.key for sample in answer.samples] + [key for key, _cause in answer.pod_gaps]


def _sums(answer: Answer, signal: Signal, is_new: Side, is_old: Side, *, all_pods: bool) -> SlotSums:
    number = number_of(answer)
    if isinstance(answer, Gap):
        none = _empty(ArmState.GAP, len(signal.levels))
        return SlotSums(
            number=number,
            slot=answer.slot,
            new=none,
            old=none,
            all_pods=False,
            cause=answer.cause.value,
            detail=answer.detail,
        )
    new, cause, detail = _arm(answer, signal, is_new)
    old, _cause, _detail = _arm(answer, signal, is_old)
    return SlotSums(number=number, slot=answer.slot, new=new, old=old, all_pods=all_pods, cause=cause, detail=detail)


def _arm(answer: Answered, signal: Signal, mine: Side) -> tuple[ArmSlot, str, str]:
    samples: tuple[Sample, ...] = tuple(sample for sample in answer.samples if mine(sample.key))
    # A pod of unknown revision may belong to either arm.
    gaps = [(key, cause) for key, cause in answer.pod_gaps if mine(key) or cause is GapCause.UNATTRIBUTED]
    owed = len(samples) + len(gaps)
    if not owed:
        return _empty(ArmState.ABSENT, len(signal.levels)), "", ""
    if not samples or len(gaps) > _MISSING_AT_MOST * owed:
        names = ", ".join(sorted({key.pod or key.workload.name for key, _cause in gaps})[:3])
        detail = f"{len(gaps)} of {owed} without a sample: {names}"
        return _empty(ArmState.GAP, len(signal.levels)), gaps[0][1].value, detail
    # Ten pods that each restart once a minute are one restart a minute and pod.
    seconds = answer.slot.seconds * (len(samples) if signal.per_pod else 1)
    total, bad = KINDS[signal.kind].sums(signal.levels, samples, seconds)
    return ArmSlot(state=ArmState.COMPLETE, pods=len(samples), total=total, bad=bad), "", ""


def _empty(state: ArmState, levels: int) -> ArmSlot:
    return ArmSlot(state=state, pods=0, total=0.0, bad=(None,) * levels)


def entered(memory: SignalMemory, slot: SlotSums, *, capacity: int, automatic: bool, requests: bool) -> SignalMemory:
    """The memory with one more slot; unchanged where the slot is known already or older than the ring remembers."""
    if memory.forgotten is not None and slot.number <= memory.forgotten:
        return memory
    if any(known.number == slot.number for known in memory.ring):
        return memory
    ring = tuple(sorted((*memory.ring, slot), key=lambda known: known.number))
    forgotten = memory.forgotten
    if len(ring) > capacity:
        forgotten = ring[-capacity - 1].number
        ring = ring[-capacity:]
    counted = automatic and slot.new.state is ArmState.COMPLETE
    owed = slot.new.state is not ArmState.ABSENT
    return replace(
        memory,
        ring=ring,
        forgotten=forgotten,
        first=min(slot.number, memory.first if memory.first is not None else slot.number) if owed else memory.first,
        complete=memory.complete + counted,
        requests=memory.requests + (slot.new.total if counted and requests else 0.0),
    )
