"""What the metrics store has said: every closed slot is asked for once and folded once, for all guarded workloads."""

from __future__ import annotations

import asyncio

from rollguard import observe, signals
from rollguard.judge.levels import BEFORE_WINDOWS
from rollguard.model.metrics import Answer, GapCause, MetricsAnswer, NoSnapshot
from rollguard.model.names import WorkloadName
from rollguard.model.policy import Policy
from rollguard.model.signals import Signal
from rollguard.model.time import Instant, Mono, Slot
from rollguard.observe import PodIndex
from rollguard.ports import Metrics

KEPT_LONGER = 600.0
"""Seconds that an answer is kept beyond that: a unit that is being acted upon is fed afterwards."""
SLOTS_AT_ONCE = 600
"""At most so many slots are asked for in one look; older ones are gaps."""


class Answers:
    """The folded answers of the last slots. A slot closes once and never reopens; a gap stays a gap."""

    def __init__(self, metrics: Metrics, policy: Policy) -> None:
        self._metrics = metrics
        self._policy = policy
        self._signals = signals.asked(policy)
        self._snapshots: dict[str, MetricsAnswer] = {}
        self._folded: dict[Instant, tuple[Answer, ...]] = {}
        self._last: Instant | None = None
        self._generation = 0
        self.pods = PodIndex.empty()

    @property
    def reach(self) -> float:
        """Seconds before a moment that may matter for it: a few of the longest windows, and a slot."""
        windows = [level.seconds for signal in self._policy.signals for level in signal.levels]
        return BEFORE_WINDOWS * max(windows, default=0.0) + self._policy.timing.slot

    @property
    def last(self) -> Instant | None:
        """The end of the last slot that was folded, None while none was."""
        return self._last

    def clear(self) -> None:
        """Forgets every answer: we do not lead (any more). Which pod was whose stays true."""
        self._snapshots.clear()
        self._folded.clear()
        self._last = None
        self._generation += 1

    def since(self, after: Instant | None) -> tuple[Answer, ...]:
        """The answers of slots that ended after that moment, in order of time; all kept ones where None.

        They are of all units: who judges one of them takes its part.
        """
        ends = [end for end in self._folded if after is None or end > after]
        return tuple(answer for end in sorted(ends) for answer in self._folded[end])

    def until(self, moment: Instant) -> tuple[Answer, ...]:
        """The kept answers of slots that ended at or before a moment: the time before a rollout."""
        ends = [end for end in self._folded if end <= moment]
        return tuple(answer for end in sorted(ends) for answer in self._folded[end])

    async def ask(
        self, now: Instant, *, earliest: Instant, workloads: tuple[WorkloadName, ...], deadline: Mono
    ) -> tuple[Answer, ...]:
        """Asks the signals that a watch names, at once, for the slots that have closed by `now`; what is new, folded.

        `earliest` matters at the first look only: how far back to catch up.
        """
        timing = self._policy.timing
        slots = observe.slot_ends(
            now.plus(self._metrics.clock_offset() or 0.0),
            seconds=timing.slot,
            lateness=timing.lateness,
            last=self._last,
            earliest=earliest,
        )[-SLOTS_AT_ONCE:]
        if not slots or not workloads:
            return ()
        generation = self._generation
        results = await asyncio.gather(
            *(self._ask_signal(signal, slots, workloads, deadline) for signal in self._signals)
        )
        if generation != self._generation:
            return ()  # forgotten while the store was asked
        new: list[Answer] = []
        for index, slot in enumerate(slots):
            folded = tuple(
                observe.fold(signal, points[index], points[index + 1], slot, self.pods)
                for signal, points in zip(self._signals, results, strict=True)
            )
            self._folded[slot.end] = folded
            new += folded
        for signal, points in zip(self._signals, results, strict=True):
            self._snapshots[signal.name] = points[-1]
        self._last = slots[-1].end
        self._trim()
        return tuple(new)

    async def _ask_signal(
        self, signal: Signal, slots: tuple[Slot, ...], workloads: tuple[WorkloadName, ...], deadline: Mono
    ) -> tuple[MetricsAnswer, ...]:
        """The signal's snapshots at the start of the first slot and at the end of each."""
        moments = (slots[0].start, *(slot.end for slot in slots))
        known = self._snapshots.get(signal.name)
        # a start that could not be read at its time is read again: else one lost answer would cost two slots
        carried = known if known is not None and known.at == moments[0] and not isinstance(known, NoSnapshot) else None
        asked = moments if carried is None else moments[1:]
        questions = signals.question(
            signal,
            self._policy.metrics,
            workloads=workloads,
            instants=asked,
            slot_seconds=self._policy.timing.slot,
        )
        parts = await asyncio.gather(*(self._metrics.ask(question, deadline=deadline) for question in questions))
        points = signals.joined(tuple(parts)) if parts else ()
        by_time = {point.at: point for point in (*points, *((carried,) if carried is not None else ()))}
        return tuple(by_time.get(moment, _not_asked(signal, moment)) for moment in moments)

    def _trim(self) -> None:
        """Drops what no window can need any more."""
        assert self._last is not None
        oldest = self._last.plus(-self.reach - KEPT_LONGER)
        for end in [end for end in self._folded if end < oldest]:
            del self._folded[end]


def _not_asked(signal: Signal, at: Instant) -> NoSnapshot:
    return NoSnapshot(signal=signal.name, at=at, cause=GapCause.NOT_ASKED, detail="no answer within the tick")
