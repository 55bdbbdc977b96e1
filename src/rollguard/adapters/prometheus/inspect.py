"""What a store holds, for checks by people's commands: series, labels, bucket edges, its interval and its clock."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Protocol, TypeVar

import msgspec

from rollguard.adapters.prometheus.access import NoAccess
from rollguard.adapters.prometheus.answer import Trouble, refusal, short
from rollguard.adapters.prometheus.http import Pairs, Reply, StoreHttp
from rollguard.model.policy import MetricsStore
from rollguard.model.time import Instant
from rollguard.policy import durations
from rollguard.policy.promql import Matcher, narrowed
from rollguard.ports import Clock

T = TypeVar("T")
RECENT_SECONDS = 600.0
"""How far back labels and sample times are looked for."""
MEASURED_SERIES = 3


class StoreProblem(Exception):
    """No usable answer; `reason` says why, without secrets."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Sample:
    """A series' value at an instant; `labels` are sorted, `value` may be NaN or infinite."""

    labels: tuple[tuple[str, str], ...]
    value: float
    at: Instant


class Door(Protocol):
    """A way to the store's HTTP API."""

    async def get(self, path: str, pairs: Pairs, seconds: float) -> Reply:
        """The answer of a GET of a path such as /api/v1/query. Raises StoreProblem where none came in time."""
        ...

    async def close(self) -> None:
        """Ends the connections."""
        ...


@dataclass(slots=True)
class DirectDoor:
    """The store at its address, with the policy's authentication."""

    http: StoreHttp

    async def get(self, path: str, pairs: Pairs, seconds: float) -> Reply:
        """See `Door`."""
        address = self.http.store.address
        try:
            opened = await self.http.open()
        except NoAccess as error:
            raise StoreProblem(str(error)) from error
        try:
            async with asyncio.timeout(seconds):
                reply = await self.http.send(opened, "GET", path, pairs)
        except TimeoutError:
            raise StoreProblem(f"{address}: no answer within {seconds:g} s") from None
        if isinstance(reply, Trouble):
            raise StoreProblem(opened.secret.masked(f"{address}: {reply.detail}"))
        if reply.status != 200:
            raise StoreProblem(opened.secret.masked(f"{address}: {refusal(reply.status, reply.body).detail}"))
        return reply

    async def close(self) -> None:
        """See `Door`."""
        await self.http.close()


class _Envelope(msgspec.Struct, rename="camel"):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""
    warnings: list[str] = []
    is_partial: bool = False


class _Series(msgspec.Struct):
    metric: dict[str, str] = {}
    value: tuple[float, str] | None = None
    values: list[tuple[float, str]] = []


class _Result(msgspec.Struct, rename="camel"):
    result_type: str
    result: msgspec.Raw


class _Target(msgspec.Struct, rename="camel"):
    scrape_interval: str = ""


