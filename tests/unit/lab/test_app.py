"""The app answers over a real socket as its tag says, and counts what it answered."""

import asyncio
import re

from lab.kubelet.chaos import Effect
from tests.unit.lab.parts import Clock, Served, served, until
from tests.unit.lab.test_exposition import read, value


async def ask(app: Served, count: int, path: str = "/") -> list[int]:
    """The statuses of `count` requests, at once."""
    outcomes = await asyncio.gather(*(app.pool.get(path, 60.0) for _ in range(count)))
    assert all(outcome.failure is None for outcome in outcomes)
    return [outcome.status for outcome in outcomes]


async def metrics(app: Served) -> bytes:
    outcome = await app.pool.get("/metrics", 5.0)
    assert outcome.status == 200
    return outcome.body


async def test_a_share_of_the_answers_are_errors_and_the_counter_agrees() -> None:
    async with served("v2-errors-40pct") as app:
        statuses = await ask(app, 200)
        failed = statuses.count(500)
        assert 50 <= failed <= 110
        body = await metrics(app)
        assert value(body, "http_requests_total", status="500") == failed
        assert value(body, "http_requests_total", status="200") == 200 - failed
        assert value(body, "http_request_duration_seconds_count") == 200


async def test_the_same_seed_gives_the_same_answers() -> None:
    async with served("v2-errors-40pct", seed="a") as one, served("v2-errors-40pct", seed="a") as two:
        first = [(await ask(one, 1))[0] for _ in range(15)]
        second = [(await ask(two, 1))[0] for _ in range(15)]
    assert first == second
    assert 500 in first


async def test_errors_may_begin_later() -> None:
    clock = Clock()
    async with served("v2-noerrors-errors-100pct-after-60s", clock=clock) as app:
        assert (await ask(app, 20)).count(500) <= 1
        clock.now += 60
        assert set(await ask(app, 5)) == {500}


async def test_slow_answers_are_really_slow_and_land_beyond_their_edge() -> None:
    async with served("v3-slow-300ms-100pct-noerrors") as app:
        started = asyncio.get_running_loop().time()
        await ask(app, 5)
        assert asyncio.get_running_loop().time() - started >= 0.3
        body = await metrics(app)
        assert value(body, "http_request_duration_seconds_bucket", le="0.25") == 0
        assert value(body, "http_request_duration_seconds_bucket", le="0.5") == 5
        assert value(body, "http_request_duration_seconds_bucket", le="+Inf") == 5


async def test_health_and_metrics_are_not_counted_as_requests() -> None:
    async with served("v1") as app:
        assert (await app.pool.get("/health", 5.0)).status == 200
        assert not any(name == "http_requests_total" for name, _ in read(await metrics(app)))
        app.app.ready = False
        assert (await app.pool.get("/health", 5.0)).status == 503


async def test_a_silent_app_serves_no_metrics() -> None:
    async with served("silent") as app:
        assert (await app.pool.get("/metrics", 5.0)).status == 404
        assert await ask(app, 1) == [200]


async def test_database_errors_come_at_their_rate_and_leave_log_lines() -> None:
    clock = Clock()
    async with served("v2-dberrors-30permin", clock=clock) as app:
        assert value(await metrics(app), "database_connection_errors_total") == 0
        clock.now += 60
        assert value(await metrics(app), "database_connection_errors_total") == 30
        assert any(re.match(r"ERROR database", line) for line in app.lines)


async def test_a_leak_grows_with_time() -> None:
    clock = Clock()
    async with served("v5-leak-10mib", clock=clock) as app:
        before = value(await metrics(app), "process_resident_memory_bytes")
        clock.now += 10
        assert value(await metrics(app), "process_resident_memory_bytes") - before == 100 * 2**20


async def test_a_database_that_is_down_makes_requests_fail_and_counts_connections() -> None:
    async with served("v1", effect=lambda: Effect(database_error_ratio=1.0)) as app:
        assert set(await ask(app, 5)) == {503}
        assert value(await metrics(app), "database_connection_errors_total") == 5


async def test_a_caller_fails_when_its_callee_does() -> None:
    answers = iter([True, False])

    async def callee() -> bool:
        return next(answers)

    async with served("v1-noerrors", callee=callee) as app:
        assert await ask(app, 1) == [200]
        assert await ask(app, 1) == [502]
        assert value(await metrics(app), "http_requests_total", status="502") == 1


async def test_draining_finishes_what_runs_and_refuses_what_comes() -> None:
    async with served("v3-slow-300ms-100pct-noerrors") as app:
        running = asyncio.create_task(app.pool.get("/", 5.0))
        await until(lambda: app.server.in_flight == 1)
        draining = asyncio.create_task(app.server.drain(5.0))
        await asyncio.sleep(0)
        assert (await app.pool.get("/", 1.0)).failure == "refused"
        assert (await running).status == 200
        assert await draining


async def test_a_request_that_outlives_the_grace_is_reset() -> None:
    async with served("v3-slow-5000ms-100pct-noerrors") as app:
        running = asyncio.create_task(app.pool.get("/", 10.0))
        await until(lambda: app.server.in_flight == 1)
        assert not await app.server.drain(0.05)
        assert (await running).failure == "reset"
