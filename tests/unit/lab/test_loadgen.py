"""The load generator sends real requests to real apps and follows their endpoints with a lag."""

import asyncio
import json
import time
from typing import Any

from lab.http_server import Request
from lab.loadgen.endpoints import Endpoints
from lab.loadgen.generator import LoadGenerator
from tests.unit.lab.parts import Served, served, until

KEY = ("shop", "backend")


def endpoint_slice(*apps: Served, unready: Served | None = None) -> dict[str, Any]:
    endpoints = [{"addresses": [app.pod_ip], "conditions": {"ready": app is not unready}} for app in apps]
    return {
        "metadata": {
            "name": "backend-1",
            "namespace": "shop",
            "labels": {"kubernetes.io/service-name": "backend"},
        },
        "ports": [{"port": 8080}],
        "endpoints": endpoints,
    }


def put(generator: LoadGenerator, rps: float, **options: float) -> None:
    body = json.dumps({"rps": rps, **options}).encode()
    answer = generator.handle(Request(method="PUT", path="/targets/shop/backend", query={}, body=body))
    assert getattr(answer, "status", None) == 200


def stats(generator: LoadGenerator) -> dict[str, Any]:
    document: dict[str, Any] = generator.document({})["shop/backend"]
    return document


async def test_requests_reach_all_ready_pods_and_errors_are_counted_by_pod() -> None:
    endpoints = Endpoints("1", lag_s=(0.0, 0.0))
    generator = LoadGenerator(endpoints, "1")
    async with served("v1-noerrors") as good, served("errors-100pct") as bad, served("v1-noerrors") as unready:
        endpoints.on_slice("ADDED", endpoint_slice(good, bad, unready, unready=unready))
        await until(lambda: len(endpoints.addresses(KEY)) == 2)
        put(generator, 200)
        await until(lambda: generator.document({})["shop/backend"]["requests"] >= 100)
        await generator.close()
        found = stats(generator)
    assert set(found["pods"]) == {good.pod_ip, bad.pod_ip}
    assert found["pods"][good.pod_ip]["errors"] == 0
    assert found["pods"][bad.pod_ip]["errors"] == found["errors_5xx"] > 40
    assert (found["connection_failures"], found["resets"], found["no_endpoints"]) == (0, 0, 0)
    assert 0.02 <= found["latency_s"]["p50"] <= 0.5


async def test_changes_of_endpoints_arrive_late_and_in_order() -> None:
    endpoints = Endpoints("1", lag_s=(0.05, 0.2))
    async with served("v1") as one, served("v1") as two:
        endpoints.on_slice("ADDED", endpoint_slice(one))
        endpoints.on_slice("MODIFIED", endpoint_slice(two))
        assert endpoints.addresses(KEY) == ()
        await until(lambda: endpoints.addresses(KEY) != ())
        await asyncio.sleep(0.25)
        assert endpoints.addresses(KEY) == ((two.pod_ip, 8080),)


async def test_an_app_that_ends_without_a_drain_shows_as_failed_requests() -> None:
    endpoints = Endpoints("1", lag_s=(0.0, 0.0))
    generator = LoadGenerator(endpoints, "1")
    async with served("v1-noerrors") as app:
        endpoints.on_slice("ADDED", endpoint_slice(app))
        await until(lambda: len(endpoints.addresses(KEY)) == 1)
        put(generator, 100)
        await until(lambda: generator.document({})["shop/backend"]["requests"] >= 10)
        app.server.abort()
        await until(lambda: generator.document({})["shop/backend"]["connection_failures"] >= 5)
        await generator.close()
    found = stats(generator)
    assert found["resets"] >= 1, "what was under way was cut off"


async def test_without_endpoints_nothing_is_sent_and_that_is_said() -> None:
    generator = LoadGenerator(Endpoints("1"), "1")
    put(generator, 200)
    await until(lambda: generator.document({})["shop/backend"]["no_endpoints"] >= 5)
    await generator.close()
    assert stats(generator)["requests"] == 0


async def test_a_bad_rate_is_refused() -> None:
    generator = LoadGenerator(Endpoints("1"), "1")
    for body in (b"{}", b'{"rps": -1}', b"nonsense"):
        request = Request(method="PUT", path="/targets/shop/backend", query={}, body=body)
        assert getattr(generator.handle(request), "status", None) == 400


async def test_clients_with_open_connections_stay_with_a_pod_that_left_for_a_while_only() -> None:
    endpoints = Endpoints("1", lag_s=(0.0, 0.0))
    generator = LoadGenerator(endpoints, "1")
    async with served("v1-noerrors") as old, served("v1-noerrors") as new:
        endpoints.on_slice("ADDED", endpoint_slice(old))
        await until(lambda: len(endpoints.addresses(KEY)) == 1)
        put(generator, 200, keep_alive_s=0.4)
        await until(lambda: generator.document({})["shop/backend"]["requests"] >= 20)
        endpoints.on_slice("MODIFIED", endpoint_slice(new))
        await until(lambda: endpoints.addresses(KEY) == ((new.pod_ip, 8080),))
        switched = time.time()
        await until(lambda: new.pod_ip in stats(generator)["pods"])
        await asyncio.sleep(0.8)
        await generator.close()
        found = stats(generator)["pods"]
    assert 0.05 < found[old.pod_ip]["last"] - switched < 0.5
    assert found[new.pod_ip]["last"] - switched > 0.6
    assert found[old.pod_ip]["failures"] == found[new.pod_ip]["failures"] == 0


async def test_a_stream_that_the_pod_breaks_off_is_counted_and_one_that_ends_is_not() -> None:
    endpoints = Endpoints("1", lag_s=(0.0, 0.0))
    generator = LoadGenerator(endpoints, "1")
    async with served("v1-noerrors") as patient, served("v1-noerrors") as hasty:
        endpoints.on_slice("ADDED", endpoint_slice(patient, hasty))
        await until(lambda: len(endpoints.addresses(KEY)) == 2)
        put(generator, 0, streams=4, stream_s=0.4)
        await until(lambda: stats(generator)["streams"] >= 8)
        assert stats(generator)["cut"] == 0
        hasty.server.abort()
        await until(lambda: stats(generator)["cut"] >= 1)
        await generator.close()
        found = stats(generator)
    assert (found["requests"], found["pods"][patient.pod_ip]["cut"]) == (0, 0)
    assert found["pods"][hasty.pod_ip]["cut"] >= 1


async def test_counts_carry_the_pods_name_where_the_slice_tells_it() -> None:
    endpoints = Endpoints("1", lag_s=(0.0, 0.0))
    generator = LoadGenerator(endpoints, "1")
    async with served("v1-noerrors") as app:
        known = endpoint_slice(app)
        known["endpoints"][0]["targetRef"] = {"kind": "Pod", "name": "backend-green-7d9f-abcde"}
        endpoints.on_slice("ADDED", known)
        await until(lambda: len(endpoints.addresses(KEY)) == 1)
        put(generator, 100)
        await until(lambda: stats(generator)["requests"] >= 1)
        await generator.close()
    assert [pod["name"] for pod in stats(generator)["pods"].values()] == ["backend-green-7d9f-abcde"]
