"""The example's policy and its manifests are of one platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from rollguard.model.facts import InventoryItem
from rollguard.model.names import WorkloadKind, WorkloadName
from rollguard.model.policy import Mode
from rollguard.policy import watch_of
from tests.unit.policy.texts import good

PLATFORM = Path(__file__).parents[3] / "examples" / "dubbing-platform"
POLICY = good((PLATFORM / "policy.yaml").read_text())
(SET,) = POLICY.release_sets()
Object = dict[str, Any]


def manifests() -> list[Object]:
    return [
        dict(each) for file in sorted((PLATFORM / "manifests").iterdir()) for each in YAML(typ="safe").load_all(file)
    ]


MANIFESTS = manifests()


def of_kind(kind: str) -> dict[str, Object]:
    """The objects of a kind by name, all of which are in the namespace of the policy."""
    found = {each["metadata"]["name"]: each for each in MANIFESTS if each["kind"] == kind}
    assert all(each["metadata"]["namespace"] == "production" for each in found.values())
    return found


DEPLOYMENTS, SERVICES = of_kind("Deployment"), of_kind("Service")
COLOURED = [(member, colour, name) for member in SET.members for colour, name in member.workloads]


def pod_labels(name: str) -> dict[str, str]:
    return dict(DEPLOYMENTS[name]["spec"]["template"]["metadata"]["labels"])


def test_every_workload_that_the_policy_names_is_in_the_manifests() -> None:
    named = [name for watch in POLICY.watches for name in watch.workloads] + [each.name for each in SET.deployments()]
    assert set(named) <= DEPLOYMENTS.keys()
    assert DEPLOYMENTS.keys() - set(named) == {"redis"}, "what only keeps a cache is not guarded"


def test_every_manifest_is_guarded_as_it_should_be() -> None:
    modes = {}
    for name, each in DEPLOYMENTS.items():
        workload = WorkloadName("production", WorkloadKind.DEPLOYMENT, name)
        labels = tuple(each["metadata"]["labels"].items())
        watch = watch_of(POLICY, InventoryItem(name=workload, uid="", labels=labels, annotations=()))
        modes[name] = watch.mode if watch else None
    assert {name for name, mode in modes.items() if mode is Mode.OBSERVE} == {each.name for each in SET.deployments()}
    assert {name for name, mode in modes.items() if mode is Mode.AUTOMATIC} == set(POLICY.watches[1].workloads)


@pytest.mark.parametrize(("member", "colour", "name"), COLOURED, ids=[name for *_, name in COLOURED])
def test_the_pods_carry_their_app_and_their_colour(member: Any, colour: str, name: str) -> None:
    assert pod_labels(name) == {"app": member.name, SET.selector_key: colour}
    assert DEPLOYMENTS[name]["spec"]["selector"]["matchLabels"] == pod_labels(name)


def test_each_service_of_the_set_chooses_blue() -> None:
    chosen = {member.service: member.name for member in SET.members if member.service}
    assert chosen == {"backend-service": "backend", "frontend-service": "frontend"}
    for service, app in chosen.items():
        assert SERVICES[service]["spec"]["selector"] == {"app": app, SET.selector_key: "blue"}
    assert "redis-service" in SERVICES


def test_each_colour_has_its_autoscaler_and_leaves_its_replicas_to_it() -> None:
    bounds = {}
    for name, each in of_kind("HorizontalPodAutoscaler").items():
        assert each["spec"]["scaleTargetRef"]["name"] == name
        bounds[name] = (each["spec"]["minReplicas"], each["spec"]["maxReplicas"])
    assert bounds == {name: (5, 20) if member.name == "workers" else (3, 10) for member, _colour, name in COLOURED}
    written = {name: DEPLOYMENTS[name]["spec"].get("replicas") for *_, name in COLOURED}
    assert {name: replicas for name, replicas in written.items() if replicas is not None} == {"workers-green": 0}


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_every_container_is_probed_and_bounded(name: str) -> None:
    for container in DEPLOYMENTS[name]["spec"]["template"]["spec"]["containers"]:
        assert container["readinessProbe"]
        assert container["livenessProbe"]
        assert container["resources"]["requests"].keys() == container["resources"]["limits"].keys() == {"cpu", "memory"}


def test_the_migration_is_one_of_the_policys_pattern() -> None:
    assert POLICY.migration is not None
    (name,) = of_kind("Job")
    assert POLICY.migration.patterns == ("prisma-migrate-*",)
    assert name.startswith("prisma-migrate-")
