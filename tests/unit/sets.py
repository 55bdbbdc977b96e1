"""A release set as policies have it: a pair with a Service, and workers without one."""

from __future__ import annotations

from dataclasses import replace

from rollguard.model.policy import Policy, ReleaseSet, SetMember

PLATFORM = ReleaseSet(
    name="platform",
    namespace="production",
    selector_key="version",
    colours=("blue", "green"),
    members=(
        SetMember(
            name="backend",
            service="backend-service",
            workloads=(("blue", "backend-blue"), ("green", "backend-green")),
        ),
        SetMember(name="workers", service="", workloads=(("blue", "workers-blue"), ("green", "workers-green"))),
    ),
)


def with_set(policy: Policy, release_set: ReleaseSet = PLATFORM) -> Policy:
    """The policy with a watch more, of that set."""
    watch = replace(
        policy.watches[0],
        name=release_set.name,
        namespace=release_set.namespace,
        workloads=(),
        release_set=release_set,
    )
    return replace(policy, watches=(*policy.watches, watch))
