"""Evidence is bounded in size and time, masked, and never more certain than it is."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import random
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes.acting import evidence
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.model.action import Evidence
from rollguard.model.facts import Container, Pod, UnitFacts
from rollguard.model.names import RolloutId, TemplateHash, UnitName, WorkloadKind, WorkloadName
from rollguard.model.time import Instant, Mono
from tests.unit.kubernetes.server import Conversation, serving

CLOCK = SystemClock()
NOW = Instant(1_700_000_000.0)
WORKLOAD = WorkloadName("n", WorkloadKind.DEPLOYMENT, "translation")


BAD = frozenset({TemplateHash("h")})


def pod(name: str, restarts: int = 0, revision: str = "h", *, ready: bool = True) -> Pod:
    container = Container(
        name="app", in_template=True, init=False, image="i", image_id="id", ready=True, restarts=restarts
    )
    return Pod(
        name=name,
        uid=name,
        workload=WORKLOAD,
        revision=TemplateHash(revision),
        node="node-a",
        phase="Running",
        created=NOW,
        ready=ready,
        ready_since=NOW if ready else None,
        deleting=False,
        containers=(container,),
    )


def facts(*pods: Pod) -> UnitFacts:
    return UnitFacts(
        unit=UnitName.of_workload(WORKLOAD), as_of=NOW, complete=True, missing=(), members=(), pods=pods, events=()
    )


async def saved(
    pods: tuple[Pod, ...],
    log: Callable[[Conversation], Awaitable[None]],
    *,
    bad: frozenset[TemplateHash] = BAD,
    timeout: float = 2.0,
) -> tuple[Evidence, list[dict[str, Any]], float]:
    """What was saved with these logs, the ConfigMaps, and how long it took."""
    maps: list[dict[str, Any]] = []

    async def script(on: Conversation) -> None:
        if on.asked.method == "POST":
            maps.append(json.loads(on.asked.body))
            await on.answer({})
        else:
            await log(on)

    async with serving(script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="n"), CLOCK)
        began = CLOCK.mono()
        outcome = await evidence.save(api, CLOCK, RolloutId("r-1"), facts(*pods), bad=bad, timeout=timeout)
        took = CLOCK.mono().since(began)
        await api.close()
    return outcome, maps, took


def files(maps: list[dict[str, Any]]) -> dict[str, str]:
    return {
        name.removesuffix(".gz"): gzip.decompress(base64.b64decode(content)).decode()
        for each in maps
        for name, content in each["binaryData"].items()
    }


async def test_current_and_previous_logs_are_kept_masked() -> None:
    async def log(on: Conversation) -> None:
        which = "previous" if on.asked.query.get("previous") else "current"
        await on.answer(f"{which} run: PASSWORD=hunter2 failed".encode())

    outcome, maps, _ = await saved((pod("a", restarts=1), pod("b")), log)
    kept = files(maps)
    assert outcome.complete
    assert kept["a_app_previous.log"] == "previous run: PASSWORD=[masked] failed"
    assert kept["b_app.log"] == "current run: PASSWORD=[masked] failed"
    assert "b_app_previous.log" not in kept
    assert "hunter2" not in json.dumps(kept)


async def test_where_not_all_logs_can_be_kept_every_bad_revision_has_its_turn_before_any_good_one() -> None:
    async def log(on: Conversation) -> None:
        await on.answer(b"hello")

    good = tuple(pod(f"good-{n}", revision="good", ready=False) for n in range(3))
    backend = tuple(pod(f"backend-{n}", revision="backend") for n in range(20))
    workers = (pod("workers-0", revision="workers"), pod("workers-1", revision="workers", ready=False))
    bad = frozenset({TemplateHash("backend"), TemplateHash("workers")})
    _, maps, _ = await saved((*good, *backend, *workers), log, bad=bad, timeout=10.0)
    logs = [name.removesuffix("_app.log") for name in files(maps) if name.endswith(".log")]
    assert set(logs) == {"workers-0", "workers-1", *(f"backend-{n}" for n in range(10))}


async def test_a_pod_that_does_not_answer_costs_its_own_log_and_not_the_others_nor_the_time() -> None:
    async def log(on: Conversation) -> None:
        if "/a/" in on.asked.path:
            await asyncio.sleep(30)
        await on.answer(b"hello")

    outcome, maps, took = await saved((pod("a"), pod("b")), log, timeout=1.0)
    assert took < 1.2
    assert not outcome.complete
    assert "a_app.log" in outcome.detail
    assert outcome.names == ("r-1-evidence-1",)
    assert files(maps)["b_app.log"] == "hello"


class Late(SystemClock):
    """A clock by which each look at it is ten seconds after the one before: packing took all the time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def mono(self) -> Mono:
        self.seconds += 10.0
        return Mono(self.seconds)


async def test_nothing_is_written_once_the_time_is_up() -> None:
    async def script(on: Conversation) -> None:
        assert on.asked.method == "GET"
        await on.answer(b"hello")

    async with serving(script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="n"), CLOCK)
        outcome = await evidence.save(api, Late(), RolloutId("r-1"), facts(pod("a")), bad=BAD, timeout=2.0)
        await api.close()
    assert outcome.names == ()
    assert outcome.detail == "r-1-evidence-1: no time was left to write it"


async def test_large_logs_are_split_over_config_maps_within_their_size() -> None:
    noise = random.Random(1)

    async def log(on: Conversation) -> None:
        assert on.asked.query["limitBytes"] == "131072"
        await on.answer(base64.b64encode(noise.randbytes(98_000)))

    outcome, maps, _ = await saved(tuple(pod(f"p{n}") for n in range(12)), log, timeout=60.0)
    assert outcome.complete
    assert len(maps) == len(outcome.names) == 3
    for each in maps:
        assert sum(len(base64.b64decode(content)) for content in each["binaryData"].values()) <= 512 * 1024
    assert sum(1 for name in files(maps) if name.endswith(".log")) == 12


async def test_what_finds_no_room_is_told() -> None:
    noise = random.Random(1)

    async def log(on: Conversation) -> None:
        await on.answer(base64.b64encode(noise.randbytes(98_000)))

    outcome, maps, _ = await saved(tuple(pod(f"p{n}", restarts=1) for n in range(12)), log, timeout=60.0)
    assert len(maps) == 4
    assert not outcome.complete
    assert "left out for its size" in outcome.detail


async def test_a_refused_config_map_is_told_and_not_named() -> None:
    async def script(on: Conversation) -> None:
        await on.answer({"message": "exceeded quota"}, status=403 if on.asked.method == "POST" else 200)

    async with serving(script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="n"), CLOCK)
        outcome = await evidence.save(api, CLOCK, RolloutId("r-1"), facts(pod("a")), bad=BAD, timeout=2.0)
        await api.close()
    assert outcome.names == ()
    assert not outcome.complete
    assert "exceeded quota" in outcome.detail
