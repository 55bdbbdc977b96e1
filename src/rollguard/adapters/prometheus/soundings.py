"""What doctor wants to know of a metrics store: each signal as the loop asks for it, and what the store has of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from rollguard import signals
from rollguard.adapters.prometheus.inspect import MetricsInspector, StoreProblem
from rollguard.doctor.facts import Series, SignalSeen, StoreSeen
from rollguard.model.action import Unknown
from rollguard.model.metrics import GapCause, MetricsAnswer, NoSnapshot
from rollguard.model.names import WorkloadName
from rollguard.model.policy import Policy
from rollguard.model.signals import Signal, SignalKind
from rollguard.model.time import Slot
from rollguard.policy.promql import Matcher, narrowed, selectors
from rollguard.ports import Clock, Metrics

AT_ONCE = 4
DEADLINE_S = 10.0
DEFAULT_WINDOW_S = 300.0
Counted = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sounding:
    """One look at a store. `metrics` and `inspector` are of the policy's store."""

    policy: Policy
    metrics: Metrics
    inspector: MetricsInspector
    clock: Clock
    workloads: tuple[WorkloadName, ...]
    """Whose signals are asked for."""

    async def take(self, *, inside: bool) -> StoreSeen:
        """Asks for the store's clock first: where that is not answered, nothing else is asked. `inside` says that only
        the cluster resolves the address."""
        try:
            offset = await self.inspector.clock_offset()
        except StoreProblem as problem:
            return StoreSeen(problem=problem.reason, inside=inside, interval=None, offset=None, signals=())
        asked = [signal for signal in self.policy.signals if signal.kind is not SignalKind.EVENT]
        room = asyncio.Semaphore(AT_ONCE)

        async def one(signal: Signal) -> SignalSeen:
            async with room:
                return await self._signal(signal)

        seen = tuple(await asyncio.gather(*(one(signal) for signal in asked)))
        return StoreSeen(problem="", inside=inside, interval=await self._interval(seen), offset=offset, signals=seen)

    async def _signal(self, signal: Signal) -> SignalSeen:
        window = max((level.seconds for level in signal.levels), default=DEFAULT_WINDOW_S)
        end = self.clock.now().plus(-self.policy.timing.lateness)
        slot = Slot(end.plus(-window), end)
        (earlier, later), series = await asyncio.gather(self._answers(signal, slot), self._series(signal))
        return SignalSeen(signal=signal.name, slot=slot, earlier=earlier, later=later, series=series)

    async def _answers(self, signal: Signal, slot: Slot) -> tuple[MetricsAnswer, MetricsAnswer]:
        """The answers at both ends of the slot."""
        questions = signals.question(
            signal,
            self.policy.metrics,
            workloads=self.workloads,
            instants=(slot.start, slot.end),
            slot_seconds=slot.seconds,
        )
        if not questions:
            detail = "there is no workload to ask for"
            nobody = NoSnapshot(signal=signal.name, at=slot.end, cause=GapCause.NOT_ASKED, detail=detail)
            return nobody, nobody
        deadline = self.clock.mono().plus(DEADLINE_S)
        answers = await asyncio.gather(*(self.metrics.ask(question, deadline=deadline) for question in questions))
        earlier, later = signals.joined(tuple(answers))
        return earlier, later

    async def _series(self, signal: Signal) -> Series | Unknown:
        """How many series there are, by namespace, with and without the pod's label."""
        store, selector = self.policy.metrics, main_selector(signal)
        try:
            every = await self._counted(narrowed(selector, (), store.match))
            with_pod: Counted = ()
            if store.pod_label:
                labelled = narrowed(selector, (Matcher(store.pod_label, "!=", ""),), store.match)
                with_pod = await self._counted(labelled)
        except StoreProblem as problem:
            return Unknown(detail=problem.reason)
        anywhere = sum(count for _namespace, count in every)
        return Series(selector=selector, anywhere=anywhere, by_namespace=every, with_pod=with_pod)

    async def _counted(self, selector: str) -> Counted:
        label = self.policy.metrics.namespace_label
        samples = await self.inspector.query(f"count by ({label}) ({selector})")
        return tuple((dict(sample.labels).get(label, ""), round(sample.value)) for sample in samples)

    async def _interval(self, seen: Sequence[SignalSeen]) -> float | Unknown | None:
        """Measured by the samples of the first signal with series in a watched namespace, required ones first."""
        watched = {watch.namespace for watch in self.policy.watches}
        found = {each.signal: each.series for each in seen}
        for signal in sorted(self.policy.signals, key=lambda signal: not signal.required):
            series = found.get(signal.name)
            if not isinstance(series, Series):
                continue
            there = next((name for name, count in series.by_namespace if name in watched and count), None)
            if there is None:
                continue
            here = narrowed(series.selector, (Matcher(self.policy.metrics.namespace_label, "=", there),))
            try:
                return await self.inspector.scrape_interval(here)
            except StoreProblem as problem:
                return Unknown(detail=problem.reason)
        return None


def main_selector(signal: Signal) -> str:
    """The selector without whose series there is nothing to judge."""
    if signal.kind is SignalKind.GAUGE:
        return selectors(signal.gauge)[0]
    if signal.kind is SignalKind.HISTOGRAM:
        # The last bucket counts every request: one series of each pod is enough to count.
        return narrowed(signal.buckets, (Matcher("le", "=", "+Inf"),))
    return signal.total or signal.counter
