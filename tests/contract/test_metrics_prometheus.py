"""Questions to a real Prometheus are answered as the samples say that it holds."""

from __future__ import annotations

import signal as signals_of_the_system
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.prometheus import PrometheusMetrics
from rollguard.model.metrics import (
    Expression,
    GapCause,
    MetricsAnswer,
    NoSnapshot,
    Question,
    Reading,
    Snapshot,
)
from rollguard.model.names import WorkloadKind, WorkloadName
from rollguard.model.policy import MetricsStore, Policy, StoreAccess
from rollguard.model.signals import Signal
from rollguard.model.time import Instant
from rollguard.policy import load
from rollguard.signals import question
from tests.contract.metrics_prometheus import History, Store, store_with

SLOT = 30.0
SCRAPE = 15.0
SLOTS = 6
# An hour ago and on the minute, so that the blocks lie in the past and the slots on round times.
BASE = float(int(time.time() / 60) * 60 - 3600)
ENDS = tuple(Instant(BASE + SLOT * n) for n in range(1, SLOTS + 1))
TIMES = tuple(BASE + 3.0 + SCRAPE * n for n in range(int(SLOTS * SLOT / SCRAPE)))
MODELS = tuple(WorkloadName("production", WorkloadKind.DEPLOYMENT, name) for name in ("translation", "lip-sync"))
POLICY_FILE = Path(__file__).parents[2] / "examples/dubbing-platform/policy.yaml"


def pod(name: str, **more: str) -> dict[str, str]:
    return {"namespace": "production", "pod": name, **more}


def growing(step: float, *, start: float = 0.0) -> list[tuple[float, float | None]]:
    return [(at, start + step * n) for n, at in enumerate(TIMES)]


def history() -> History:
    """Steady pods, one that restarts in the middle of a slot, one that stops, one that is no number, and strangers."""
    made = History()
    requests = "http_requests"
    made.add(requests, "counter", pod("translation-1-a", status="200"), growing(90))
    made.add(
        requests, "counter", pod("translation-1-a", status="500"), [(at, v) for at, v in growing(10) if at > TIMES[3]]
    )
    restarted = [(at, float(5 + 3 * n if n < 6 else 3 * (n - 5))) for n, at in enumerate(TIMES)]
    made.add(requests, "counter", pod("lip-sync-1-b", status="200"), restarted)
    made.add(requests, "counter", pod("lip-sync-1-gone", status="200"), growing(1)[:4])
    made.add(requests, "counter", pod("lip-sync-1-nan", status="200"), [(at, float("nan")) for at in TIMES])
    made.add(requests, "counter", pod("stranger-1-c", status="500"), growing(1))
    made.add(requests, "counter", {"namespace": "staging", "pod": "translation-1-x", "status": "500"}, growing(1))
    for edge, step in (("0.5", 60.0), ("5.0", 95.0), ("+Inf", 100.0)):
        made.add("http_request_duration_seconds", "histogram", pod("translation-1-a", le=edge), growing(step))
    made.add("database_connection_errors", "counter", pod("translation-1-a"), growing(2.5))
    for container, use, limit in (("app", 400.0, 1000.0), ("proxy", 95.0, 100.0), ("free", 5000.0, 0.0)):
        labels = pod("translation-1-a", container=container)
        made.add("container_memory_usage_bytes", "gauge", labels, [(at, use) for at in TIMES])
        made.add("container_spec_memory_limit_bytes", "gauge", labels, [(at, limit) for at in TIMES])
    made.add("pg_stat_database_numbackends", "gauge", {"datname": "dubbing_prod"}, [(at, 80.0) for at in TIMES])
    made.add("pg_stat_database_numbackends", "gauge", {"datname": "postgres"}, [(at, 5.0) for at in TIMES])
    made.add("pg_settings_max_connections", "gauge", {}, [(at, 100.0) for at in TIMES])
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def prometheus(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Store]:
    async with store_with(history(), tmp_path_factory.mktemp("prometheus")) as running:
        yield running


def policy() -> Policy:
    found = load(POLICY_FILE.read_text(), "policy.yaml")
    assert isinstance(found, Policy)
    return found


def the_signal(name: str) -> Signal:
    return next(signal for signal in policy().signals if signal.name == name)


def store_at(running: Store) -> MetricsStore:
    return replace(policy().metrics, address=running.address, scrape_interval=SCRAPE, auth=StoreAccess())


def questions(
    running: Store, name: str, *instants: Instant, workloads: tuple[WorkloadName, ...] = MODELS
) -> tuple[Question, ...]:
    return question(the_signal(name), store_at(running), workloads=workloads, instants=instants, slot_seconds=SLOT)


async def ask(running: Store, asked: Question, seconds: float = 20.0) -> tuple[MetricsAnswer, ...]:
    metrics = PrometheusMetrics(store_at(running), SystemClock())
    try:
        return await metrics.ask(asked, deadline=SystemClock().mono().plus(seconds))
    finally:
        await metrics.close()


async def answers(running: Store, name: str, *instants: Instant) -> tuple[MetricsAnswer, ...]:
    (asked,) = questions(running, name, *instants)
    return await ask(running, asked)


def readings(answer: MetricsAnswer) -> dict[str, Reading]:
    assert isinstance(answer, Snapshot), answer
    return {reading.pod: reading for reading in answer.readings}


async def test_cumulative_sums_at_a_slots_end_are_those_of_the_last_scrape(prometheus: Store) -> None:
    (answer,) = await answers(prometheus, "errors", ENDS[2])
    found = readings(answer)["translation-1-a"]
    # the last scrape before the third slot's end was the sixth
    assert found.values == (("bad", "", 50.0), ("total", "", 90.0 * 5 + 50.0))
    assert found.newest == Instant(TIMES[5])
    assert found.namespace == "production"


