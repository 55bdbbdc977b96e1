"""What a store holds is read in full or not at all, and what is said about it shows no secret."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.prometheus import MetricsInspector, Sample, StoreProblem
from rollguard.model.policy import StoreAccess
from rollguard.model.time import Instant
from tests.unit.prometheus.stores import store

Series = dict[str, str]


def result(kind: str, found: object, **more: object) -> str:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": found}, **more})


def vector(*series: Series, value: str = "1") -> str:
    return result("vector", [{"metric": one, "value": [100.0, value]} for one in series])


class Store:
    """A store that answers by the query, and remembers the queries."""

    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        self.answers: dict[str, str] = {}
        self.asked: list[str] = []
        self.inspector = MetricsInspector(store(server.url_for("").rstrip("/")), SystemClock(), seconds=2.0)
        server.expect_request("/api/v1/query").respond_with_handler(self._query)

    def _query(self, request: Request) -> Response:
        promql = request.args["query"]
        self.asked.append(promql)
        return Response(self.answers.get(promql, vector()), content_type="application/json")

    def answer_path(self, path: str, handler: Callable[[Request], Response]) -> None:
        self.server.expect_request(path).respond_with_handler(handler)


@pytest.fixture
async def metrics(httpserver: HTTPServer) -> AsyncIterator[Store]:
    made = Store(httpserver)
    yield made
    await made.inspector.close()


async def test_samples_carry_their_labels_value_and_time(metrics: Store) -> None:
    metrics.answers["up"] = vector({"pod": "a", "__name__": "up"})
    assert await metrics.inspector.query("up") == (Sample((("__name__", "up"), ("pod", "a")), 1.0, Instant(100.0)),)


async def test_a_number_is_one_sample_without_labels(metrics: Store) -> None:
    metrics.answers["time()"] = result("scalar", [100.0, "100.5"])
    assert await metrics.inspector.query("time()") == (Sample((), 100.5, Instant(100.0)),)


async def test_edges_are_numbers_in_order_and_infinity_is_one(metrics: Store) -> None:
    metrics.answers["group by (le) (seconds_bucket)"] = vector({"le": "+Inf"}, {"le": "10"}, {"le": "2.5"}, {})
    assert await metrics.inspector.bucket_edges("seconds_bucket") == (2.5, 10.0, float("inf"))


async def test_the_policys_matchers_narrow_labels_and_edges(metrics: Store) -> None:
    metrics.inspector.store = replace(metrics.inspector.store, match='cluster="eu"')
    await metrics.inspector.label_values('http_requests_total{status="500"}', "pod")
    assert metrics.asked == ['group by (pod) (http_requests_total{status="500",cluster="eu"})']


async def test_label_names_come_without_the_metrics_name(metrics: Store) -> None:
    metrics.answer_path(
        "/api/v1/labels",
        lambda request: Response(
            json.dumps({"status": "success", "data": ["pod", "__name__", request.args["match[]"]]})
        ),
    )
    assert await metrics.inspector.label_names("up") == ("pod", "up")


async def test_the_interval_is_measured_between_samples(metrics: Store) -> None:
    metrics.answers["topk(3, up)"] = vector({"__name__": "up", "job": 'a"b'})
    points = [[at, "1"] for at in (10.0, 25.002, 40.0, 70.0, 85.0)]
    metrics.answers['{__name__="up",job="a\\"b"}[600s]'] = result("matrix", [{"metric": {}, "values": points}])
    assert await metrics.inspector.scrape_interval() == 15.0


async def test_without_samples_the_interval_is_what_the_store_is_set_to(metrics: Store) -> None:
    targets = [{"scrapeInterval": "1m30s"}, {"scrapeInterval": "1m30s"}, {}]
    metrics.answer_path(
        "/api/v1/targets",
        lambda _: Response(json.dumps({"status": "success", "data": {"activeTargets": targets}})),
    )
    assert await metrics.inspector.scrape_interval() == 90.0


async def test_the_interval_is_unknown_where_nobody_says_it(metrics: Store) -> None:
    metrics.answer_path("/api/v1/targets", lambda _: Response("", status=404))
    assert await metrics.inspector.scrape_interval() is None


async def test_the_clock_offset_is_against_the_middle_of_the_round_trip(metrics: Store) -> None:
    ahead = SystemClock().now().plus(60).seconds
    metrics.answers["time()"] = result("scalar", [ahead, str(ahead)])
    assert await metrics.inspector.clock_offset() == pytest.approx(60, abs=2)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("<html>", "the answer is not that of Prometheus' HTTP API"),
        (result("vector", [], warnings=["store eu is down"]), "the store warns: store eu is down"),
        (result("vector", [], isPartial=True), "it calls the answer partial"),
        (result("matrix", []), "a result of type matrix"),
        (result("vector", [{"metric": {}, "histogram": [1, {}]}]), "without plain values"),
        (vector({}, value="many"), "no number: 'many'"),
        (json.dumps({"status": "error", "error": "no"}), "status 'error': no"),
    ],
)
async def test_anything_but_a_whole_answer_is_a_problem_with_its_reason(metrics: Store, body: str, reason: str) -> None:
    metrics.answers["up"] = body
    with pytest.raises(StoreProblem, match=reason):
        await metrics.inspector.query("up")


async def test_a_refusal_says_what_the_store_said_without_the_secret(httpserver: HTTPServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("geheim")
    refused = '{"status":"error","errorType":"auth","error":"token geheim is unknown"}'
    httpserver.expect_request("/api/v1/query").respond_with_data(refused, status=403)
    address = httpserver.url_for("").rstrip("/")
    inspector = MetricsInspector(store(address, StoreAccess(bearer_token_file=str(token))), SystemClock())
    with pytest.raises(StoreProblem) as problem:
        await inspector.query("up")
    await inspector.close()
    assert problem.value.reason == f"{address}: HTTP 403: auth: token *** is unknown"


async def test_a_store_that_is_not_there_is_named(unused_tcp_port: int) -> None:
    inspector = MetricsInspector(store(f"http://127.0.0.1:{unused_tcp_port}"), SystemClock())
    with pytest.raises(StoreProblem, match=f"http://127.0.0.1:{unused_tcp_port}: ConnectError"):
        await inspector.query("up")
    await inspector.close()


async def test_an_unreadable_token_is_a_problem_that_names_the_file(unused_tcp_port: int) -> None:
    inspector = MetricsInspector(
        store(f"http://127.0.0.1:{unused_tcp_port}", StoreAccess(bearer_token_file="/nowhere/token")), SystemClock()
    )
    with pytest.raises(StoreProblem, match="/nowhere/token"):
        await inspector.query("up")
    await inspector.close()
