"""Writes of records end within the one time that was asked for; lists pass over what there is no right to read."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
import pytest

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import KubernetesRecords
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.model.action import Unknown
from rollguard.model.records import StoredRollout
from rollguard.record import rollout_to_json, unit_to_json
from tests.unit.kubernetes.server import Conversation, serving, until
from tests.unit.records import rollout_record, unit_record

CLOCK = SystemClock()
TIMEOUT = 0.5
EACH = 0.3
"""Seconds until the server answers: less than the timeout, but two answers are more."""


@pytest.mark.parametrize("what", ["unit", "rollout", "deletion"])
async def test_all_requests_of_one_write_share_its_time(what: str) -> None:
    rollout = replace(rollout_record(), evidence=("e-1", "e-2", "e-3"))
    body = unit_to_json(unit_record()) if what == "unit" else rollout_to_json(rollout)

    async def script(on: Conversation) -> None:
        await asyncio.sleep(EACH)
        await on.answer(body.encode())

    async with serving(script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="n"), CLOCK)
        records = KubernetesRecords(api, CLOCK, random.Random(1), timeout=TIMEOUT)
        began = CLOCK.mono()
        outcome: object
        if what == "unit":
            outcome = await records.create_unit(unit_record())
        elif what == "rollout":
            outcome = await records.create_rollout(rollout)
        else:
            outcome = await records.delete_rollout(StoredRollout(record=rollout, version="1"))
        took = CLOCK.mono().since(began)
        await api.close()
    assert isinstance(outcome, Unknown)
    assert len(server.asked) == 2
    assert took < TIMEOUT + 0.08


BOTH = ("payments", "shop")
FORBIDDEN = "guardedunits is forbidden"


@asynccontextmanager
async def reading(*shut: str) -> AsyncIterator[KubernetesRecords]:
    """Records of `payments` and `shop`, started with both; each in `shut` is answered with 403."""

    async def script(on: Conversation) -> None:
        if any(f"/namespaces/{each}/" in on.asked.path for each in shut):
            await on.answer({"message": FORBIDDEN}, status=403)
        elif on.asked.query.get("watch"):
            await on.stream()
            await asyncio.sleep(60)
        else:
            item = msgspec.Raw(unit_to_json(unit_record()).encode())
            items = [item] if on.asked.path.endswith("guardedunits") else []
            await on.answer(msgspec.json.encode({"metadata": {"resourceVersion": "1"}, "items": items}))

    async with serving(script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="n"), CLOCK)
        async with KubernetesRecords(api, CLOCK, random.Random(1), namespaces=BOTH) as records:
            yield records
        await api.close()


async def test_a_namespace_without_rights_at_the_start_is_passed_over_and_named() -> None:
    async with reading("payments") as records:
        await until(lambda: bool(records.cover(frozenset(BOTH))))
        (said,) = records.cover(frozenset(BOTH))
        assert said == f"GuardedUnits in payments: 403 {FORBIDDEN}"
        units = await records.list_units()
        assert not isinstance(units, Unknown)
        assert len(units) == 1
        assert await records.list_rollouts(open_only=True) == ()


async def test_where_no_namespace_can_be_read_nothing_is_known() -> None:
    async with reading(*BOTH) as records:
        await until(lambda: len(records.cover(frozenset(BOTH))) == 2)
        units = await records.list_units()
        assert isinstance(units, Unknown)
        assert FORBIDDEN in units.detail
        assert isinstance(await records.list_rollouts(open_only=True), Unknown)
