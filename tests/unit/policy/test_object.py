"""A GuardPolicy object means the same as the file with the same content, and its mistakes name the key."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from rollguard.model.policy import Policy
from rollguard.policy import Mistakes, canonical, load_object, restored
from rollguard.policy.yaml_text import read
from tests.unit.policy.texts import GOOD, added, good


def as_object(text: str, **extra: Any) -> bytes:
    """The object as the API server gives it."""
    data = read(text, "policy.yaml").data
    assert isinstance(data, dict)
    metadata = {**data["metadata"], "namespace": "monitoring", "uid": "1", "generation": 3, "managedFields": [{}]}
    return json.dumps({**data, "metadata": metadata, "status": {"valid": True}, **extra}).encode()


def found(text: bytes) -> Mistakes:
    loaded = load_object(text)
    assert not isinstance(loaded, Policy)
    return loaded


def test_object_and_file_of_the_same_content_have_the_same_digest() -> None:
    text = added("preset: generic", "mode: automatic", "timing: {tick: 5s}", "limits: {rollbacks: 3}")
    loaded = load_object(as_object(text))
    assert isinstance(loaded, Policy)
    assert loaded == good(text)


def test_an_item_of_a_list_says_no_kind() -> None:
    whole = json.loads(as_object(GOOD))
    del whole["apiVersion"], whole["kind"]
    assert isinstance(load_object(json.dumps(whole).encode()), Policy)


def test_mistakes_name_the_key_instead_of_a_line() -> None:
    text = GOOD.replace("workloads: [web, api]", "workloads: [web, 7]").replace("10%", "much") + "  mod: observe\n"
    said = [str(mistake) for mistake in found(as_object(text))]
    assert [line.split(": ", 1)[0] for line in said] == [
        "monitoring/small:spec.watch[0].workloads[1]",
        "monitoring/small:spec.signals.errors.levels.rollback.above",
        "monitoring/small:spec.mod",
    ]
    assert "did you mean `mode`?" in said[2]


def test_an_object_without_a_spec_says_what_is_missing() -> None:
    (mistake, *_) = found(b'{"metadata": {"name": "x", "namespace": "n"}}')
    assert str(mistake).startswith("n/x:spec: `spec`: expected a key `metrics` here")


def test_a_long_text_is_read_as_it_is() -> None:
    description = "x" * 3000
    text = added(f'cluster: "{description}"')
    loaded = load_object(as_object(text))
    assert isinstance(loaded, Policy)
    assert loaded.cluster == description


def test_a_kept_policy_is_the_same_again() -> None:
    policy = good(added("preset: dubbing-platform", "timeZone: Europe/Berlin"))
    assert restored(canonical(policy), policy.digest) == policy


def test_a_kept_text_that_was_changed_or_is_of_another_version_is_refused() -> None:
    policy = good(GOOD)
    with pytest.raises(ValueError, match="not the one that was kept"):
        restored(canonical(policy).replace(b"production", b"staging"), policy.digest)
    other = msgspec.json.encode({"name": "small"})
    with pytest.raises(ValueError, match="another version"):
        restored(other, sha256(other).hexdigest())