async def test_bad_requests_before_the_first_of_them_are_zero(prometheus: Store) -> None:
    (answer,) = await answers(prometheus, "errors", ENDS[0])
    assert readings(answer)["translation-1-a"].values == (("bad", "", 0.0), ("total", "", 90.0))


async def test_only_guarded_workloads_of_their_namespace_are_answered(prometheus: Store) -> None:
    (answer,) = await answers(prometheus, "errors", ENDS[0])
    assert set(readings(answer)) == {"translation-1-a", "lip-sync-1-b", "lip-sync-1-gone"}


async def test_several_instants_give_what_each_alone_gives(prometheus: Store) -> None:
    together = await answers(prometheus, "errors", *ENDS)
    alone = [answer for end in ENDS for answer in await answers(prometheus, "errors", end)]
    assert list(together) == alone
    assert [answer.at for answer in together] == list(ENDS)


async def test_a_restart_is_a_reset_in_its_slot_also_where_it_straddles_the_start(prometheus: Store) -> None:
    found = [readings(answer)["lip-sync-1-b"].resets for answer in await answers(prometheus, "errors", *ENDS)]
    # sixth and seventh scrape lie on both sides of the third slot's end
    assert found == [0, 0, 0, 1, 0, 0]


async def test_a_pod_that_stopped_is_no_reading_once_its_samples_are_stale(prometheus: Store) -> None:
    found = ["lip-sync-1-gone" in readings(answer) for answer in await answers(prometheus, "errors", *ENDS)]
    assert found == [True, True, False, False, False, False]


async def test_buckets_are_answered_by_edge(prometheus: Store) -> None:
    (answer,) = await answers(prometheus, "latency", ENDS[0])
    assert readings(answer)["translation-1-a"].values == (
        ("bucket", "+Inf", 100.0),
        ("bucket", "0.5", 60.0),
        ("bucket", "5.0", 95.0),
    )


async def test_a_counter_without_labels_is_answered_by_pod(prometheus: Store) -> None:
    (answer,) = await answers(prometheus, "database-errors", ENDS[1])
    assert readings(answer)["translation-1-a"].values == (("count", "", 7.5),)


async def test_the_fullest_container_speaks_for_the_pod(prometheus: Store) -> None:
    (answer,) = await answers(prometheus, "memory", ENDS[1])
    assert readings(answer)["translation-1-a"].values == (("limit", "", 1.0), ("value", "", 0.95))


async def test_a_shared_limit_counts_all_databases(prometheus: Store) -> None:
    (answer,) = await answers(prometheus, "database-connections", ENDS[1])
    assert readings(answer)[""].values == (("limit", "", 1.0), ("value", "", 0.85))


async def test_a_signal_without_series_is_empty(prometheus: Store) -> None:
    (answer,) = await answers(prometheus, "restarts", ENDS[1])
    assert isinstance(answer, NoSnapshot)
    assert answer.cause is GapCause.EMPTY


async def test_minutes_after_the_last_scrape_everything_is_stale(prometheus: Store) -> None:
    (answer,) = await answers(prometheus, "latency", ENDS[-1].plus(120))
    assert isinstance(answer, NoSnapshot)
    assert answer.cause is GapCause.STALE


async def test_a_question_that_is_no_promql_is_refused_in_words(prometheus: Store) -> None:
    (asked,) = questions(prometheus, "errors", ENDS[0])
    broken = replace(asked, expressions=(Expression(part="total", promql="sum by ("), *asked.expressions[2:]))
    (answer,) = await ask(prometheus, broken)
    assert isinstance(answer, NoSnapshot)
    assert answer.cause is GapCause.REFUSED
    assert "HTTP 400: bad_data" in answer.detail


async def test_questions_for_ten_thousand_workloads_are_accepted(prometheus: Store) -> None:
    many = tuple(WorkloadName("production", WorkloadKind.DEPLOYMENT, f"service-{n}") for n in range(10_000))
    asked = questions(prometheus, "errors", ENDS[0], workloads=(*many, *MODELS))
    causes = [(await ask(prometheus, one))[0] for one in (asked[0], asked[-1])]
    assert isinstance(causes[0], Snapshot)
    assert isinstance(causes[1], Snapshot)
    assert len(asked) < 64


async def test_the_clocks_of_one_machine_agree(prometheus: Store) -> None:
    metrics = PrometheusMetrics(store_at(prometheus), SystemClock())
    (asked,) = questions(prometheus, "errors", ENDS[0])
    await metrics.ask(asked, deadline=SystemClock().mono().plus(20))
    offset = metrics.clock_offset()
    await metrics.close()
    assert offset is not None
    assert abs(offset) < 2.0


async def test_a_hanging_and_a_dead_store_are_gaps_within_the_deadline(tmp_path: Path) -> None:
    async with store_with(history(), tmp_path) as running:
        (asked,) = questions(running, "errors", *ENDS)
        assert isinstance((await ask(running, asked))[0], Snapshot)
        running.child.process.send_signal(signals_of_the_system.SIGSTOP)
        began = SystemClock().mono()
        hanging = await ask(running, asked, seconds=1.0)
        assert SystemClock().mono().since(began) < 3.0
        assert {isinstance(one, NoSnapshot) and one.cause for one in hanging} == {GapCause.TIMEOUT}
        await running.child.kill()
        dead = await ask(running, asked)
        assert {isinstance(one, NoSnapshot) and one.cause for one in dead} == {GapCause.UNREACHABLE}
        assert [one.at for one in dead] == list(ENDS)
