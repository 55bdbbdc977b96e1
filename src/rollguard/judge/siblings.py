"""The same levels asked of whole workloads: does an unchanged one breach them too, and has a restored one recovered?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from rollguard.judge.levels import RANK
from rollguard.judge.memory import slots_of, sums
from rollguard.judge.pooled import ArmState, SlotSums
from rollguard.judge.window import Stretch, Window, window
from rollguard.judge.words import unit_of
from rollguard.model.alerting import ReceivedAlert
from rollguard.model.judgement import alert_signal
from rollguard.model.metrics import Answer, Answered, SeriesKey
from rollguard.model.names import TemplateHash, UnitName, WorkloadName
from rollguard.model.signals import LevelName, Signal, SignalKind
from rollguard.model.time import Instant
from rollguard.observe import of_unit
from rollguard.policy import durations
from rollguard.policy.amounts import amount

LATER = 1
"""Slots by which a workload may be left by an outage later than another."""
_ALL = TemplateHash("")


def breaches(answers: tuple[Answer, ...], signals: tuple[Signal, ...], workload: WorkloadName) -> tuple[str, ...]:
    """Names of the signals that all of the workload's pods together breach at rollback level, now or shortly before.

    A third of the level's window is enough, wherever it lies in it: an outage reaches and leaves workloads one after
    the other, and the one that is rolling out must be blamed for it neither as the first nor as the last.
    """
    return tuple(
        signal.name
        for signal in signals
        if signal.kind is not SignalKind.EVENT
        and _breached(_of(_last(answers, signal), signal, workload, None), signal)
    )


def _last(answers: tuple[Answer, ...], signal: Signal) -> tuple[Answer, ...]:
    """The signal's answers of the slots that a breach of it may lie in: all siblings are asked at every tick."""
    mine = sorted((answer for answer in answers if answer.signal == signal.name), key=lambda answer: answer.slot.end)
    longest = max((level.seconds for level in signal.levels if level.name is LevelName.ROLLBACK), default=0.0)
    if not mine or not longest:
        return ()
    return tuple(mine[-slots_of(longest, mine[-1].slot.seconds) - LATER :])


def _breached(ring: dict[int, SlotSums], signal: Signal) -> bool:
    if not ring:
        return False
    return any(
        _lately_past(ring, signal, at) for at, level in enumerate(signal.levels) if level.name is LevelName.ROLLBACK
    )


