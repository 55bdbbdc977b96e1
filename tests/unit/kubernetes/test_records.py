"""A write of a record that takes several requests ends within the one time that was asked for."""

from __future__ import annotations

import asyncio
import random
import ssl
from dataclasses import replace

import pytest

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import KubernetesRecords
from rollguard.adapters.kubernetes.api import Api
from rollguard.adapters.kubernetes.kubeconfig import Connection
from rollguard.model.action import Unknown
from rollguard.model.records import StoredRollout
from rollguard.record import rollout_to_json, unit_to_json
from tests.unit.kubernetes.server import Conversation, serving
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
