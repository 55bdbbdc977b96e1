"""What stands in the demo's simulated cluster: the model services, and where the story is about it the release set."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from rollguard.model.policy import ReleaseSet
from rollguard.sim.objects import SimDeployment
from rollguard.sim.services import SimService
from rollguard.sim.world import World

REGISTRY = "registry.example.com/dubbing"
MODEL_SERVICES = ("speech-to-text", "translation", "text-to-speech", "lip-sync")
BESIDE = "translation"
"""Is released well beside what fails."""
REPLICAS = 3
RPS = 20.0
SET_RPS = {"backend": 40.0, "frontend": 30.0}
WORKERS = 5
JOBS_PER_SECOND = 10.0
SETTLE = 60.0
AGE = 2 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """The objects by name. `release_set` is None where the story has none, `shown` are the model services that the
    story is about."""

    deployments: dict[str, SimDeployment]
    services: dict[str, SimService]
    release_set: ReleaseSet | None
    shown: tuple[str, ...]


async def set_up(world: World, release_set: ReleaseSet | None) -> Cast:
    """Everything has run its first version for two days; of a set the first colour serves, the other has no pods."""
    deployments = {name: world.deploy(name, image(name, "v1"), replicas=REPLICAS, rps=RPS) for name in MODEL_SERVICES}
    services: dict[str, SimService] = {}
    if release_set is not None:
        live = release_set.colours[0]
        for member in release_set.members:
            for colour, name in member.workloads:
                deployments[name] = world.deploy(
                    name,
                    image(member.name, "v1"),
                    replicas=replicas(member.name) if colour == live else 0,
                    rps=0.0,
                    pod_labels=(("app", member.name), (release_set.selector_key, colour)),
                )
            if member.service:
                selector = {"app": member.name, release_set.selector_key: live}
                rps = SET_RPS[member.name]
                services[member.service] = world.services.create(member.service, selector, rps=rps, age=AGE)
            else:
                workers = tuple(deployments[name] for _, name in member.workloads)
                world.queues.create("dubbing", JOBS_PER_SECOND, workers)
    await asyncio.sleep(SETTLE)
    for deployment in deployments.values():
        world.backdate(deployment, AGE)
    shown = MODEL_SERVICES if release_set is None else (BESIDE,)
    return Cast(deployments=deployments, services=services, release_set=release_set, shown=shown)


def image(name: str, tag: str) -> str:
    """The image of a service or of a set's member."""
    return f"{REGISTRY}/{name}:{tag}"


def replicas(member: str) -> int:
    """The pods of a member that serves."""
    return WORKERS if member == "workers" else REPLICAS
