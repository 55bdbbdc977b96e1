"""The Metrics port over the simulated traffic: answers at an instant exactly as a store would."""

from __future__ import annotations

import re

from rollguard.model.metrics import GapCause, MetricsAnswer, NoSnapshot, Question, Reading, Snapshot
from rollguard.model.time import Instant, Mono
from rollguard.sim.faults import Fault, FaultPlan
from rollguard.sim.objects import SimPod, at
from rollguard.sim.process import EPOCH, Process, VirtualClock
from rollguard.sim.traffic import Scraped, Series
from rollguard.sim.world import World

EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0, float("inf"))
_LOOKBACK = 300.0
_RANGE = re.compile(r"\[(\d+)(ms|s|m)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_NORMAL_SECONDS = 0.04
_USAGE = 0.3
_OF_JOBS = ("job", "queue", "oldest-job")
"""How the names of signals begin that only pods with jobs have."""


class SimMetrics:
    """Cumulative values per pod from its scrapes; which counter is meant follows from signal and part."""

    def __init__(self, world: World, process: Process, faults: FaultPlan) -> None:
        self._world = world
        self._process = process
        self._faults = faults
        self._clock = VirtualClock(process)
        self.asked = 0

    async def ask(self, question: Question, *, deadline: Mono) -> tuple[MetricsAnswer, ...]:
        """One answer per instant."""
        await self._process.stand()
        self.asked += 1
        fault = self._faults.strike("metrics.ask")
        if fault is Fault.KILLED_BEFORE:
            self._process.kill()
            await self._process.stand()
        blind = self._cause(fault)
        if blind in (GapCause.TIMEOUT, GapCause.UNREACHABLE):
            await self._process.wait(max(0.0, deadline.since(self._clock.mono())))
        else:
            await self._process.wait(self._faults.random.uniform(0.002, 0.02))
        if fault is Fault.KILLED_AFTER:
            self._process.kill()
        if fault is Fault.PAUSED_AFTER:
            self._process.pause(self._faults.random.uniform(1.0, 25.0))
        await self._process.stand()
        if blind is not None:
            return tuple(
                NoSnapshot(signal=question.signal, at=instant, cause=blind, detail=f"simulated: {blind.value}")
                for instant in question.instants
            )
        self._world.settle()
        skip = self._faults.random.randrange(8) if fault is Fault.POD_MISSING else None
        return tuple(self._answer(question, instant, skip) for instant in question.instants)

    async def close(self) -> None:
        """There is nothing to end."""

    def clock_offset(self) -> float | None:
        """By how much the process's wall clock is behind the store's."""
        return -self._process.clock_error

    def _cause(self, fault: Fault | None) -> GapCause | None:
        now = self._world.loop.time()
        for window in self._world.blind:
            if window.start <= now < window.end:
                return window.cause
        if fault is not Fault.NO_ANSWER:
            return None
        causes = (
            GapCause.EMPTY,
            GapCause.NOT_A_NUMBER,
            GapCause.STALE,
            GapCause.PARTIAL,
            GapCause.TIMEOUT,
            GapCause.UNREACHABLE,
            GapCause.REFUSED,
            GapCause.UNEXPECTED,
            GapCause.CLOCK,
        )
        return self._faults.random.choice(causes)

    def _answer(self, question: Question, instant: Instant, skip: int | None) -> MetricsAnswer:
        parts = {expression.part: expression.promql for expression in question.expressions}
        moment = min(instant.seconds - EPOCH, self._world.loop.time())
        length = _range_of(parts.get("resets", ""))
        readings = []
        for series in self._world.traffic.series.values():
            found = series.at(moment, _LOOKBACK)
            if found is None:
                continue
            scraped_at, sample = found
            values = self._values(question.signal, parts, series.pod, sample)
            if not values:
                continue
            readings.append(
                Reading(
                    namespace=series.pod.owner.name.namespace,
                    pod=series.pod.name if question.pod_label else "",
                    workload=series.pod.owner.name.name if not question.pod_label else "",
                    values=values,
                    newest=at(scraped_at),
                    resets=_resets(series, moment, length),
                )
            )
        if skip is not None and readings:
            readings.pop(skip % len(readings))
        if not readings:
            return NoSnapshot(signal=question.signal, at=instant, cause=GapCause.EMPTY, detail="no series")
        return Snapshot(signal=question.signal, at=instant, readings=tuple(readings))

    def _values(
        self, signal: str, parts: dict[str, str], pod: SimPod, sample: Scraped
    ) -> tuple[tuple[str, str, float], ...]:
        if signal.startswith(_OF_JOBS) != pod.owner.jobs and not parts.keys() & {"count", "value"}:
            return ()
        if "total" in parts:
            return ("bad", "", float(sample.bad)), ("total", "", float(sample.total))
        if "bucket" in parts:
            return _buckets(pod, sample)
        if "count" in parts:
            restarts = "restart" in signal or "restart" in parts["count"]
            return (("count", "", float(sample.restarts if restarts else sample.db_errors)),)
        if "value" in parts:
            limit = (("limit", "", 1.0),) if "limit" in parts else ()
            return ("value", "", self._gauge(signal, pod)), *limit
        return ()

    def _gauge(self, signal: str, pod: SimPod) -> float:
        queue = self._world.queues.of(pod.owner) if signal.startswith(_OF_JOBS) else None
        if queue is None:
            return _USAGE
        return queue.oldest if "oldest" in signal else queue.depth


def _buckets(pod: SimPod, sample: Scraped) -> tuple[tuple[str, str, float], ...]:
    slow_seconds = pod.behaviour.slow_seconds
    fast = sample.total - sample.slow
    return tuple(
        (
            "bucket",
            _edge(edge),
            float((fast if edge >= _NORMAL_SECONDS else 0) + (sample.slow if edge >= slow_seconds else 0)),
        )
        for edge in EDGES
    )


def _resets(series: Series, moment: float, length: float) -> int:
    return series.resets(moment - length, moment) if length else 0


def _range_of(promql: str) -> float:
    match = _RANGE.search(promql)
    return float(match[1]) * _UNITS[match[2]] if match else 0.0


def _edge(edge: float) -> str:
    return "+Inf" if edge == float("inf") else f"{edge:g}"
