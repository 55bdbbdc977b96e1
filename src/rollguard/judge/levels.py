"""Slots in, level readings and findings out."""

from __future__ import annotations

from dataclasses import replace

from rollguard.judge.kinds import KINDS
from rollguard.judge.memory import SignalLook, SignalMemory, entered, number_of, slots_of, sums, sums_before
from rollguard.judge.pooled import ArmState, SlotSums
from rollguard.judge.reference import Compared, compared
from rollguard.judge.window import Stretch, Window, window
from rollguard.judge.words import ALL_PODS, NEW_PODS, lacking, level_text, unit_of
from rollguard.model.judgement import Attribution, Finding, LevelReading, Observation, SignalGap
from rollguard.model.metrics import Answer, GapCause
from rollguard.model.policy import Timing
from rollguard.model.signals import Level, LevelName, Signal
from rollguard.model.time import Instant
from rollguard.observe.slots import number_ending_at_or_before, number_starting_at_or_after, slot_at

RANK = {LevelName.WARNING: 0, LevelName.CRITICAL: 1, LevelName.ROLLBACK: 2}
BEFORE_WINDOWS = 4
"""How many times the longest window of the time before is kept."""
BLIND_AFTER = 2
"""Slots in a row without a complete answer."""
_OVERDUE_TICKS = 2.0
"""How many ticks late an answer may come, beside what the store's clock may be behind ours."""


def remembered(memory: SignalMemory | None, signal: Signal, observation: Observation, timing: Timing) -> SignalMemory:
    """The memory with the observation's slots of this signal, each once, in order of time."""
    if memory is not None and not observation.answers and not observation.before:
        return memory
    mine = _in_time(observation.answers, signal)
    before = _in_time(observation.before, signal)
    seconds = next((a.slot.seconds for a in (*mine, *before)), memory.seconds if memory else timing.slot)
    if memory is None:
        memory = SignalMemory(signal=signal.name, seconds=seconds, since=(None,) * len(signal.levels))
    longest = max((slots_of(level.seconds, seconds) for level in signal.levels), default=1)
    if before:
        memory = _with_before(memory, signal, before, observation, capacity=BEFORE_WINDOWS * longest)
    automatic_end = observation.rollout.started.plus(timing.automatic)
    for answer in mine:
        slot = sums(answer, signal, new=observation.arms.new, reference=observation.arms.reference)
        memory = _with_slot(memory, slot, signal, capacity=longest + 2, automatic=slot.slot.end <= automatic_end)
    return memory


def _in_time(answers: tuple[Answer, ...], signal: Signal) -> list[Answer]:
    return sorted((a for a in answers if a.signal == signal.name), key=lambda a: a.slot.end.seconds)


def _with_before(
    memory: SignalMemory, signal: Signal, answers: list[Answer], observation: Observation, *, capacity: int
) -> SignalMemory:
    known = {slot.number: slot for slot in memory.before}
    fresh = [answer for answer in answers[-capacity:] if number_of(answer) not in known]
    if not fresh:
        return memory
    for answer in fresh:
        slot = sums_before(answer, signal, reference=observation.rollout.baseline)
        known.setdefault(slot.number, slot)
    return replace(memory, before=tuple(known[number] for number in sorted(known))[-capacity:])


def _with_slot(memory: SignalMemory, slot: SlotSums, signal: Signal, *, capacity: int, automatic: bool) -> SignalMemory:
    after = entered(memory, slot, capacity=capacity, automatic=automatic, requests=KINDS[signal.kind].requests)
    if after is memory:
        return memory
    end = after.ring[-1].number
    stretch = stretch_of(after)
    since: list[int | None] = []
    reached = after.reached
    for level, was in enumerate(after.since):
        seen = window(stretch, signal, level, end=end)
        since.append((was if was is not None else seen.first) if seen.reached else None)
        reached = reached or (automatic and seen.reached)
    return replace(after, since=tuple(since), reached=reached)


def stretch_of(memory: SignalMemory) -> Stretch:
    """The remembered slots as windows look at them."""
    ring = {slot.number: slot for slot in memory.ring}
    return Stretch(ring=ring, first=memory.first, seconds=memory.seconds)


