"""Which ConfigMaps and Secrets a template refers to, and how a good revision remembers them."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import pytest

from rollguard.model.facts import ABSENT, Configuration
from rollguard.observe import content_of, good_revision, references
from rollguard.observe.good import CONFIG_MAX
from tests.unit.observe.building import NEW, NOW, OLD, container, facts, pod, revision, workload


def body(**spec: object) -> str:
    return json.dumps({"metadata": {"labels": {"app": "a"}}, "spec": spec})


def test_every_way_of_referring_is_found_in_containers_and_init_containers() -> None:
    env = [
        {"name": "A", "value": "plain"},
        {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "key", "key": "k"}}},
        {"name": "C", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k", "optional": True}}},
        {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    template = body(
        containers=[{"name": "app", "image": "i", "env": env}, {"name": "side", "envFrom": [{"prefix": "X_"}]}],
        initContainers=[
            {"name": "init", "envFrom": [{"configMapRef": {"name": "all"}}, {"secretRef": {"name": "all"}}]}
        ],
        volumes=[
            {"name": "v1", "configMap": {"name": "files", "items": [{"key": "k", "path": "p"}]}},
            {"name": "v2", "secret": {"secretName": "tls"}},
            {"name": "v3", "emptyDir": {}},
            {
                "name": "v4",
                "projected": {
                    "sources": [
                        {"configMap": {"name": "part"}},
                        {"secret": {"name": "part"}},
                        {"serviceAccountToken": {"path": "token"}},
                    ]
                },
            },
        ],
    )
    assert references(template) == (
        "ConfigMap/all",
        "ConfigMap/files",
        "ConfigMap/key",
        "ConfigMap/part",
        "Secret/all",
        "Secret/key",
        "Secret/part",
        "Secret/tls",
    )


def test_a_template_without_references_has_none() -> None:
    assert references(body(containers=[{"name": "app", "image": "i"}], volumes=None)) == ()
    assert references("{}") == ()
    with pytest.raises(msgspec.DecodeError):
        references("no template")


def test_a_good_revision_keeps_what_was_seen_of_its_configuration_and_its_images() -> None:
    base = revision(NEW, 2)
    good = replace(base, template=replace(base.template, config=("ConfigMap/app", "ConfigMap/maybe", "Secret/db")))
    pods = (
        pod("a", NEW, containers=(container(image_id="r/app@sha256:1"), container(name="mesh", in_template=False))),
        pod("b", NEW, containers=(container(image_id="mirror/app@sha256:1"),)),
        pod("c", OLD, containers=(container(image_id="r/app@sha256:0"),)),
        pod("d", NEW, containers=(container(image_id=""),)),
    )
    seen = replace(
        facts(workload(good, target=NEW), pods=pods),
        config=Configuration(kinds=frozenset({"ConfigMap"}), fingerprints={"ConfigMap/app": "a1", "ConfigMap/x": "1"}),
    )
    kept = good_revision(good, seen, NOW, "saved-1")
    assert kept.config == (("ConfigMap/app", "a1"), ("ConfigMap/maybe", ABSENT))
    assert kept.image_ids == (("app", "@sha256:1"),)
    assert (kept.number, kept.since, kept.saved) == (2, NOW, "saved-1")


def test_a_template_with_very_many_references_stays_within_the_records_budget() -> None:
    base = revision(NEW, 2)
    names = tuple(f"ConfigMap/{'n' * 240}-{n:03}" for n in range(200))
    good = replace(base, template=replace(base.template, config=names))
    seen = replace(facts(workload(good, target=NEW)), config=Configuration(kinds=frozenset({"ConfigMap"})))
    assert len(good_revision(good, seen, NOW).config) == CONFIG_MAX


def test_the_content_behind_an_image_id_is_the_same_from_every_mirror() -> None:
    assert content_of("docker.io/library/nginx@sha256:ab") == content_of("mirror:5000/nginx@sha256:ab") == "@sha256:ab"
    assert content_of("docker-pullable://nginx@sha256:ab") == "@sha256:ab"
    assert content_of("sha256:cd") == "sha256:cd"
