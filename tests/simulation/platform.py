"""A platform in two colours: backend and frontend behind a Service each, workers on a queue, switched together."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from rollguard.model.names import WorkloadKind, WorkloadName
from rollguard.model.policy import ReleaseSet, SetMember
from rollguard.sim.objects import SimDeployment
from rollguard.sim.scaling import SimAutoscaler
from rollguard.sim.services import SimService
from rollguard.sim.world import World

NAMESPACE = "production"
BLUE, GREEN = COLOURS = ("blue", "green")
KEY = "version"
REQUESTS = ("error-rate", "response-time", "database-connection-errors", "crash-loop", "image-pull")
JOBS = ("job-failures", "crash-loop", "image-pull")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How the platform is built."""

    members: tuple[str, ...] = ("backend", "frontend", "workers")
    autoscaled: bool = False
    """An autoscaler for each Deployment behind a Service."""
    keda: bool = False
    """A tool keeps the autoscalers' minimum."""

    @property
    def release_set(self) -> ReleaseSet:
        """What the policy says of it."""
        return ReleaseSet(
            name="platform",
            namespace=NAMESPACE,
            selector_key=KEY,
            colours=COLOURS,
            members=tuple(_member(name) for name in self.members),
        )


def _member(name: str) -> SetMember:
    return SetMember(
        name=name,
        service="" if name == "workers" else f"{name}-service",
        workloads=tuple((colour, f"{name}-{colour}") for colour in COLOURS),
        signals=JOBS if name == "workers" else REQUESTS,
    )


class Platform:
    """The platform in a world: blue live, green at 0."""

    def __init__(self, world: World, shape: Shape, rng: random.Random) -> None:
        self.world = world
        self.shape = shape
        self.rng = rng
        self.replicas = {member: rng.randint(2, 3) for member in shape.members}
        self.deployments: dict[tuple[str, str], SimDeployment] = {}
        self.services: dict[str, SimService] = {}
        self.scalers: dict[tuple[str, str], SimAutoscaler] = {}
        for member in shape.members:
            self._deploy(member)

    def _deploy(self, member: str) -> None:
        replicas, rps = self.replicas[member], self.rng.uniform(15, 30)
        for colour in COLOURS:
            deployment = self.world.deploy(
                f"{member}-{colour}",
                f"registry.lab/{member}:v1",
                replicas=replicas if colour == BLUE else 0,
                rps=0.0,
                pod_labels=(("app", member), (KEY, colour)),
            )
            deployment.capacity = 1.6 * rps / replicas
            self.deployments[member, colour] = deployment
        if member == "workers":
            workers = (self.deployments[member, BLUE], self.deployments[member, GREEN])
            self.world.queues.create("dubbing", rps / 2, workers)
            return
        self.services[member] = self.world.services.create(f"{member}-service", {"app": member, KEY: BLUE}, rps=rps)
        if self.shape.autoscaled:
            for colour in COLOURS:
                self.scalers[member, colour] = self.world.scaling.create(
                    self.deployments[member, colour],
                    replicas,
                    6,
                    per_pod=1.05 * rps / replicas,
                    owner=f"ScaledObject/{member}" if self.shape.keda else "",
                )

    def deployment(self, member: str, colour: str) -> SimDeployment:
        """The member's Deployment of that colour."""
        return self.deployments[member, colour]

    def exists(self, member: str, colour: str) -> bool:
        """Whether that Deployment was not deleted."""
        return not self.deployments[member, colour].deleted

    # --- what the pipeline and people do ---

    async def release(
        self,
        images: dict[str, str],
        *,
        colour: str = GREEN,
        switched: tuple[str, ...] | None = None,
        leave: bool = False,
        gap: tuple[float, float] = (0.05, 1.0),
    ) -> None:
        """Puts the images into the idle colour, waits until it is ready, and switches: `switched` or all of them.

        The workers begin with the switch; the old ones are scaled to 0 a little later, unless `leave`.
        """
        for member, image in images.items():
            deployment = self.deployments[member, colour]
            self.world.set_image(deployment, image, actor="pipeline")
            if member in self.services:
                self.world.scale(deployment, self.replicas[member], actor="pipeline")
        behind = [self.deployments[member, colour] for member in images if member in self.services]
        await until(lambda: all(ready(each) >= each.replicas for each in behind), seconds=15)
        await self.switch(colour, switched or tuple(images), leave=leave, gap=gap)

    async def switch(
        self,
        colour: str,
        members: tuple[str, ...],
        *,
        leave: bool = False,
        gap: tuple[float, float] = (0.05, 1.0),
        actor: str = "pipeline",
    ) -> None:
        """Switches those members to the colour, one after another in a seeded order."""
        order = list(members)
        self.rng.shuffle(order)
        for member in order:
            if member in self.services:
                self.world.services.select(self.services[member], KEY, colour, actor=actor)
            else:
                await self._workers(member, colour, leave=leave, actor=actor)
            await asyncio.sleep(self.rng.uniform(*gap))

    async def _workers(self, member: str, colour: str, *, leave: bool, actor: str) -> None:
        new, old = self.deployments[member, colour], self.deployments[member, other(colour)]
        if new.deleted or old.deleted:
            return
        self.world.scale(new, self.replicas[member], actor=actor)
        if not leave:
            await until(lambda: ready(new) > 0, seconds=5)
            self.world.scale(old, 0, actor=actor)

    def live(self, member: str) -> str:
        """The colour that its Service selects."""
        return self.services[member].selector[KEY]


def ready(deployment: SimDeployment) -> int:
    """Its pods that are ready and stay."""
    return sum(pod.ready and not pod.deleting for pod in deployment.pods())


def other(colour: str) -> str:
    """The colour beside that one."""
    return COLOURS[1 - COLOURS.index(colour)]


def named(name: str) -> WorkloadName:
    """The Deployment of that name."""
    return WorkloadName(NAMESPACE, WorkloadKind.DEPLOYMENT, name)


async def until(condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
    """Waits until it holds, at most so long."""
    for _ in range(int(seconds * 10)):
        if condition():
            return
        await asyncio.sleep(0.1)
