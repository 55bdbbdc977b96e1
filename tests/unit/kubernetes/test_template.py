"""The same template has the same digest, wherever it was read."""

from __future__ import annotations

import json
from typing import Any

from rollguard.adapters.kubernetes.objects.template import template_of


def template(**changes: Any) -> bytes:
    whole = {
        "metadata": {"labels": {"app": "x"}, "annotations": {"a": "1"}},
        "spec": {
            "initContainers": [{"name": "migrate", "image": "m:1"}],
            "containers": [{"name": "app", "image": "x:1"}],
        },
    }
    return json.dumps({**whole, **changes}).encode()


def test_a_replica_sets_copy_equals_its_deployments_template() -> None:
    of_set = template(
        metadata={
            "creationTimestamp": None,
            "annotations": {"a": "1"},
            "labels": {"pod-template-hash": "abc", "app": "x"},
        }
    )
    assert template_of(of_set) == template_of(template())
    assert "pod-template-hash" not in template_of(of_set).body


def test_a_restart_changes_the_digest_and_not_the_bare_one() -> None:
    restarted = template(metadata={"labels": {"app": "x"}, "annotations": {"a": "1", "restartedAt": "now"}})
    assert template_of(restarted).digest != template_of(template()).digest
    assert template_of(restarted).bare_digest == template_of(template()).bare_digest


def test_another_image_changes_both() -> None:
    other = template(spec={"containers": [{"name": "app", "image": "x:2"}]})
    assert template_of(other).digest != template_of(template()).digest
    assert template_of(other).bare_digest != template_of(template()).bare_digest


def test_images_name_init_containers_first() -> None:
    assert template_of(template()).images == (("migrate", "m:1"), ("app", "x:1"))
