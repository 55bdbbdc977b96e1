"""The policy's sources and the policies that are kept, as a file system and an API server have them."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import KubernetesCluster, KubernetesKeptPolicies, KubernetesPolicy, KubernetesRecords
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.adapters.policy_file import PolicyFile
from rollguard.model.action import Unknown
from rollguard.model.records import PolicyStatus
from rollguard.policy import canonical
from rollguard.ports import PolicyLost
from rollguard.record import unit_to_json
from tests.unit.kubernetes.server import Conversation, Script, Server, serving, until
from tests.unit.kubernetes.test_reflector import forever, page
from tests.unit.policy.test_object import as_object
from tests.unit.policy.texts import GOOD, added, changed, good
from tests.unit.records import unit_record

CLOCK = SystemClock()
POLICY = good(GOOD)
OTHER = added("mode: automatic")


@asynccontextmanager
async def speaking(script: Script) -> AsyncIterator[tuple[Api, Server]]:
    async with serving(script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="n"), CLOCK)
        try:
            yield api, server
        finally:
            await api.close()


async def read_twice(source: PolicyFile) -> None:
    await source.read()
    await source.read()


# --- a file ---


async def test_a_changed_file_counts_once_it_was_read_twice_alike(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(GOOD)
    source = PolicyFile(file, CLOCK)
    await read_twice(source)
    file.write_text(OTHER)
    await source.read()
    assert source.latest().policy == POLICY, "an editor may be in the middle of it"
    await source.read()
    assert source.latest().policy == good(OTHER)
    same = source.latest()
    await source.read()
    assert source.latest() is same


async def test_a_mounted_config_map_is_swapped_by_a_symlink(tmp_path: Path) -> None:
    for name, text in (("first", GOOD), ("second", OTHER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "policy.yaml").write_text(text)
    (tmp_path / "..data").symlink_to("first")
    (tmp_path / "policy.yaml").symlink_to("..data/policy.yaml")
    source = PolicyFile(tmp_path / "policy.yaml", CLOCK)
    await read_twice(source)
    (tmp_path / "..data_tmp").symlink_to("second")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    await read_twice(source)
    assert source.latest().policy == good(OTHER)


async def test_a_file_with_mistakes_or_gone_is_no_policy_and_says_why(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(changed("10%", "much"))
    source = PolicyFile(file, CLOCK)
    await read_twice(source)
    assert source.latest().policy is None
    assert source.latest().mistakes[0].startswith(f"{file}:18:27:")
    file.unlink()
    await read_twice(source)
    assert "cannot be read" in source.latest().mistakes[0]
    file.write_text(GOOD)
    await read_twice(source)
    assert source.latest().policy == POLICY
    assert await source.report(PolicyStatus(valid=True), timeout=1.0) is None


# --- an object ---


def stored(text: str, version: int, generation: int) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(as_object(text))
    whole["metadata"] |= {"resourceVersion": str(version), "generation": generation}
    return whole


async def test_the_object_is_watched_and_a_deleted_one_is_a_mistake() -> None:
    proceed = asyncio.Event()

    async def script(on: Conversation) -> None:
        if "watch" not in on.asked.query:
            assert on.asked.query["fieldSelector"] == "metadata.name=small"
            await on.answer(page(1, stored(GOOD, 1, 1)))
            return
        await on.stream()
        await proceed.wait()
        await on.event("MODIFIED", stored(OTHER, 2, 2))
        await on.event("MODIFIED", stored(changed("10%", "much"), 3, 3))
        await on.event("DELETED", stored(GOOD, 4, 3))
        await forever()

    async with (
        speaking(script) as (api, _),
        KubernetesPolicy(api, CLOCK, random.Random(1), "monitoring", "small") as source,
    ):
        first = await source.first(timeout=5.0)
        assert not isinstance(first, Unknown)
        assert (first.policy, first.generation) == (POLICY, 1)
        proceed.set()
        await until(lambda: "no such GuardPolicy" in "".join(source.latest().mistakes))


async def test_a_write_of_the_status_is_no_new_policy() -> None:
    proceed = asyncio.Event()

    async def script(on: Conversation) -> None:
        if "watch" not in on.asked.query:
            await on.answer(page(1, stored(GOOD, 1, 1)))
            return
        await on.stream()
        await proceed.wait()
        await on.event("MODIFIED", stored(GOOD, 2, 1))
        await on.event("MODIFIED", stored(OTHER, 3, 2))
        await forever()

    async with (
        speaking(script) as (api, _),
        KubernetesPolicy(api, CLOCK, random.Random(1), "monitoring", "small") as source,
    ):
        await source.first(timeout=5.0)
        seen = [source.latest()]
        proceed.set()
        await until(lambda: source.latest().generation == 2)
        assert seen[0].policy == POLICY
        assert source.latest().policy == good(OTHER)


async def test_the_status_is_written_whole_so_that_old_mistakes_go() -> None:
    async def script(on: Conversation) -> None:
        await on.answer({})

    async with speaking(script) as (api, server):
        source = KubernetesPolicy(api, CLOCK, random.Random(1), "monitoring", "small")
        status = PolicyStatus(valid=True, digest="d", observed_generation=4)
        assert await source.report(status, timeout=1.0) is None
    (asked,) = server.asked
    assert (asked.method, asked.path) == (
        "PATCH",
        "/apis/rollguard.dev/v1alpha1/namespaces/monitoring/guardpolicies/small/status",
    )
    assert json.loads(asked.body) == {"status": {"valid": True, "digest": "d", "mistakes": [], "observedGeneration": 4}}


# --- kept policies ---


async def test_a_policy_is_kept_in_an_immutable_config_map_and_read_again() -> None:
    async def script(on: Conversation) -> None:
        if on.asked.method == "POST":
            await on.answer({}, 409 if len(server.asked) > 1 else 201)
        else:
            await on.answer(server.asked[0].body)

    async with speaking(script) as (api, server):
        kept = KubernetesKeptPolicies(api, CLOCK, namespace="monitoring")
        assert await kept.keep(POLICY, timeout=1.0) is None
        assert await kept.keep(POLICY, timeout=1.0) is None, "one that exists is the same"
        assert await kept.load(POLICY.digest, timeout=1.0) == POLICY
    whole = json.loads(server.asked[0].body)
    assert whole["immutable"] is True
    assert whole["data"]["policy.json"].encode() == canonical(POLICY)
    assert len(whole["metadata"]["name"]) <= 63


@pytest.mark.parametrize(("status", "lost"), [(404, True), (403, True), (500, False), (429, False)])
async def test_what_the_server_will_not_give_is_lost_and_no_answer_is_unknown(status: int, lost: bool) -> None:
    async def script(on: Conversation) -> None:
        await on.answer({"message": "no"}, status)

    async with speaking(script) as (api, _):
        found = await KubernetesKeptPolicies(api, CLOCK, namespace="monitoring").load(POLICY.digest, timeout=1.0)
    assert isinstance(found, PolicyLost if lost else Unknown)


async def test_a_policy_that_comes_into_force_again_is_marked_as_the_newest() -> None:
    async def script(on: Conversation) -> None:
        await on.answer({}, 409 if on.asked.method == "POST" else 200)

    async with speaking(script) as (api, server):
        assert await KubernetesKeptPolicies(api, CLOCK, namespace="monitoring").keep(POLICY, timeout=1.0) is None
    created, marked = server.asked
    assert marked.method == "PATCH"
    assert marked.path.endswith(json.loads(created.body)["metadata"]["name"])
    assert set(json.loads(marked.body)["metadata"]["annotations"]) == {"rollguard.dev/in-force"}


@pytest.mark.parametrize(("status", "kept"), [(403, True), (404, False), (500, False)])
async def test_without_the_right_to_mark_it_a_policy_is_kept_all_the_same(status: int, kept: bool) -> None:
    async def script(on: Conversation) -> None:
        await on.answer({"message": "no"}, 409 if on.asked.method == "POST" else status)

    async with speaking(script) as (api, _):
        outcome = await KubernetesKeptPolicies(api, CLOCK, namespace="monitoring").keep(POLICY, timeout=1.0)
    assert (outcome is None) == kept


def listed(text: str, *, in_force: str = "", created: str = "2026-11-03T02:00:00Z", body: str = "") -> dict[str, Any]:
    annotations = {
        "rollguard.dev/policy": good(text).digest,
        **({"rollguard.dev/in-force": in_force} if in_force else {}),
    }
    metadata = {"name": "x", "creationTimestamp": created, "annotations": annotations}
    return {"metadata": metadata, "data": {"policy.json": body or canonical(good(text)).decode()}}


@pytest.mark.parametrize(
    ("items", "newest"),
    [
        ([], None),
        ([listed(OTHER, in_force="2026-11-03T02:30:00.000Z"), listed(GOOD, in_force="2026-11-03T03:00:00.000Z")], GOOD),
        ([listed(GOOD, created="2026-11-03T02:00:00Z"), listed(OTHER, in_force="2026-11-03T02:05:00.000Z")], OTHER),
        ([listed(GOOD), listed(OTHER, in_force="2026-11-03T03:00:00.000Z", body="{}")], GOOD),
        ([listed(OTHER, body="{}"), {"metadata": {}}], None),
    ],
    ids=["none", "marked", "unmarked", "the newest was changed", "none can be read"],
)
async def test_the_newest_is_the_one_that_came_into_force_last_and_can_be_read(
    items: list[dict[str, Any]], newest: str | None
) -> None:
    async def script(on: Conversation) -> None:
        await on.answer({"metadata": {}, "items": items})

    async with speaking(script) as (api, _):
        found = await KubernetesKeptPolicies(api, CLOCK, namespace="monitoring").newest(timeout=1.0)
    assert found == (good(newest) if newest is not None else None)


async def test_a_kept_policy_that_somebody_changed_is_lost() -> None:
    async def script(on: Conversation) -> None:
        await on.answer({"data": {"policy.json": canonical(good(OTHER)).decode()}})

    async with speaking(script) as (api, _):
        found = await KubernetesKeptPolicies(api, CLOCK, namespace="monitoring").load(POLICY.digest, timeout=1.0)
    assert isinstance(found, PolicyLost)
    assert "not the one that was kept" in found.detail


async def test_kept_policies_are_found_by_their_label_and_deleted() -> None:
    async def script(on: Conversation) -> None:
        if on.asked.method == "DELETE":
            await on.answer({}, 404)
            return
        assert on.asked.query == {"labelSelector": "rollguard.dev/policy=kept"}
        items = [{"metadata": {"annotations": {"rollguard.dev/policy": "abc"}}}, {"metadata": {}}]
        await on.answer({"metadata": {}, "items": items})

    async with speaking(script) as (api, server):
        kept = KubernetesKeptPolicies(api, CLOCK, namespace="monitoring")
        assert await kept.digests(timeout=1.0) == ("abc",)
        assert await kept.drop("abc", timeout=1.0) is None
    assert server.asked[-1].method == "DELETE"


# --- namespaces that come and go ---


async def test_a_namespace_that_cannot_be_listed_hides_no_other() -> None:
    granted = asyncio.Event()

    async def script(on: Conversation) -> None:
        if "/namespaces/late/" in on.asked.path and not granted.is_set():
            await on.answer({"message": "deployments is forbidden"}, 403)
        elif "watch" in on.asked.query:
            await on.stream()
            await forever()
        else:
            namespace = on.asked.path.split("/")[5]
            await on.answer(page(1, {"metadata": {"name": "web", "namespace": namespace, "resourceVersion": "1"}}))

    async with (
        speaking(script) as (api, _),
        KubernetesCluster(api, CLOCK, random.Random(1), namespaces=("shop",)) as cluster,
    ):
        await until(lambda: cluster.inventory() is not None)
        cluster.cover(frozenset({"shop", "late"}))
        await until(lambda: "forbidden" in "".join(cluster.cover(frozenset({"shop", "late"}))))
        assert [str(each.name.namespace) for each in cluster.inventory() or ()] == ["shop"]
        granted.set()
        await until(lambda: len(cluster.inventory() or ()) == 2)
        assert cluster.cover(frozenset({"late"})) == ()
        assert [each.name.namespace for each in cluster.inventory() or ()] == ["late"]


async def test_records_of_a_namespace_join_once_it_is_listed_and_leave_with_it() -> None:
    granted = asyncio.Event()

    async def script(on: Conversation) -> None:
        namespace = on.asked.path.split("/")[5]
        if namespace == "late" and not granted.is_set():
            await on.answer({"message": "forbidden"}, 403)
        elif "watch" in on.asked.query:
            await on.stream()
            await forever()
        else:
            unit = json.loads(unit_to_json(unit_record()))
            unit["metadata"]["namespace"] = namespace
            await on.answer(page(1, unit))

    async def listed() -> list[str]:
        units = await records.list_units()
        assert not isinstance(units, Unknown)
        return [each.record.name.namespace for each in units]

    async with (
        speaking(script) as (api, server),
        KubernetesRecords(api, CLOCK, random.Random(1), namespaces=("shop",)) as records,
    ):
        records.cover(frozenset({"shop", "late"}))
        await until(lambda: any("/late/" in asked.path for asked in server.asked))
        assert await listed() == ["shop"]
        granted.set()
        await until(lambda: any("/late/" in a.path and "watch" in a.query for a in server.asked))
        assert await listed() == ["late", "shop"]
        records.cover(frozenset({"late"}))
        assert await listed() == ["late"]
