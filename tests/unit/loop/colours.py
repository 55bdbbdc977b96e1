"""The platform's release set on the stage: backend and frontend behind Services, workers that empty a queue."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace

from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.policy import Mode, Policy, ReleaseSet, SetMember, Watch
from rollguard.model.records import UnitRecord
from rollguard.sim.objects import SimDeployment
from rollguard.sim.services import SimService
from tests.simulation import policies
from tests.unit.loop.stage import Stage, play

KEY = "version"
COLOURS = ("blue", "green")
SET = ReleaseSet(
    name="dubbing",
    namespace="production",
    selector_key=KEY,
    colours=COLOURS,
    members=tuple(
        SetMember(
            name=name,
            service=service,
            workloads=tuple((colour, f"{name}-{colour}") for colour in COLOURS),
            signals=signals,
        )
        for name, service, signals in (
            ("backend", "backend-service", ()),
            ("frontend", "frontend-service", ()),
            ("workers", "", ("job-failures", "crash-loop", "image-pull")),
        )
    ),
)
UNIT = UnitName.of_workload(WorkloadName("production", WorkloadKind.RELEASE_SET, "dubbing"))


def set_policy(mode: Mode = Mode.AUTOMATIC) -> Policy:
    """The simulated policy with the set in place of the Deployments."""
    watch = Watch(
        name="dubbing",
        namespace="production",
        workloads=(),
        selector=(),
        mode=mode,
        signals=(),
        called_by=(),
        release_set=SET,
    )
    policy = policies.policy(mode=mode)
    jobs = replace(policy.signals[0], name="job-failures", bad="jobs_failed_total", total="jobs_completed_total")
    named = tuple(signal.name for signal in policy.signals)
    return replace(policy, watches=(replace(watch, signals=named),), signals=(*policy.signals, jobs))


@dataclass(slots=True)
class Colours:
    """The set's objects in the simulated cluster. Blue serves, green has no pods yet."""

    stage: Stage
    deployments: dict[str, SimDeployment]
    services: dict[str, SimService]

    def release(self, image: str, *members: str, colour: str = "green") -> None:
        """The members' Deployments of that colour get the image and three pods."""
        for member in members:
            deployment = self.deployments[f"{member}-{colour}"]
            self.stage.world.set_image(deployment, image)
            self.stage.world.scale(deployment, 3, actor="alice")

    def ready(self, *members: str, colour: str = "green") -> bool:
        """Whether all pods of that colour are ready."""
        chosen = [self.deployments[f"{member}-{colour}"] for member in members]
        return all(len([p for p in d.pods() if p.ready and not p.deleting]) >= d.replicas > 0 for d in chosen)

    def switch(self, *members: str, to: str = "green") -> None:
        """A person switches the members' Services."""
        for member in members:
            self.stage.world.services.select(self.services[member], KEY, to)

    def live(self, member: str) -> str:
        """The colour that the member's Service selects."""
        return self.services[member].selector[KEY]

    def unit(self) -> UnitRecord | None:
        """The set's GuardedUnit."""
        stored = self.stage.world.records.units.get(UNIT)
        return stored.record if stored is not None else None

    def at_rest(self) -> bool:
        """Whether no rollout of the set is under guard."""
        unit = self.unit()
        return unit is not None and unit.current_rollout is None

    def adopted(self) -> bool:
        """Whether the guard knows blue as a way back for every member."""
        unit = self.unit()
        return unit is not None and len(unit.adopted_before) == len(SET.members)


def play_set(story: Callable[[Stage, Colours], Coroutine[None, None, None]], *, policy: Policy | None = None) -> None:
    """Plays a test's story with the set, in virtual time."""

    async def staged(stage: Stage) -> None:
        world = stage.world
        deployments = {
            f"{member.name}-{colour}": world.deploy(
                f"{member.name}-{colour}",
                "registry.lab/api:v1",
                replicas=3 if colour == "blue" else 0,
                rps=0.0,
                pod_labels=(("app", member.name), (KEY, colour)),
            )
            for member in SET.members
            for colour in COLOURS
        }
        services = {
            member.name: world.services.create(member.service, {"app": member.name, KEY: "blue"}, rps=40.0)
            for member in SET.members
            if member.service
        }
        world.queues.create("jobs", 2.0, (deployments["workers-blue"], deployments["workers-green"]))
        await stage.warm_up()
        await story(stage, Colours(stage, deployments, services))

    play(staged, policy=policy or set_policy())
