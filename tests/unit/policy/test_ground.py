"""A release set against what there is."""

from __future__ import annotations

from dataclasses import replace

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
    assert faults(SET, replace(found, autoscalers=(("hpa", "workers-green", 3), ("hpa-2", "other", 1)))) == ()
    fault = only(faults(SET, replace(found, autoscalers=(("hpa", "workers-green", 2),))))
    assert fault.found == "its autoscaler hpa lets workers-green have 2 pods, and workers-blue has 3"
    assert fault.path == ("members", 2, "workloads", "green")
    assert fault.passing


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
