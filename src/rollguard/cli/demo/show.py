"""Plays a scenario: the real loop on a simulated cluster, time passing faster than life, shown as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from rollguard.cli import exits, output
from rollguard.cli.demo.scenarios import REGISTRY, SERVICES, Cast, Scenario, Scene
from rollguard.cli.demo.screen import Screen, screen
from rollguard.loop import Guard, Settings
from rollguard.model.names import RolloutId, UnitName
from rollguard.model.policy import Policy
from rollguard.model.records import RolloutRecord, TimelineEntry
from rollguard.policy import load
from rollguard.report import incident_markdown
from rollguard.sim.channels import Inbox, SimNotifier
from rollguard.sim.cluster import SimCluster
from rollguard.sim.faults import FaultPlan
from rollguard.sim.lease import SimLeadership
from rollguard.sim.metrics import SimMetrics
from rollguard.sim.process import Process, VirtualClock
from rollguard.sim.records import SimRecords
from rollguard.sim.virtual_time import VirtualLoop, run
from rollguard.sim.world import World

SETTLE = 60.0
WARM_UP = 6 * 60.0
"""Simulated seconds before the curtain rises: every service has a healthy past by then."""
AGE = 2 * 86400.0
LOOK_EVERY = 6.0
REPLICAS = 3
RPS = 20.0


@dataclass(slots=True)
class StoryLine:
    """The Journal port: every line of every rollout's story goes to the screen as it is told."""

    world: World
    view: Screen
    curtain: float = 0.0

    def append(self, unit: UnitName, rollout: RolloutId | None, entry: TimelineEntry) -> None:  # noqa: ARG002
        """Shows the entry with the simulated time since the curtain rose."""
        if entry.kind != "notice":
            self.view.tell(self.world.loop.time() - self.curtain, str(unit).partition("/")[2], entry.kind, entry.text)


def play(scenario: Scenario, *, speed: float, seed: int, directory: Path) -> int:
    """Plays the scenario to its end and writes its incidents; 0 when it ended by itself."""
    return run(_play(scenario, speed, seed, directory), seed=seed)


async def _play(scenario: Scenario, speed: float, seed: int, directory: Path) -> int:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    policy = demo_policy()
    world = World(seed)
    with screen(scenario, speed) as view:
        story = StoryLine(world=world, view=view)
        cast = await _stage(world)
        guard = _guard(world, policy, story, seed)
        running = asyncio.create_task(guard.run())
        await asyncio.sleep(WARM_UP)
        story.curtain = loop.time()
        loop.pace = speed
        await _scenes(scenario, world, cast, story, guard)
        loop.pace = None
        guard.stop()
        await running
    return _end(world, directory)


def demo_policy() -> Policy:
    """The embedded policy; a mistake in it is a defect."""
    text = resources.files("rollguard.cli.demo").joinpath("policy.yaml").read_text(encoding="utf-8")
    loaded = load(text, "demo policy")
    if isinstance(loaded, Policy):
        return loaded
    raise AssertionError("\n".join(str(mistake) for mistake in loaded))


async def _stage(world: World) -> Cast:
    """The platform's model services, which have run their first version for two days."""
    cast = {name: world.deploy(name, f"{REGISTRY}/{name}:v1", replicas=REPLICAS, rps=RPS) for name in SERVICES}
    await asyncio.sleep(SETTLE)
    for deployment in cast.values():
        world.backdate(deployment, AGE)
    return cast


def _guard(world: World, policy: Policy, story: StoryLine, seed: int) -> Guard:
    process = Process("guard")
    faults = FaultPlan(seed)
    faults.stop()
    return Guard(
        policy,
        cluster=SimCluster(world, process, faults),
        records=SimRecords(world.records, process, faults),
        leadership=SimLeadership(world.lease, process, faults, world.random),
        metrics=lambda _store: SimMetrics(world, process, faults),
        notifiers=lambda _channels: (SimNotifier(Inbox(), process, faults),),
        journal=story,
        clock=VirtualClock(process),
        settings=Settings(namespace="monitoring", fail_fast=True),
        log=_ignore,
    )


async def _scenes(scenario: Scenario, world: World, cast: Cast, story: StoryLine, guard: Guard) -> None:
    waiting: list[Scene] = sorted(scenario.scenes, key=lambda scene: scene.at)
    while (now := world.loop.time() - story.curtain) < scenario.seconds:
        while waiting and waiting[0].at <= now:
            scene = waiting.pop(0)
            scene.act(world, cast)
            story.view.tell(now, "", "story", scene.line)
        story.view.show(now, guard.status(), _current(world))
        await asyncio.sleep(LOOK_EVERY)
    story.view.show(scenario.seconds, guard.status(), _current(world))


def _current(world: World) -> dict[str, RolloutRecord]:
    """The newest rollout of each service."""
    newest: dict[str, RolloutRecord] = {}
    for stored in world.records.rollouts.values():
        name = stored.record.workload.name
        if name not in newest or stored.record.started > newest[name].started:
            newest[name] = stored.record
    return newest


def _end(world: World, directory: Path) -> int:
    """Writes every incident and says where."""
    incidents = [stored.record for stored in world.records.rollouts.values() if stored.record.incident]
    if not incidents:
        output.say("No incident: nothing was held or undone.")
        return exits.OK
    directory.mkdir(parents=True, exist_ok=True)
    for record in incidents:
        path = directory / f"{record.incident}.md"
        path.write_text(incident_markdown(record), encoding="utf-8")
        output.say(f"Incident report: {path}")
    return exits.OK


def _ignore(event: str, fields: Mapping[str, str | int | float]) -> None:
    """The demo's screen shows the stories; the structured log is for `rollguard run`."""
