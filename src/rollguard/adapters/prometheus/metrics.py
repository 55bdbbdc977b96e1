"""`ports.Metrics` by Prometheus' HTTP API: one POST for each expression, all at once, all or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from rollguard.adapters.prometheus.access import NoAccess
from rollguard.adapters.prometheus.answer import LabelNames, Trouble, Values, refusal, values_of
from rollguard.adapters.prometheus.http import LARGEST_BODY, Pairs, Reply, StoreHttp
from rollguard.adapters.prometheus.inspect import Door, StoreProblem
from rollguard.adapters.prometheus.snapshots import snapshot
from rollguard.model.metrics import GapCause, MetricsAnswer, NoSnapshot, Question
from rollguard.model.policy import MetricsStore
from rollguard.model.time import Instant, Mono
from rollguard.ports import Clock

LARGE_BODY = 256 * 1024
LARGE_ANSWER = 5000
"""Bytes of a body, and values of an answer, from which on they are worked through beside the event loop, which must
not stand still."""
GRACE_SECONDS = 5.0
"""How much older than one scrape interval the newest sample may be before it is stale."""


_Send = Callable[[str, Pairs], Awaitable[Reply | Trouble]]


@dataclass(slots=True)
class PrometheusMetrics:
    """The store that a policy names. Close it when done."""

    store: MetricsStore
    clock: Clock
    largest_body: int = LARGEST_BODY
    door: Door | None = None
    """Another way to the store than its address, such as the API server's proxy."""
    _http: StoreHttp = field(init=False)

    def __post_init__(self) -> None:
        self._http = StoreHttp(self.store, self.clock, self.largest_body)

    async def ask(self, question: Question, *, deadline: Mono) -> tuple[MetricsAnswer, ...]:
        """One answer per instant, in their order: a `Snapshot` where every part of the question was answered in full,
        else a `NoSnapshot`. Raises ValueError for instants that are not evenly spaced."""
        step = _step(question.instants)
        found = await self._all_parts(question, step, deadline)
        if isinstance(found, Trouble):
            return tuple(
                NoSnapshot(signal=question.signal, at=at, cause=found.cause, detail=found.detail)
                for at in question.instants
            )
        cells = sum(len(by_labels) for values in found.values() for by_labels in values.values())
        if cells < LARGE_ANSWER:
            return self._snapshots(question, found)
        return await asyncio.to_thread(self._snapshots, question, found)

    def clock_offset(self) -> float | None:
        """Seconds by which the store's clock is ahead of ours, by its last answer; None before the first."""
        return self._http.clock_offset()

    async def close(self) -> None:
        """Ends the connections."""
        await self._http.close()

    def _snapshots(self, question: Question, found: dict[str, Values]) -> tuple[MetricsAnswer, ...]:
        stale_after = self.store.scrape_interval + GRACE_SECONDS
        return tuple(snapshot(question, at, found, stale_after=stale_after) for at in question.instants)

    async def _all_parts(self, question: Question, step: float, deadline: Mono) -> dict[str, Values] | Trouble:
        names = LabelNames(
            namespace=question.namespace_label,
            pod=question.pod_label,
            workload=question.workload_label,
            class_=question.class_label,
        )
        seconds = deadline.since(self.clock.mono())
        try:
            send, masked = await self._way(seconds)
        except NoAccess as error:
            return Trouble(GapCause.REFUSED, str(error))
        if seconds <= 0:
            return Trouble(GapCause.TIMEOUT, "the deadline had passed before it was asked")
        forms = [_form(question.instants, expression.promql, step, seconds) for expression in question.expressions]
        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                asked = [group.create_task(self._query(send, form, names)) for form in forms]
        except TimeoutError:
            return Trouble(GapCause.TIMEOUT, f"no answer within {seconds:.1f} s")
        found: dict[str, Values] = {}
        for expression, answer in zip(question.expressions, (task.result() for task in asked), strict=True):
            if isinstance(answer, Trouble):
                return Trouble(answer.cause, masked(f"{expression.part}: {answer.detail}"))
            found[expression.part] = answer
        return found

    async def _way(self, seconds: float) -> tuple[_Send, Callable[[str], str]]:
        """How a request is sent, and what takes secrets out of the words of a trouble. Raises NoAccess."""
        door = self.door
        if door is None:
            opened = await self._http.open()
            return partial(self._http.send, opened, "POST"), opened.secret.masked

        async def through(path: str, pairs: Pairs) -> Reply | Trouble:
            try:
                return await door.get(path, pairs, seconds)
            except StoreProblem as problem:
                return Trouble(GapCause.UNREACHABLE, problem.reason)

        return through, str

    async def _query(self, send: _Send, form: dict[str, str], names: LabelNames) -> Values | Trouble:
        path = "/api/v1/query_range" if "step" in form else "/api/v1/query"
        reply = await send(path, tuple(form.items()))
        if isinstance(reply, Trouble):
            return reply
        if reply.status != 200:
            return refusal(reply.status, reply.body)
        if len(reply.body) < LARGE_BODY:
            return values_of(reply.body, names)
        return await asyncio.to_thread(values_of, reply.body, names)


def _step(instants: tuple[Instant, ...]) -> float:
    """Seconds from one instant to the next, 0 for a single one."""
    if not instants:
        raise ValueError("a question without instants")
    if len(instants) == 1:
        return 0.0
    step = instants[1].since(instants[0])
    for index, at in enumerate(instants):
        if step <= 0 or abs(at.since(instants[0]) - index * step) > 0.0005:
            raise ValueError("the instants of a question are evenly spaced and ascending")
    return step


def _form(instants: tuple[Instant, ...], promql: str, step: float, seconds: float) -> dict[str, str]:
    # the server may give up when we would no longer listen
    form = {"query": promql, "timeout": f"{max(1, int(seconds * 1000))}ms"}
    if len(instants) == 1:
        return {**form, "time": f"{instants[0].seconds:.3f}"}
    return {
        **form,
        "start": f"{instants[0].seconds:.3f}",
        "end": f"{instants[-1].seconds:.3f}",
        "step": f"{step:.3f}",
    }
