"""A release set against what there is."""

from __future__ import annotations

from dataclasses import replace

from rollguard.model.facts import Autoscaler
from rollguard.model.names import WorkloadKind, WorkloadName
from rollguard.policy.ground import DeploymentSeen, Fault, Ground, faults
from tests.unit.policy.texts import WITH_SET, good

(SET,) = good(WITH_SET).release_sets()
APPS = ("backend", "frontend", "workers")


def ground(**services: str) -> Ground:
    """Everything that the set names; Services choose the colours that are given, else blue."""
    return Ground(
        deployments=tuple(
            DeploymentSeen(name=f"{app}-{colour}", pod_labels=(("app", app), ("version", colour)), pods=3)
            for app in APPS
            for colour in ("blue", "green")
        ),
        services=tuple(
            (f"{app}-service", (("app", app), ("version", services.get(app, "blue"))))
            for app in ("backend", "frontend")
        ),
        autoscalers=(),
    )


def scaler(workload: str, maximum: int, *, owner: str = "", minimum: int = 1) -> Autoscaler:
    return Autoscaler(
        namespace="production",
        name="hpa",
        uid="u",
        workload=WorkloadName("production", WorkloadKind.DEPLOYMENT, workload),
        minimum=minimum,
        maximum=maximum,
        owner=owner,
    )


def only(found: tuple[Fault, ...]) -> Fault:
    (fault,) = found
    return fault


def test_nothing_is_wrong_where_everything_is_there() -> None:
    assert faults(SET, ground()) == ()
    assert faults(SET, ground(backend="green", frontend="green")) == ()


def test_services_of_different_colours_are_half_a_switch() -> None:
    fault = only(faults(SET, ground(frontend="green")))
    assert fault.found == "it is switched in part: backend-service names blue, frontend-service names green"
    assert fault.passing


def test_an_autoscaler_counts_for_its_own_colour_against_the_pods_of_the_other() -> None:
    found = ground()
    assert faults(SET, replace(found, autoscalers=(scaler("workers-green", 3), scaler("other", 1)))) == ()
    fault = only(faults(SET, replace(found, autoscalers=(scaler("workers-green", 2),))))
    assert fault.found == "its autoscaler hpa lets workers-green have 2 pods, and workers-blue has 3 pods"
    assert fault.path == ("members", 2, "workloads", "green")
    assert fault.passing


def test_a_minimum_that_another_tool_keeps_below_the_other_colour_is_said() -> None:
    keda = scaler("workers-green", 9, owner="ScaledObject/workers")
    fault = only(faults(SET, replace(ground(), autoscalers=(keda,))))
    assert fault.found == "ScaledObject/workers would set minReplicas of hpa back to 1, and workers-blue has 3 pods"
    assert fault.passing
    for fine in (replace(keda, minimum=3), replace(keda, owner="")):
        assert faults(SET, replace(ground(), autoscalers=(fine,))) == ()


def test_an_empty_namespace_is_said_name_by_name() -> None:
    found = faults(SET, Ground(deployments=(), services=(), autoscalers=()))
    assert [fault.offending for fault in found] == [
        "backend-blue",
        "backend-green",
        "backend-service",
        "frontend-blue",
        "frontend-green",
        "frontend-service",
        "workers-blue",
        "workers-green",
    ]
    assert not any(fault.passing for fault in found)
