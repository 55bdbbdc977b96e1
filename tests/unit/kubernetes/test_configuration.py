"""ConfigMaps and Secrets are known by fingerprints alone, and Helm's releases by the labels of their records."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import Api, Connection, KubernetesCluster, Look
from rollguard.adapters.kubernetes.watching.configuration import Fingerprints, config_map, secret
from rollguard.adapters.kubernetes.watching.reflector import Change
from rollguard.model.facts import ABSENT, Configuration, HelmRelease
from rollguard.model.names import UnitName
from tests.unit.kubernetes.server import Conversation, Server, serving, until

CLOCK = SystemClock()
UNIT = UnitName("n", "deployment-a")


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def configured(data: Any = None, binary: Any = None, **metadata: Any) -> str:
    body = {"metadata": {"name": "app", "namespace": "n", **metadata}, "data": data, "binaryData": binary}
    return config_map(raw(body)).fingerprint


def release(version: int, status: str, *, namespace: str = "n") -> dict[str, Any]:
    name = f"sh.helm.release.v1.shop.v{version}"
    labels = {"owner": "helm", "name": "shop", "status": status, "version": str(version)}
    return {"metadata": {"name": name, "namespace": namespace, "resourceVersion": f"{version}", "labels": labels}}


def test_a_config_map_changes_with_its_contents_and_with_nothing_else() -> None:
    base = configured({"a": "1", "b": "2"})
    assert base == configured({"b": "2", "a": "1"}, resourceVersion="9", labels={"x": "y"})
    assert base != configured({"a": "1", "b": "3"})
    assert base != configured({"a": "1"}, {"b": "Mg=="})
    assert configured({}) == configured(None, None)


def test_nothing_of_the_contents_is_kept() -> None:
    kept = config_map(raw({"metadata": {"name": "app"}, "data": {"password": "hunter2"}}))
    assert "hunter2" not in repr(kept)
    assert "password" not in repr(kept)


def test_a_secret_is_known_by_its_version() -> None:
    seen = secret(raw({"metadata": {"name": "db", "namespace": "n", "resourceVersion": "41"}}))
    assert seen.fingerprint == "version 41"
    assert seen.release is None


def test_the_newest_record_of_a_release_counts_by_number_and_not_by_name() -> None:
    known = Fingerprints()
    for number, status in ((9, "superseded"), (10, "pending-upgrade"), (2, "superseded")):
        found = secret(raw(release(number, status)))
        known.noted("Secret", Change(key=("n", f"sh.helm.release.v1.shop.v{number}"), old=None, new=found))
    assert known.release("shop", {"Secret"}) == HelmRelease(
        name="shop", namespace="n", version=10, status="pending-upgrade"
    )
    assert known.release("other", {"Secret"}) is None
    assert known.release("shop", {"ConfigMap"}) is None
    newest = secret(raw(release(10, "deployed")))
    known.noted("Secret", Change(key=("n", "sh.helm.release.v1.shop.v10"), old=None, new=newest))
    now = known.release("shop", {"Secret"})
    assert now is not None
    assert now.status == "deployed"
    known.noted("Secret", Change(key=("n", "sh.helm.release.v1.shop.v10"), old=newest, new=None))
    before = known.release("shop", {"Secret"})
    assert before is not None
    assert before.version == 9


def test_a_view_that_was_handed_out_stays_as_it_was() -> None:
    known = Fingerprints()
    first = config_map(raw({"metadata": {"name": "app"}, "data": {"a": "1"}}))
    known.noted("ConfigMap", Change(key=("n", "app"), old=None, new=first))
    seen = known.configuration(("ConfigMap",))
    known.noted("ConfigMap", Change(key=("n", "app"), old=first, new=None))
    assert seen.fingerprint("ConfigMap/app") == first.fingerprint
    assert known.configuration(("ConfigMap",)).fingerprint("ConfigMap/app") == ABSENT
    assert seen.fingerprint("Secret/db") is None


@asynccontextmanager
async def guarding(
    look: Look, *, broken: str = "", status: int = 403
) -> AsyncIterator[tuple[KubernetesCluster, Server]]:
    """A cluster of one namespace with a ConfigMap and a Secret; the list of `broken` answers `status`."""
    metadata = {"namespace": "n", "resourceVersion": "7"}
    items = {
        "configmaps": [{"metadata": {"name": "app", **metadata}, "data": {"a": "1"}}],
        "secrets": [{"metadata": {"name": "db", **metadata}}, release(3, "deployed")],
    }

    async def script(on: Conversation) -> None:
        if "watch" in on.asked.query:
            await on.stream()
            await asyncio.sleep(60)
        collection = on.asked.path.rsplit("/", 1)[1]
        if collection == broken:
            await on.answer({"message": f"{collection} is forbidden"}, status=status)
        else:
            await on.answer({"metadata": {"resourceVersion": "7"}, "items": items.get(collection, [])})

    async with serving(script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="n"), CLOCK)
        async with KubernetesCluster(api, CLOCK, random.Random(1), namespaces=("n",), look=look) as cluster:
            cluster.guard(frozenset({UNIT}))
            yield cluster, server
        await api.close()


async def until_complete(cluster: KubernetesCluster) -> Configuration:
    await until(lambda: cluster.facts(UNIT).complete)
    return cluster.facts(UNIT).config


async def test_of_secrets_only_metadata_is_asked_for_and_our_own_evidence_is_passed_over() -> None:
    async with guarding(Look(secrets=True)) as (cluster, server):
        seen = await until_complete(cluster)
        assert seen.kinds == {"ConfigMap", "Secret"}
        assert seen.fingerprint("Secret/db") == "version 7"
        assert seen.fingerprint("ConfigMap/gone") == ABSENT
        secrets = [asked for asked in server.asked if asked.path.endswith("/secrets")]
        assert secrets
        assert all("PartialObjectMetadata" in asked.headers["accept"] for asked in secrets)
        assert all(asked.headers["accept"].count("application/json") == 1 for asked in secrets)
        config_maps = [asked for asked in server.asked if asked.path.endswith("/configmaps")]
        assert all(asked.query["labelSelector"] == "!rollguard.dev/rollout" for asked in config_maps)


async def test_without_the_policys_word_secrets_are_not_asked_for_at_all() -> None:
    async with guarding(Look()) as (cluster, server):
        seen = await until_complete(cluster)
        assert seen.kinds == {"ConfigMap"}
        assert seen.fingerprint("Secret/db") is None
        assert not [asked for asked in server.asked if asked.path.endswith("/secrets")]


async def test_a_policy_that_changes_its_word_on_secrets_is_followed() -> None:
    async with guarding(Look()) as (cluster, _):
        assert (await until_complete(cluster)).kinds == {"ConfigMap"}
        cluster.look_for((), secrets=True)
        assert (await until_complete(cluster)).kinds == {"ConfigMap", "Secret"}
        cluster.look_for((), secrets=False)
        assert (await until_complete(cluster)).kinds == {"ConfigMap"}


async def test_whoever_gives_an_order_needs_no_right_to_list_config_maps() -> None:
    async with guarding(Look(config=False), broken="configmaps") as (cluster, _):
        assert await until_complete(cluster) == Configuration()


@pytest.mark.parametrize("broken", ["configmaps", "secrets", "jobs"])
async def test_without_the_right_to_what_may_be_left_out_the_rest_is_judged_and_it_is_not_known(broken: str) -> None:
    async with guarding(Look(secrets=True), broken=broken) as (cluster, _):
        cluster.look_for(("migrate-*",), secrets=True)
        seen = await until_complete(cluster)
        facts = cluster.facts(UNIT)
        assert (seen.fingerprint("ConfigMap/app") is None) == (broken == "configmaps")
        assert (seen.fingerprint("Secret/db") is None) == (broken == "secrets")
        assert (facts.migrations_from is None) == (broken == "jobs")


async def test_while_config_maps_cannot_be_listed_for_another_reason_the_facts_are_incomplete() -> None:
    async with guarding(Look(), broken="configmaps", status=500) as (cluster, _):
        await until(lambda: any("500 configmaps" in text for text in cluster.facts(UNIT).missing))
        assert not cluster.facts(UNIT).complete
        assert cluster.facts(UNIT).config.fingerprint("ConfigMap/app") is None
