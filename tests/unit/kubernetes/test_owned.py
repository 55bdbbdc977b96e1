"""What is remembered of owners that are gone, and of those that are there."""

from __future__ import annotations

import json

import msgspec
import pytest

from rollguard.adapters.kubernetes.objects import facts
from rollguard.adapters.kubernetes.objects.facts import OwnedRevision
from rollguard.adapters.kubernetes.objects.template import Templates
from rollguard.adapters.kubernetes.watching import owned as owned_module
from rollguard.adapters.kubernetes.watching.owned import Owned
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


@pytest.fixture
def owned(monkeypatch: pytest.MonkeyPatch) -> Owned:
    """Remembers three ReplicaSets that are gone."""
    monkeypatch.setattr(owned_module, "REMEMBERED", 3)
    return Owned(lambda _namespace, _name: None)


def came(owned: Owned, each: OwnedRevision) -> None:
    owned.revision_changed(Change(key=("production", each.revision.uid), old=None, new=each))


def went(owned: Owned, each: OwnedRevision) -> None:
    owned.revision_changed(Change(key=("production", each.revision.uid), old=each, new=None))


def test_replica_sets_that_exist_are_never_forgotten_however_many_there_are(owned: Owned) -> None:
    for number in range(10):
        came(owned, replica_set("translation", number))
    assert owned.sets_of("uid-translation") == frozenset(f"translation-{number}" for number in range(10))


def test_of_those_that_are_gone_the_last_ones_are_remembered(owned: Owned) -> None:
    sets = [replica_set("translation", number) for number in range(6)]
    for each in sets:
        came(owned, each)
    for each in sets[:5]:
        went(owned, each)
    assert owned.sets_of("uid-translation") == {f"translation-{number}" for number in (2, 3, 4, 5)}


def test_one_that_comes_back_is_not_gone(owned: Owned) -> None:
    back = replica_set("translation", 0)
    came(owned, back)
    went(owned, back)
    came(owned, back)
    for number in range(1, 6):
        came(owned, replica_set("translation", number))
        went(owned, replica_set("translation", number))
    assert "translation-0" in owned.sets_of("uid-translation")