def look(last: SignalLook | None, signal: Signal, observation: Observation, timing: Timing) -> SignalLook:
    """All levels of a signal as they stand now, and whether it has lately had no answers.

    The last look again where no slot has come and none has become overdue since.
    """
    memory = remembered(last.memory if last is not None else None, signal, observation, timing)
    end = _end(memory, observation, timing)
    if last is not None and last.memory is memory and last.end == end and last.signal is signal:
        return last
    return _looked(memory, signal, end, idle=observation.arms.idle)


def _looked(memory: SignalMemory, signal: Signal, end: int, *, idle: bool) -> SignalLook:
    stretch = stretch_of(memory)
    ring = stretch.ring
    readings: list[LevelReading] = []
    reached: list[Finding] = []
    for level, rule in enumerate(signal.levels):
        seen = window(stretch, signal, level, end=end)
        comparison = compared(memory, ring, signal, level, seen, end=end, idle=idle)
        all_pods = any(ring[n].all_pods for n in range(seen.first, end + 1) if n in ring)
        arm = ALL_PODS if all_pods else NEW_PODS
        began = memory.since[level]
        since = slot_at(began if began is not None else seen.first, memory.seconds).start
        reading = _reading(signal, rule, seen, comparison, arm, since=since)
        readings.append(reading)
        if seen.reached:
            # What old and new pods suffer from alike is not told apart, whatever the series' labels.
            whose = ALL_PODS if comparison.shared else arm
            reached.append(_finding(reading, seen, comparison, since=since, arm=whose))
    highest = max((RANK[finding.level] for finding in reached), default=-1)
    return SignalLook(
        signal=signal,
        memory=memory,
        end=end,
        readings=tuple(readings),
        findings=tuple(finding for finding in reached if RANK[finding.level] == highest),
        gap=_gap(memory, ring, signal, end),
    )


def _reading(
    signal: Signal, rule: Level, seen: Window, comparison: Compared, arm: str, *, since: Instant
) -> LevelReading:
    return LevelReading(
        signal=signal.name,
        level=rule.name,
        text=level_text(signal, rule, seen, comparison.reference, arm),
        value=seen.pooled.value,
        bound=seen.bound,
        unit=unit_of(signal),
        traffic=seen.pooled.total if KINDS[signal.kind].requests else 0.0,
        slots=seen.pooled.slots,
        gaps=seen.gaps,
        reached=seen.reached,
        reference=comparison.reference,
        seconds=rule.seconds,
        since=since if seen.reached else None,
        lacks=lacking(signal, seen),
    )


def _finding(reading: LevelReading, seen: Window, comparison: Compared, *, since: Instant, arm: str) -> Finding:
    return Finding(
        signal=reading.signal,
        level=reading.level,
        value=seen.pooled.value or 0.0,
        bound=reading.bound,
        unit=reading.unit,
        text=reading.text,
        since=since,
        slots=reading.slots,
        bad=seen.pooled.bad,
        total=seen.pooled.total,
        arm=arm,
        reference=comparison.reference,
        attribution=Attribution.RELEASE,
        shared=comparison.shared,
    )


def _end(memory: SignalMemory, observation: Observation, timing: Timing) -> int:
    """The slot that windows end with: the newest answered, or one that is overdue since (then it is a gap)."""
    if not memory.ring:
        return number_starting_at_or_after(observation.rollout.started, memory.seconds) - 1
    patience = timing.lateness + _OVERDUE_TICKS * timing.tick + timing.clock_offset_max
    due = observation.now.plus(-patience)
    return max(memory.ring[-1].number, number_ending_at_or_before(due, memory.seconds))


def _gap(memory: SignalMemory, ring: dict[int, SlotSums], signal: Signal, end: int) -> SignalGap | None:
    """The gap that the signal is in now, None where the last slot is complete or owed nothing."""
    in_a_row = 0
    for number in range(end, min(ring, default=end + 1) - 1, -1):
        slot = ring.get(number)
        if slot is not None and slot.new.state is not ArmState.GAP:
            break
        in_a_row += 1
    if not in_a_row:
        return None
    last = ring.get(end)
    return SignalGap(
        signal=signal.name,
        required=signal.required,
        last=last.slot if last is not None else slot_at(end, memory.seconds),
        cause=last.cause if last is not None else GapCause.NOT_ASKED.value,
        detail=last.detail if last is not None else "no answer came for this slot",
        in_a_row=in_a_row,
    )
