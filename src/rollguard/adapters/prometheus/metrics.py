"""`ports.Metrics` by Prometheus' HTTP API: one POST for each expression, all at once, all or nothing."""

from __future__ import annotations

import asyncio
import email.utils
from dataclasses import dataclass, field

import httpx2

from rollguard.adapters.prometheus.access import Credentials, NoAccess, client, credentials, tls_state
from rollguard.adapters.prometheus.answer import LabelNames, Trouble, Values, refusal, values_of
from rollguard.adapters.prometheus.snapshots import snapshot
from rollguard.model.metrics import GapCause, MetricsAnswer, NoSnapshot, Question
from rollguard.model.policy import MetricsStore
from rollguard.model.time import Instant, Mono
from rollguard.ports import Clock

LARGEST_BODY = 64 * 1024 * 1024
LARGE_BODY = 256 * 1024
LARGE_ANSWER = 5000
"""Bytes of a body, and values of an answer, from which on they are worked through beside the event loop, which must
not stand still."""
GRACE_SECONDS = 5.0
"""How much older than one scrape interval the newest sample may be before it is stale."""


@dataclass(slots=True)
class PrometheusMetrics:
    """The store that a policy names. Close it when done."""

    store: MetricsStore
    clock: Clock
    largest_body: int = LARGEST_BODY
    _client: httpx2.AsyncClient | None = field(default=None, init=False)
    _retired: httpx2.AsyncClient | None = field(default=None, init=False)
    _tls: tuple[tuple[str, int, int], ...] = field(default=(), init=False)
    _offset: float | None = field(default=None, init=False)

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
        """Seconds by which the store's clock is ahead of ours: the last Date (in whole seconds, so half a second
        later on average) against the middle of its round trip; None before the first."""
        return self._offset

    async def close(self) -> None:
        """Ends the connections."""
        clients = (self._client, self._retired)
        self._client = self._retired = None
        for one in clients:
            if one is not None:
                await one.aclose()

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
        try:
            http, secret = await self._access()
        except NoAccess as error:
            return Trouble(GapCause.REFUSED, str(error))
        seconds = deadline.since(self.clock.mono())
        if seconds <= 0:
            return Trouble(GapCause.TIMEOUT, "the deadline had passed before it was asked")
        forms = [_form(question.instants, expression.promql, step, seconds) for expression in question.expressions]
        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                asked = [group.create_task(self._query(http, secret, form, names)) for form in forms]
        except TimeoutError:
            return Trouble(GapCause.TIMEOUT, f"no answer within {seconds:.1f} s")
        found: dict[str, Values] = {}
        for expression, answer in zip(question.expressions, (task.result() for task in asked), strict=True):
            if isinstance(answer, Trouble):
                return Trouble(answer.cause, secret.masked(f"{expression.part}: {answer.detail}"))
            found[expression.part] = answer
        return found

    async def _access(self) -> tuple[httpx2.AsyncClient, Credentials]:
        auth = self.store.auth
        state = tls_state(auth)
        http = self._client
        if http is None or state != self._tls:
            http = client(auth)
            # questions under way still use the one before: it is closed at the next change
            too_old, self._retired, self._client, self._tls = self._retired, self._client, http, state
            if too_old is not None:
                await too_old.aclose()
        return http, credentials(auth)

    async def _query(
        self, http: httpx2.AsyncClient, secret: Credentials, form: dict[str, str], names: LabelNames
    ) -> Values | Trouble:
        path = "/api/v1/query_range" if "step" in form else "/api/v1/query"
        request = http.build_request(
            "POST", self.store.address + path, data=form, headers=list(secret.headers), timeout=None
        )
        auth = httpx2.BasicAuth(*secret.basic) if secret.basic else None
        sent = self.clock.now()
        try:
            response = await http.send(request, stream=True, auth=auth)
            try:
                self._note_offset(response, sent)
                body = await self._body(response)
            finally:
                await response.aclose()
        except httpx2.TimeoutException as error:
            return Trouble(GapCause.TIMEOUT, type(error).__name__)
        except (httpx2.TransportError, OSError) as error:
            # a TLS alert that comes after the handshake reaches us as a bare SSLError
            return Trouble(GapCause.UNREACHABLE, f"{type(error).__name__}: {error}")
        except httpx2.DecodingError as error:
            return Trouble(GapCause.UNEXPECTED, f"{type(error).__name__}: {error}")
        if body is None:
            return Trouble(GapCause.UNEXPECTED, f"an answer of more than {self.largest_body} bytes")
        if response.status_code != 200:
            return refusal(response.status_code, body)
        if len(body) < LARGE_BODY:
            return values_of(body, names)
        return await asyncio.to_thread(values_of, body, names)

    async def _body(self, response: httpx2.Response) -> bytes | None:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > self.largest_body:
                return None
            chunks.append(chunk)
        return b"".join(chunks)

    def _note_offset(self, response: httpx2.Response, sent: Instant) -> None:
        try:
            date = email.utils.parsedate_to_datetime(response.headers.get("Date", ""))
        except (ValueError, TypeError):
            return
        middle = sent.plus(self.clock.now().since(sent) / 2)
        self._offset = Instant(date.timestamp()).plus(0.5).since(middle)


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