def _lately_past(ring: dict[int, SlotSums], signal: Signal, at: int) -> bool:
    """Whether any third of the level's window, or of that up to `LATER` slots ago, is past the bound."""
    stretch, seconds, last = _stretch(ring), signal.levels[at].seconds, max(ring)
    asked = replace(_with_seconds(signal, at, seconds / 3), minimum_traffic=signal.minimum_traffic // 3)
    part = slots_of(seconds / 3, stretch.seconds)
    earliest = last - slots_of(seconds, stretch.seconds) - LATER + part
    return any(_past(window(stretch, asked, at, end=end)) for end in range(earliest, last + 1))


def _past(seen: Window) -> bool:
    value = seen.pooled.value
    return seen.usable and seen.enough and value is not None and value > seen.bound


def _with_seconds(signal: Signal, at: int, seconds: float) -> Signal:
    levels = (*signal.levels[:at], replace(signal.levels[at], seconds=seconds), *signal.levels[at + 1 :])
    return replace(signal, levels=levels)


def _stretch(ring: dict[int, SlotSums]) -> Stretch:
    owed = [number for number, slot in ring.items() if slot.new.state is not ArmState.ABSENT]
    return Stretch(ring=ring, first=min(owed, default=None), seconds=next(iter(ring.values())).slot.seconds)


def _of(
    answers: tuple[Answer, ...], signal: Signal, workload: WorkloadName, revision: TemplateHash | None
) -> dict[int, SlotSums]:
    """The signal's slots for the workload's pods of that revision (of any, where it is None)."""
    found: dict[int, SlotSums] = {}
    for answer in answers:
        if answer.signal != signal.name:
            continue
        own = of_unit(answer, UnitName.of_workload(workload))
        mine = _narrowed(own, revision) if isinstance(own, Answered) else own
        slot = sums(mine, signal, new=_ALL, reference=None)
        found.setdefault(slot.number, slot)
    return found


def _narrowed(answer: Answered, revision: TemplateHash | None) -> Answered:
    def mine(key: SeriesKey) -> bool:
        return key.pod is None or revision is None or key.revision == revision

    return replace(
        answer,
        samples=tuple(replace(s, key=replace(s.key, revision=_ALL)) for s in answer.samples if mine(s.key)),
        pod_gaps=tuple((replace(k, revision=_ALL), cause) for k, cause in answer.pod_gaps if mine(k)),
    )


class Recovery(StrEnum):
    """Whether what was breached is in order again."""

    YES = "recovered"
    NO = "not recovered"
    NO_TRAFFIC = "no traffic"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryLook:
    """The answer with its reason. A gap is no evidence that a rollback did not help: it counts as NO_TRAFFIC."""

    recovery: Recovery
    detail: str


def recovered(
    answers: tuple[Answer, ...],
    signals: tuple[Signal, ...],
    workload: WorkloadName,
    revision: TemplateHash,
    *,
    since: Instant,
    seconds: float,
) -> RecoveryLook:
    """Is each of the (breached) signals inside its warning bound for the last `seconds`, on the restored pods?

    Slots that began before `since` do not count. Event signals have nothing to measure: their pods' readiness is the
    caller's to check.
    """
    after = tuple(answer for answer in answers if answer.slot.start >= since)
    looks = [
        _recovered(_of(after, signal, workload, revision), signal, seconds)
        for signal in signals
        if signal.kind is not SignalKind.EVENT and signal.levels
    ]
    for wanted in (Recovery.NO, Recovery.NO_TRAFFIC):
        bad = next((entry for entry in looks if entry.recovery is wanted), None)
        if bad is not None:
            return bad
    told = [entry.detail for entry in looks] or [f"the restored pods have been ready for {durations.format_(seconds)}"]
    return RecoveryLook(recovery=Recovery.YES, detail="; ".join(told))


def alerts_over(signals: tuple[str, ...], alerts: tuple[ReceivedAlert, ...], *, since: Instant) -> RecoveryLook:
    """Have the alerts, named as findings are, ended since the old version came back?

    That the guard was not told of an end is no sign that there was none: its own incident mutes alerts.
    """
    looks: dict[str, RecoveryLook] = {}
    for signal in signals:
        mine = [alert for alert in alerts if alert_signal(alert.name) == signal]
        firing = [alert for alert in mine if alert.ended is None]
        anew = max((alert.starts for alert in firing if alert.starts > since), default=None)
        if anew is not None:
            look = RecoveryLook(recovery=Recovery.NO, detail=f"{signal}: firing again since {anew.iso_second()}")
        elif firing or not mine:
            look = RecoveryLook(recovery=Recovery.NO_TRAFFIC, detail=f"{signal}: nobody has told its end")
        else:
            ended = max(alert.ended for alert in mine if alert.ended is not None)
            look = RecoveryLook(recovery=Recovery.YES, detail=f"{signal}: ended at {ended.iso_second()}")
        looks[signal] = look
    worst = of_all(looks).recovery
    return RecoveryLook(
        recovery=worst, detail="; ".join(look.detail for look in looks.values() if look.recovery is worst)
    )


def of_all(looks: Mapping[str, RecoveryLook]) -> RecoveryLook:
    """The look at a whole unit from those at its members, of which there must be one or more: the worst, each named."""
    order = (Recovery.NO, Recovery.NO_TRAFFIC, Recovery.YES)
    worst = min((entry.recovery for entry in looks.values()), key=order.index)
    told = [
        f"{name}: {entry.detail}" if name else entry.detail for name, entry in looks.items() if entry.recovery is worst
    ]
    return RecoveryLook(recovery=worst, detail="; ".join(told))


def _recovered(ring: dict[int, SlotSums], signal: Signal, seconds: float) -> RecoveryLook:
    at = min(range(len(signal.levels)), key=lambda i: RANK[signal.levels[i].name])
    asked = _with_seconds(signal, at, seconds)
    if not ring:
        return RecoveryLook(recovery=Recovery.NO_TRAFFIC, detail=f"{signal.name}: no data yet")
    end = max(ring)
    stretch = _stretch(ring)
    seen = window(stretch, asked, at, end=end)
    value = seen.pooled.value
    if not seen.usable:
        have, need = seen.pooled.slots, slots_of(seconds, stretch.seconds)
        return RecoveryLook(
            recovery=Recovery.NO_TRAFFIC, detail=f"{signal.name}: {have} of {need} slots complete so far"
        )
    if value is None or not seen.enough:
        return RecoveryLook(
            recovery=Recovery.NO_TRAFFIC,
            detail=f"{signal.name}: {seen.pooled.total:,.0f} requests, {signal.minimum_traffic} are needed",
        )
    return _within(signal, seen, value)


def _within(signal: Signal, seen: Window, value: float) -> RecoveryLook:
    unit = unit_of(signal)
    told = f"{signal.name}: {amount(value, unit)}, warning bound {amount(seen.bound, unit)}"
    return RecoveryLook(recovery=Recovery.YES if seen.calm else Recovery.NO, detail=told)
