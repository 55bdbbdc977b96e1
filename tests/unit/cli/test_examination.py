"""An examination on servers that tests script."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.cli.examination import Examiner
from rollguard.doctor import State
from rollguard.doctor.facts import Place
from rollguard.model.policy import StoreAccess
from tests.unit.doctor.building import TEXT, policy
from tests.unit.kubernetes.server import Conversation, serving

CLOCK = SystemClock()
INSIDE = TEXT.replace("prometheus.example.com", "prometheus.nowhere.svc").replace("hooks.example.com", "127.0.0.1:9")
PROXY = "/api/v1/namespaces/nowhere/services/http:prometheus:9090/proxy/"


@asynccontextmanager
async def examiner(place: Place, *, proxy: bool = True) -> AsyncIterator[Examiner]:
    """On a cluster without anything in it but, where `proxy`, a metrics store behind a Service."""

    async def script(conversation: Conversation) -> None:
        path = conversation.asked.path.replace("%3A", ":")
        if not proxy or not path.startswith(PROXY):
            await conversation.answer({"message": "not found"}, 404)
        elif conversation.asked.query.get("query") == "time()":
            data = {"resultType": "scalar", "result": [1.0, str(CLOCK.now().seconds)]}
            await conversation.answer({"status": "success", "data": data})
        else:
            kind = "matrix" if path.endswith("query_range") else "vector"
            await conversation.answer({"status": "success", "data": {"resultType": kind, "result": []}})

    async with serving(script) as server:
        connection = Connection(server=server.url, tls=ssl.create_default_context(), namespace="default")
        api = Api(connection, CLOCK)
        yield Examiner(api=api, clock=CLOCK, guard_namespace="monitoring", account=None, place=place)
        await api.close()


async def test_a_store_that_only_the_cluster_reaches_is_asked_through_the_api_server() -> None:
    async with examiner(Place.ELSEWHERE) as doctor:
        found = (await doctor.facts(policy(INSIDE))).store
    assert (found.problem, found.proxied, found.inside) == ("", True, True)
    assert found.offset is not None
    assert [seen.signal for seen in found.signals] == ["errors", "latency", "memory"]


async def test_a_store_that_wants_a_secret_is_not_asked_through_the_api_server() -> None:
    locked = policy(INSIDE)
    locked = replace(locked, metrics=replace(locked.metrics, auth=StoreAccess(bearer_token_file="/secrets/token")))
    async with examiner(Place.ELSEWHERE) as doctor:
        found = (await doctor.facts(locked)).store
    assert found.problem
    assert not found.proxied


async def test_the_guard_asks_its_store_at_the_address_alone() -> None:
    async with examiner(Place.GUARD) as doctor:
        found = (await doctor.facts(policy(INSIDE))).store
    assert found.problem
    assert not found.proxied


@pytest.mark.parametrize(("place", "state"), [(Place.ELSEWHERE, State.UNKNOWN), (Place.GUARD, State.FAILED)])
async def test_without_the_proxy_it_is_said_why_it_is_not_known(place: Place, state: State) -> None:
    async with examiner(place, proxy=False) as doctor:
        checks = await doctor.examine(policy(INSIDE))
    (store,) = [check for check in checks if check.name == "store"]
    assert store.state is state
    assert ("only the cluster reaches it" in store.found) is (place is Place.ELSEWHERE)


async def test_on_an_empty_cluster_every_lack_is_named_and_nothing_breaks() -> None:
    async with examiner(Place.ELSEWHERE) as doctor:
        checks = await doctor.examine(policy(INSIDE))
    failed = {check.name for check in checks if check.state is State.FAILED}
    assert failed >= {"definitions", "admission", "leader", "controller", "namespace", "channel"}
