"""Plays a scenario: the real loop on a simulated cluster, time passing faster than life, shown as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path

from rollguard.cli import exits, output
from rollguard.cli.demo.picture import Moment
from rollguard.cli.demo.scenarios import Scenario, Scene
from rollguard.cli.demo.screen import Screen, screen
from rollguard.cli.demo.stage import Cast, set_up
from rollguard.cli.demo.users import Users
from rollguard.loop import Guard, Settings
from rollguard.model.channels import SLACK_DEPLOYMENTS
from rollguard.model.names import RolloutId, UnitName
from rollguard.model.policy import Policy
from rollguard.model.records import LifecycleState, RolloutRecord, TimelineEntry
from rollguard.policy import durations, load
from rollguard.report import figures, incident_markdown
from rollguard.sim.channels import Inbox, SimChannels, SimNotifier
from rollguard.sim.cluster import SimCluster
from rollguard.sim.faults import FaultPlan
from rollguard.sim.lease import SimLeadership
from rollguard.sim.metrics import SimMetrics
from rollguard.sim.process import Process, VirtualClock
from rollguard.sim.records import SimRecords
from rollguard.sim.virtual_time import VirtualLoop, run
from rollguard.sim.world import World

WARM_UP = 6 * 60.0
"""Simulated seconds before the curtain rises: every service has a healthy past by then."""
LOOK_EVERY = 0.1
"""Real seconds between two pictures, but not more than so many simulated ones:"""
LOOK_WITHIN = 6.0
UNDER_WAY = " trying"
"""How a line ends that tells of a step which is not done yet: the line that it is done follows."""
SLOWER = 10.0
"""How many times slower time passes while the guard acts: the steps are to be seen."""
ACTING = (LifecycleState.PLANNED, LifecycleState.ACTING)


@dataclass(slots=True)
class StoryLine:
    """The Journal port: the lines of every rollout's story go to the screen as they are told, but for those that say
    nothing new to somebody who sees them all at once."""

    world: World
    view: Screen
    colours: tuple[str, ...] = ()
    """The Deployments of the release set: before the switch each is watched by itself."""
    curtain: float = 0.0
    _reasons: set[tuple[str, str]] = field(default_factory=set)

    def append(self, unit: UnitName, rollout: RolloutId | None, entry: TimelineEntry) -> None:  # noqa: ARG002
        """Shows the entry with the simulated time since the curtain rose."""
        who = str(unit).partition("/")[2]
        if entry.kind == "notice" or (entry.kind == "step" and entry.text.endswith(UNDER_WAY)):
            return
        if who in self.colours and entry.kind == "decision":
            return
        head, _, reason = entry.text.partition(": ")
        known = (who, reason) in self._reasons
        self._reasons.add((who, reason))
        if known and entry.kind == "plan":
            return
        because = "" if head.startswith("Closed") else ", because of this"
        text = f"{head}{because}" if known and entry.kind == "decision" else entry.text
        self.view.tell(self.world.loop.time() - self.curtain, who, entry.kind, text)

    def problem(self) -> None:
        """A screen has no database."""


def play(scenario: Scenario, *, speed: float, seed: int, directory: Path) -> int:
    """Plays the scenario to its end and writes its incidents; 0 when it ended by itself."""
    return run(_play(scenario, speed, seed, directory), seed=seed)


async def _play(scenario: Scenario, speed: float, seed: int, directory: Path) -> int:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    policy = demo_policy()
    if not scenario.release_set:
        policy = replace(policy, watches=tuple(watch for watch in policy.watches if watch.release_set is None))
    world = World(seed)
    with screen(scenario, speed, speed / SLOWER) as view:
        release_set = next(iter(policy.release_sets()), None)
        colours = tuple(each.name for each in release_set.deployments()) if release_set is not None else ()
        story = StoryLine(world=world, view=view, colours=colours)
        cast = await set_up(world, release_set)
        guard = _guard(world, policy, story, seed)
        running = asyncio.create_task(guard.run())
        await asyncio.sleep(WARM_UP)
        story.curtain = loop.time()
        await _scenes(scenario, _Stage(world=world, cast=cast, story=story, guard=guard, loop=loop, speed=speed))
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
        channels=SimChannels(SimNotifier(Inbox(), process, faults, name=SLACK_DEPLOYMENTS)),
        journal=story,
        clock=VirtualClock(process),
        settings=Settings(namespace="monitoring", fail_fast=True),
        log=_ignore,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    world: World
    cast: Cast
    story: StoryLine
    guard: Guard
    loop: VirtualLoop
    speed: float

    def now(self) -> float:
        """Simulated seconds since the curtain rose."""
        return self.loop.time() - self.story.curtain


async def _scenes(scenario: Scenario, stage: _Stage) -> None:
    waiting: list[Scene] = sorted(scenario.scenes, key=lambda scene: scene.at)
    users = Users(world=stage.world, cast=stage.cast)
    while (now := stage.now()) < scenario.seconds:
        while waiting and waiting[0].at <= now:
            scene = waiting.pop(0)
            scene.act(stage.world, stage.cast)
            stage.story.view.tell(now, "", "story", scene.line)
        for line in users.look():
            stage.story.view.tell(now, "", "users", line)
        acts = _show(stage, users, now)
        pace = stage.speed / SLOWER if acts else stage.speed
        stage.loop.pace = pace
        await asyncio.sleep(min(LOOK_WITHIN, pace * LOOK_EVERY))
    _show(stage, users, scenario.seconds)


def _show(stage: _Stage, users: Users, now: float) -> bool:
    """Draws the picture; whether the guard acts."""
    rollouts = _current(stage.world)
    stage.story.view.show(Moment(now=now, status=stage.guard.status(), rollouts=rollouts, cast=stage.cast, users=users))
    return any(rollout.state in ACTING for rollout in rollouts.values())


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
        output.say(_told(record))
        output.say(f"Incident report: {path}")
    return exits.OK


def _told(record: RolloutRecord) -> str:
    """How long the parts took: `dubbing: decided after 5m45s, old version back after 5m48s, recovered after 8m45s`."""
    spent = figures(record)
    parts = (
        ("decided", spent.to_decision),
        ("old version back", spent.to_undo),
        ("recovery seen", spent.to_recovery),
    )
    said = ", ".join(f"{name} after {durations.format_(round(took))}" for name, took in parts if took is not None)
    return f"{record.workload.name}, counted from the rollout's start: {said or record.why}"


def _ignore(event: str, fields: Mapping[str, str | int | float]) -> None:
    """The demo's screen shows the stories; the structured log is for `rollguard run`."""
