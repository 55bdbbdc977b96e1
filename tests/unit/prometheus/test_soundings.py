"""What doctor asks a store: each signal as the loop does, and what the store has of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.prometheus import PrometheusMetrics
from rollguard.adapters.prometheus.http import Pairs, Reply
from rollguard.adapters.prometheus.inspect import MetricsInspector, StoreProblem
from rollguard.adapters.prometheus.soundings import Sounding, main_selector
from rollguard.doctor.facts import Series, StoreSeen
from rollguard.model.action import Unknown
from rollguard.model.metrics import GapCause, NoSnapshot, Snapshot
from rollguard.model.policy import Policy
from tests.unit.doctor.building import policy
from tests.unit.observe.building import NAME

CLOCK = SystemClock()
POD = "translation-abc-1"


@dataclass(slots=True)
class Store:
    """A door behind which every question is answered by a function of its PromQL."""

    down: bool = False
    refuses: str = ""
    """A part of the questions that are refused."""
    series: Mapping[str, float] = field(default_factory=lambda: {"production": 4.0, "dev": 2.0})
    asked: list[str] = field(default_factory=list)

    async def get(self, path: str, pairs: Pairs, seconds: float) -> Reply:
        form = dict(pairs)
        query = form.get("query", "")
        self.asked.append(query)
        if self.down or (self.refuses and self.refuses in query):
            raise StoreProblem("connection refused")
        return Reply(200, json.dumps({"status": "success", "data": self._data(query, form)}).encode())

    def _data(self, query: str, form: dict[str, str]) -> object:
        if query == "time()":
            return {"resultType": "scalar", "result": [1.0, f"{CLOCK.now().seconds + 2.0}"]}
        if query.startswith("count by"):
            found = [{"metric": {"namespace": n} if n else {}, "value": [1.0, str(c)]} for n, c in self.series.items()]
            return {"resultType": "vector", "result": found}
        if query.startswith("topk"):
            return {"resultType": "vector", "result": [{"metric": {"pod": POD}, "value": [1.0, "1"]}]}
        if query.endswith("s]"):
            values = [[float(15 * n), "1"] for n in range(5)]
            return {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}
        times = [float(form["start"]), float(form["end"])]
        labels = {"namespace": "production", "pod": POD, **({"le": "+Inf"} if ", le)" in query else {})}
        newest = "timestamp" in query
        return {
            "resultType": "matrix",
            "result": [{"metric": labels, "values": [[at, str(at if newest else 7.0)] for at in times]}],
        }

    async def close(self) -> None:
        return


async def taken(store: Store, by: Policy | None = None, *, nobody: bool = False) -> StoreSeen:
    found = by or policy()
    sounding = Sounding(
        policy=found,
        metrics=PrometheusMetrics(found.metrics, CLOCK, door=store),
        inspector=MetricsInspector(found.metrics, CLOCK, door=store),
        clock=CLOCK,
        workloads=() if nobody else (NAME,),
    )
    return await sounding.take(inside=False)


async def test_each_signal_is_asked_for_at_both_ends_of_its_longest_window() -> None:
    seen = await taken(Store())
    assert [each.signal for each in seen.signals] == ["errors", "latency", "memory"]
    for each in seen.signals:
        assert each.slot.seconds == 300.0
        assert isinstance(each.earlier, Snapshot)
        assert isinstance(each.later, Snapshot)
        assert [reading.pod for reading in each.later.readings] == [POD]
    assert seen.problem == ""
    assert seen.interval == 15.0
    assert seen.offset is not None
    assert abs(seen.offset - 2.0) < 1.0


async def test_series_are_counted_by_namespace_with_and_without_the_pods_label() -> None:
    store = Store()
    (errors, *_) = (await taken(store)).signals
    counts = (("production", 4), ("dev", 2))
    assert errors.series == Series(selector="http_requests_total", anywhere=6, by_namespace=counts, with_pod=counts)
    assert "count by (namespace) (http_requests_total)" in store.asked
    assert 'count by (namespace) (http_requests_total{pod!=""})' in store.asked


async def test_series_without_a_namespace_are_counted_under_none() -> None:
    (errors, *_) = (await taken(Store(series={"": 3.0}))).signals
    assert isinstance(errors.series, Series)
    assert errors.series.by_namespace == (("", 3),)


async def test_a_store_that_does_not_answer_is_asked_once() -> None:
    store = Store(down=True)
    seen = await taken(store)
    assert (seen.problem, seen.signals, seen.offset) == ("connection refused", (), None)
    assert store.asked == ["time()"]


async def test_one_refused_question_leaves_the_others_answered() -> None:
    (errors, latency, _memory) = (await taken(Store(refuses="http_requests_total"))).signals
    assert isinstance(errors.later, NoSnapshot)
    assert errors.later.cause is GapCause.UNREACHABLE
    assert errors.series == Unknown(detail="connection refused")
    assert isinstance(latency.later, Snapshot)


async def test_without_workloads_nothing_is_asked_of_them() -> None:
    (errors, *_) = (await taken(Store(), nobody=True)).signals
    assert isinstance(errors.later, NoSnapshot)
    assert errors.later.cause is GapCause.NOT_ASKED


async def test_the_interval_is_not_known_without_series_in_a_watched_namespace() -> None:
    assert (await taken(Store(series={"dev": 2.0}))).interval is None
    assert (await taken(Store(refuses="topk"))).interval == Unknown(detail="connection refused")


async def test_the_policys_matchers_choose_the_series_that_are_counted() -> None:
    store, plain = Store(), policy()
    await taken(store, replace(plain, metrics=replace(plain.metrics, match='cluster="eu"')))
    assert 'count by (namespace) (http_requests_total{cluster="eu"})' in store.asked


def test_the_main_selector_is_what_nothing_can_be_judged_without() -> None:
    errors, latency, memory = (signal for signal in policy().signals)
    assert main_selector(errors) == "http_requests_total"
    assert main_selector(latency) == 'http_request_duration_seconds_bucket{le="+Inf"}'
    assert main_selector(memory) == "container_memory_working_set_bytes"