@dataclass(slots=True)
class MetricsInspector:
    """Questions to a store beside the loop's. Every method raises StoreProblem where there is no complete answer.

    `door` is another way to the store than its address, such as the API server's proxy. Close it when done.
    """

    store: MetricsStore
    clock: Clock
    seconds: float = 10.0
    """The deadline of each request."""
    door: Door | None = None
    _door: Door = field(init=False)

    def __post_init__(self) -> None:
        self._door = self.door or DirectDoor(StoreHttp(self.store, self.clock))

    async def close(self) -> None:
        """Ends the connections."""
        await self._door.close()

    async def query(self, promql: str) -> tuple[Sample, ...]:
        """The samples of an instant query, in the store's order. The policy's `match` is not added."""
        result = await self._result(promql)
        if result.result_type == "scalar":
            at, text = _decoded(result.result, tuple[float, str])
            return (Sample((), _number(text), Instant(at)),)
        if result.result_type != "vector":
            raise StoreProblem(f"a result of type {short(result.result_type)}, expected one value per series")
        return tuple(_sample(series) for series in _decoded(result.result, list[_Series]))

    async def label_names(self, selector: str) -> tuple[str, ...]:
        """The labels that a selector's series carry, without `__name__`, sorted; empty where there is no series."""
        now = self.clock.now()
        pairs = (
            ("match[]", self._narrowed(selector)),
            ("start", f"{now.plus(-RECENT_SECONDS).seconds:.3f}"),
            ("end", f"{now.seconds:.3f}"),
        )
        names = _decoded(await self._data("/api/v1/labels", pairs), list[str])
        return tuple(sorted(name for name in names if name != "__name__"))

    async def metric_names(self) -> tuple[str, ...]:
        """The names of all metrics that the store knows of late, sorted."""
        now = self.clock.now()
        pairs = (("start", f"{now.plus(-RECENT_SECONDS).seconds:.3f}"), ("end", f"{now.seconds:.3f}"))
        return tuple(sorted(_decoded(await self._data("/api/v1/label/__name__/values", pairs), list[str])))

    async def label_values(self, selector: str, label: str) -> tuple[str, ...]:
        """The values of a label over a selector's present series, sorted; empty where none carries it."""
        samples = await self.query(f"group by ({label}) ({self._narrowed(selector)})")
        return tuple(sorted({value for sample in samples for name, value in sample.labels if name == label and value}))

    async def bucket_edges(self, selector: str) -> tuple[float, ...]:
        """The edges of a histogram's buckets, ascending; infinity is one of them where it is there."""
        return tuple(sorted({_number(edge) for edge in await self.label_values(selector, "le")}))

    async def scrape_interval(self, selector: str = "up") -> float | None:
        """Seconds between the samples of a selector's series, measured; else what the store says that it is set to;
        None where neither is known."""
        apart: list[float] = []
        for sample in (await self.query(f"topk({MEASURED_SERIES}, {self._narrowed(selector)})"))[:MEASURED_SERIES]:
            exact = ",".join(str(Matcher(name, "=", value)) for name, value in sample.labels)
            raw = await self._result("{" + exact + f"}}[{RECENT_SECONDS:.0f}s]")
            for series in _decoded(raw.result, list[_Series]):
                times = [at for at, _value in series.values]
                apart += [later - earlier for earlier, later in pairwise(times)]
        return round(median(apart), 2) if apart else await self._configured_interval()

    async def clock_offset(self) -> float:
        """Seconds by which the store's clock is ahead of ours, by the middle of a round trip."""
        sent, began = self.clock.now(), self.clock.mono()
        (sample,) = await self.query("time()")
        return Instant(sample.value).since(sent.plus(self.clock.mono().since(began) / 2))

    async def _configured_interval(self) -> float | None:
        try:
            targets = _decoded(await self._data("/api/v1/targets", (("state", "active"),)), dict[str, msgspec.Raw])
        except StoreProblem:
            # only Prometheus itself has this list, and not everybody may read it
            return None
        active = _decoded(targets.get("activeTargets", msgspec.Raw(b"[]")), list[_Target])
        found = [durations.parse(target.scrape_interval) for target in active]
        known = [seconds for seconds in found if seconds]
        return median(known) if known else None

    def _narrowed(self, selector: str) -> str:
        try:
            return narrowed(selector, (), self.store.match)
        except ValueError as error:
            raise StoreProblem(f"{short(selector)}: {error}") from error

    async def _result(self, promql: str) -> _Result:
        return _decoded(await self._data("/api/v1/query", (("query", promql),)), _Result)

    async def _data(self, path: str, pairs: Sequence[tuple[str, str]]) -> msgspec.Raw:
        reply = await self._door.get(path, pairs, self.seconds)
        found = _decoded(msgspec.Raw(reply.body), _Envelope)
        if found.status != "success":
            raise StoreProblem(f"status {short(found.status)!r}: {short(found.error)}")
        if found.warnings or found.is_partial:
            # a part is never taken for the whole
            raise StoreProblem(f"the store warns: {short((found.warnings or ['it calls the answer partial'])[0])}")
        return found.data


def _decoded(raw: msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StoreProblem(f"the answer is not that of Prometheus' HTTP API: {short(str(error))}") from error


def _sample(series: _Series) -> Sample:
    if series.value is None:
        raise StoreProblem("a series without plain values (a native histogram?)")
    at, text = series.value
    return Sample(tuple(sorted(series.metric.items())), _number(text), Instant(at))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise StoreProblem(f"a value that is no number: {short(text)!r}") from None
