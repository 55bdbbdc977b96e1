"""Whatever a store answers becomes a complete snapshot or a gap that says why: never a part of an answer."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import time
from collections.abc import Callable
from email.utils import formatdate

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.prometheus import PrometheusMetrics
from rollguard.model.metrics import GapCause, MetricsAnswer, NoSnapshot, Question, Snapshot
from tests.unit.prometheus.stores import AT, asked, errors, store

Vector = dict[str, str]
NOW = str(AT.seconds)


def vector(by_pod: Vector, **more: object) -> str:
    """A good answer with a value for each pod at AT."""
    result = [
        {"metric": {"namespace": "production", "pod": pod}, "value": [AT.seconds, value]}
        for pod, value in by_pod.items()
    ]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}, **more})


GOOD = {
    "bad": vector({"a": "3"}),
    "total": vector({"a": "100", "b": "50"}),
    "resets": vector({"a": "0", "b": "1"}),
    "newest": vector({"a": NOW, "b": NOW}),
}


def serve(server: HTTPServer, parts: dict[str, str]) -> PrometheusMetrics:
    """A store that answers each part of the question with a body."""
    server.expect_request("/api/v1/query", method="POST").respond_with_handler(
        lambda request: Response(parts[request.form["query"]], content_type="application/json")
    )
    return PrometheusMetrics(store(server.url_for("").rstrip("/")), SystemClock())


def answer_all(server: HTTPServer, handler: Callable[[Request], Response]) -> PrometheusMetrics:
    server.expect_request("/api/v1/query", method="POST").respond_with_handler(handler)
    return PrometheusMetrics(store(server.url_for("").rstrip("/")), SystemClock())


async def one(metrics: PrometheusMetrics, question: Question | None = None, seconds: float = 5.0) -> MetricsAnswer:
    answers = await asked(metrics, question or errors(), seconds)
    assert len(answers) == 1
    return answers[0]


async def cause(metrics: PrometheusMetrics) -> tuple[GapCause, str]:
    answer = await one(metrics)
    assert isinstance(answer, NoSnapshot), answer
    return answer.cause, answer.detail


async def test_a_complete_answer_is_a_snapshot_by_pod(httpserver: HTTPServer) -> None:
    answer = await one(serve(httpserver, GOOD))
    assert isinstance(answer, Snapshot)
    assert answer.at == AT
    assert [(reading.pod, reading.values, reading.resets) for reading in answer.readings] == [
        ("a", (("bad", "", 3.0), ("total", "", 100.0)), 0),
        ("b", (("bad", "", 0.0), ("total", "", 50.0)), 1),
    ]
    assert {reading.newest for reading in answer.readings} == {AT}


async def test_no_series_at_all_is_empty(httpserver: HTTPServer) -> None:
    assert (await cause(serve(httpserver, dict.fromkeys(GOOD, vector({})))))[0] is GapCause.EMPTY


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
async def test_a_pod_whose_value_is_no_number_has_no_reading(httpserver: HTTPServer, value: str) -> None:
    answer = await one(serve(httpserver, {**GOOD, "total": vector({"a": value, "b": "50"})}))
    assert isinstance(answer, Snapshot)
    assert [reading.pod for reading in answer.readings] == ["b"]


async def test_only_values_that_are_no_numbers_are_a_gap(httpserver: HTTPServer) -> None:
    found = await cause(serve(httpserver, {**GOOD, "total": vector({"a": "NaN", "b": "NaN"})}))
    assert found[0] is GapCause.NOT_A_NUMBER


@pytest.mark.parametrize(("age", "stale"), [(19.9, False), (20.0, True), (250.0, True)])
async def test_samples_older_than_a_scrape_and_five_seconds_are_stale(
    httpserver: HTTPServer, age: float, stale: bool
) -> None:
    old = str(AT.seconds - age)
    answer = await one(serve(httpserver, {**GOOD, "newest": vector({"a": old, "b": old})}))
    assert isinstance(answer, NoSnapshot) is stale
    if isinstance(answer, NoSnapshot):
        assert answer.cause is GapCause.STALE


async def test_a_stale_pod_beside_a_fresh_one_has_no_reading(httpserver: HTTPServer) -> None:
    answer = await one(serve(httpserver, {**GOOD, "newest": vector({"a": NOW, "b": str(AT.seconds - 60)})}))
    assert isinstance(answer, Snapshot)
    assert [reading.pod for reading in answer.readings] == ["a"]


@pytest.mark.parametrize("part", sorted(GOOD))
@pytest.mark.parametrize("more", [{"warnings": ["one store did not answer"]}, {"isPartial": True}])
async def test_a_warning_in_any_part_makes_the_whole_partial(
    httpserver: HTTPServer, part: str, more: dict[str, object]
) -> None:
    body = json.dumps(json.loads(GOOD[part]) | more)
    assert (await cause(serve(httpserver, {**GOOD, part: body})))[0] is GapCause.PARTIAL


async def test_information_beside_an_answer_is_no_warning(httpserver: HTTPServer) -> None:
    body = json.dumps(json.loads(GOOD["total"]) | {"infos": ["metric might not be a counter"]})
    assert isinstance(await one(serve(httpserver, {**GOOD, "total": body})), Snapshot)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>log in</html>",
        "[]",
        '{"status":"success"}',
        '{"status":"error","error":"x"}',
        GOOD["total"][:-4],
        '{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}',
        '{"status":"success","data":{"resultType":"string","result":[]}}',
        '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}',
        '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"many"]}]}}',
        '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1]}]}}',
        '{"status":"success","data":{"resultType":"vector","result":null}}',
        vector({"a": "1"}).replace(
            "}]}}", '},{"metric":{"namespace":"production","pod":"a"},"value":[1800000000,"2"]}]}}'
        ),
        "[" * 100_000,
        b"\xff\xfe".decode("latin1"),
    ],
)
async def test_an_answer_of_another_shape_is_unexpected(httpserver: HTTPServer, body: str) -> None:
    assert (await cause(serve(httpserver, {**GOOD, "total": body})))[0] is GapCause.UNEXPECTED


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, '{"status":"error","errorType":"bad_data","error":"parse error"}', GapCause.REFUSED),
        (401, "", GapCause.REFUSED),
        (403, "no", GapCause.REFUSED),
        (404, "", GapCause.REFUSED),
        (422, '{"status":"error","errorType":"execution","error":"too many samples"}', GapCause.REFUSED),
        (429, "", GapCause.REFUSED),
        (503, '{"status":"error","errorType":"timeout","error":"query timed out"}', GapCause.TIMEOUT),
        (504, "", GapCause.TIMEOUT),
        (500, "", GapCause.UNREACHABLE),
        (502, "<html>", GapCause.UNREACHABLE),
        (503, "starting", GapCause.UNREACHABLE),
        (302, "", GapCause.UNEXPECTED),
        (204, "", GapCause.UNEXPECTED),
    ],
)
async def test_an_http_error_is_a_gap_of_its_own_kind(
    httpserver: HTTPServer, status: int, body: str, expected: GapCause
) -> None:
    found = await cause(answer_all(httpserver, lambda _: Response(body, status=status)))
    assert found[0] is expected
    assert f"HTTP {status}" in found[1]


async def test_a_large_answer_is_as_complete_as_a_small_one(httpserver: HTTPServer) -> None:
    pods = [f"pod-{n:05}" for n in range(6000)]
    parts = {"bad": "1", "total": "2", "resets": "0", "newest": NOW}
    metrics = serve(httpserver, {part: vector(dict.fromkeys(pods, value)) for part, value in parts.items()})
    answer = await one(metrics, seconds=30.0)
    assert isinstance(answer, Snapshot)
    assert [reading.pod for reading in answer.readings] == pods


async def test_one_failed_part_makes_the_whole_a_gap(httpserver: HTTPServer) -> None:
    def handler(request: Request) -> Response:
        if request.form["query"] == "resets":
            return Response("", status=500)
        return Response(GOOD[request.form["query"]])

    assert await cause(answer_all(httpserver, handler)) == (GapCause.UNREACHABLE, "resets: HTTP 500")


async def test_a_store_that_is_not_there_is_unreachable(unused_tcp_port: int) -> None:
    metrics = PrometheusMetrics(store(f"http://127.0.0.1:{unused_tcp_port}"), SystemClock())
    assert (await cause(metrics))[0] is GapCause.UNREACHABLE


async def test_an_answer_after_the_deadline_is_a_timeout(httpserver: HTTPServer) -> None:
    answered = threading.Event()

    def handler(_: Request) -> Response:
        answered.wait(30.0)
        return Response(GOOD["total"])

    try:
        answer = await one(answer_all(httpserver, handler), seconds=0.2)
    finally:
        answered.set()
    assert isinstance(answer, NoSnapshot)
    assert answer.cause is GapCause.TIMEOUT


async def test_a_deadline_that_has_passed_is_a_timeout_for_every_instant(httpserver: HTTPServer) -> None:
    # a path of its own: a request that another test gave up may still arrive
    metrics = PrometheusMetrics(store(httpserver.url_for("/never-asked")), SystemClock())
    answers = await asked(metrics, errors(AT, AT.plus(30), AT.plus(60)), seconds=-1.0)
    assert [(answer.at, isinstance(answer, NoSnapshot) and answer.cause) for answer in answers] == [
        (AT.plus(seconds), GapCause.TIMEOUT) for seconds in (0, 30, 60)
    ]
    assert not [request for request, _answer in httpserver.log if "never-asked" in request.path]


async def test_an_answer_without_end_is_not_read_to_the_end(httpserver: HTTPServer) -> None:
    packed = gzip.compress(b" " * 3_000_000)
    metrics = answer_all(httpserver, lambda _: Response(packed, headers={"Content-Encoding": "gzip"}))
    metrics = PrometheusMetrics(metrics.store, metrics.clock, largest_body=1_000_000)
    assert await cause(metrics) == (GapCause.UNEXPECTED, "bad: an answer of more than 1000000 bytes")


async def test_several_instants_are_one_range_query_each_part(httpserver: HTTPServer) -> None:
    forms: list[dict[str, str]] = []

    def handler(request: Request) -> Response:
        forms.append(request.form.to_dict())
        points = [
            [AT.seconds + 30 * n, "7" if request.form["query"] != "newest" else str(AT.seconds + 30 * n)]
            for n in (0, 2)
        ]
        result = [{"metric": {"namespace": "production", "pod": "a"}, "values": points}]
        return Response(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}))

    httpserver.expect_request("/api/v1/query_range", method="POST").respond_with_handler(handler)
    metrics = PrometheusMetrics(store(httpserver.url_for("").rstrip("/")), SystemClock())
    answers = await asked(metrics, errors(AT, AT.plus(30), AT.plus(60)))
    assert [type(answer) for answer in answers] == [Snapshot, NoSnapshot, Snapshot]
    assert [answer.at for answer in answers] == [AT, AT.plus(30), AT.plus(60)]
    assert len(forms) == 4
    assert {(form["start"], form["end"], form["step"]) for form in forms} == {
        ("1800000000.000", "1800000060.000", "30.000")
    }


async def test_unevenly_spaced_instants_are_a_fault_of_the_caller(httpserver: HTTPServer) -> None:
    with pytest.raises(ValueError, match="evenly spaced"):
        await asked(serve(httpserver, GOOD), errors(AT, AT.plus(30), AT.plus(61)))


async def offset_from(date: str) -> float | None:
    """The offset after a bare server's answer with that Date."""

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 500 No\r\nDate: {date}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        metrics = PrometheusMetrics(store(f"http://127.0.0.1:{port}"), SystemClock())
        assert metrics.clock_offset() is None
        assert isinstance(await one(metrics), NoSnapshot)
        return metrics.clock_offset()


@pytest.mark.parametrize("ahead", [-90.0, 0.0, 45.0])
async def test_the_stores_clock_is_compared_with_ours(ahead: float) -> None:
    offset = await offset_from(formatdate(time.time() + ahead, usegmt=True))
    assert offset is not None
    assert offset == pytest.approx(ahead, abs=1.5)


@pytest.mark.parametrize("date", ["soon", "", "Mon, 99 Nov 2026 17:22:39 GMT"])
async def test_an_unreadable_date_leaves_the_offset_unknown(date: str) -> None:
    assert await offset_from(date) is None
