"""What the copies remember of owners that are gone, and of those that are there."""

from __future__ import annotations

import json
import random
import ssl
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.adapters.kubernetes.objects import facts
from rollguard.adapters.kubernetes.objects.facts import OwnedRevision
from rollguard.adapters.kubernetes.objects.template import Templates
from rollguard.adapters.kubernetes.watching import cache as cache_module
from rollguard.adapters.kubernetes.watching.cache import Cache, Look
from rollguard.adapters.kubernetes.watching.reflector import Change

TEMPLATES = Templates()


def replica_set(deployment: str, number: int) -> OwnedRevision:
    owner = {"kind": "Deployment", "name": deployment, "uid": f"uid-{deployment}", "controller": True}
    body = {
        "metadata": {
            "name": f"{deployment}-{number}",
            "namespace": "production",
            "uid": f"{deployment}-{number}",
            "ownerReferences": [owner],
        },
        "spec": {"template": {"metadata": {}, "spec": {"containers": [{"name": "app", "image": f"i:{number}"}]}}},
    }
    made = facts.owned_revision(msgspec.Raw(json.dumps(body).encode()), TEMPLATES)
    assert made is not None
    return made


@pytest_asyncio.fixture
async def copies(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cache]:
    """A cache that remembers three ReplicaSets that are gone."""
    monkeypatch.setattr(cache_module, "REMEMBERED", 3)
    clock = SystemClock()
    api = Api(Connection(server="https://127.0.0.1:1", tls=ssl.create_default_context(), namespace="n"), clock)
    yield Cache(api, clock, random.Random(1), lambda _namespace, _name: None, stall=5.0, look=Look())
    await api.close()


def came(copies: Cache, owned: OwnedRevision) -> None:
    copies._revision_changed(Change(key=("production", owned.revision.uid), old=None, new=owned))


def went(copies: Cache, owned: OwnedRevision) -> None:
    copies._revision_changed(Change(key=("production", owned.revision.uid), old=owned, new=None))


async def test_replica_sets_that_exist_are_never_forgotten_however_many_there_are(copies: Cache) -> None:
    for number in range(10):
        came(copies, replica_set("translation", number))
    assert copies.sets_of("uid-translation") == frozenset(f"translation-{number}" for number in range(10))


async def test_of_those_that_are_gone_the_last_ones_are_remembered(copies: Cache) -> None:
    sets = [replica_set("translation", number) for number in range(6)]
    for owned in sets:
        came(copies, owned)
    for owned in sets[:5]:
        went(copies, owned)
    assert copies.sets_of("uid-translation") == {f"translation-{number}" for number in (2, 3, 4, 5)}


async def test_one_that_comes_back_is_not_gone(copies: Cache) -> None:
    back = replica_set("translation", 0)
    came(copies, back)
    went(copies, back)
    came(copies, back)
    for number in range(1, 6):
        came(copies, replica_set("translation", number))
        went(copies, replica_set("translation", number))
    assert "translation-0" in copies.sets_of("uid-translation")
