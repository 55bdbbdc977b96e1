"""The demo's stories: what is released into the simulated cluster, when, and what breaks besides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollguard.cli.demo.stage import BESIDE, Cast, image, replicas
from rollguard.model.metrics import GapCause
from rollguard.sim.world import Blind, World

MINUTE = 60.0

Act = Callable[[World, Cast], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Something that happens `at` seconds after the curtain rises, told by `line`."""

    at: float
    line: str
    act: Act


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A story; it plays for `seconds` of simulated time. `release_set`: the platform's set is on the stage."""

    name: str
    about: str
    scenes: tuple[Scene, ...]
    seconds: float
    release_set: bool = False


def release(service: str, tag: str, at: float) -> Scene:
    """A pipeline releases another image."""

    def act(world: World, cast: Cast) -> None:
        world.set_image(cast.deployments[service], image(service, tag), actor="pipeline")

    return Scene(at=at, line=f"the pipeline releases {service}:{tag}", act=act)


def _into_green(tags: dict[str, str], at: float) -> Scene:
    """A pipeline starts the next version beside the one that serves; workers begin later, for they work at once."""

    def act(world: World, cast: Cast) -> None:
        for member, tag in tags.items():
            deployment = cast.deployments[f"{member}-green"]
            world.set_image(deployment, image(member, tag), actor="pipeline")
            if f"{member}-service" in cast.services:
                world.scale(deployment, replicas(member), actor="pipeline")

    what = ", ".join(f"{member}:{tag}" for member, tag in tags.items())
    return Scene(at=at, line=f"the pipeline starts green beside blue: {what}", act=act)


def _to_green(at: float) -> Scene:
    def act(world: World, cast: Cast) -> None:
        for service in cast.services.values():
            world.services.select(service, "version", "green", actor="pipeline")
        world.scale(cast.deployments["workers-green"], replicas("workers"), actor="pipeline")

    return Scene(at=at, line="the pipeline switches all Services to green and starts the green workers", act=act)


def _blue_workers_end(at: float) -> Scene:
    def act(world: World, cast: Cast) -> None:
        world.scale(cast.deployments["workers-blue"], 0, actor="pipeline")

    return Scene(at=at, line="the pipeline ends the blue workers", act=act)


def _database(down: bool, at: float) -> Scene:
    def act(world: World, _: Cast) -> None:
        world.database_down(down)

    return Scene(at=at, line="the shared database fails" if down else "the database is back", act=act)


def _store_dies(at: float, seconds: float) -> Scene:
    def act(world: World, _: Cast) -> None:
        now = world.loop.time()
        world.blind.append(Blind(start=now, end=now + seconds, cause=GapCause.UNREACHABLE))

    return Scene(at=at, line=f"Prometheus dies for {seconds / MINUTE:.0f} minutes", act=act)


HEALTHY = release(BESIDE, "v2", 10.0)


def _bad(name: str, about: str, tag: str, *, minutes: float = 33.0) -> Scenario:
    scenes = (HEALTHY, release("speech-to-text", tag, 40.0))
    return Scenario(name=name, about=about, scenes=scenes, seconds=minutes * MINUTE)


_ALL = (
    Scenario(
        name="blue-green",
        about="green fails after the switch: backend, frontend and workers go back to blue",
        scenes=(
            HEALTHY,
            _into_green({"backend": "v2-errors-15pct", "frontend": "v2", "workers": "v2"}, 30.0),
            _to_green(60.0),
            _blue_workers_end(72.0),
        ),
        seconds=33 * MINUTE,
        release_set=True,
    ),
    _bad("errors", "a rolling update with 15% errors for 5 minutes: undone", "v2-errors-15pct"),
    _bad("latency", "P95 over 5 s for 5 minutes: undone", "v2-slow-6000ms-20pct"),
    _bad("database-errors", "more than 10 database connection errors a minute: undone", "v2-dberrors-60permin"),
    _bad("crash-loop", "the new version crashes at once: undone in seconds", "v2-crash", minutes=8),
    _bad("image-pull", "the new image does not exist: undone in seconds", "v2-nopull", minutes=8),
    Scenario(
        name="outage",
        about="the database fails during a release: all services suffer, so it is held and paged, not undone",
        scenes=(release("speech-to-text", "v2", 10.0), _database(True, 9 * MINUTE), _database(False, 18 * MINUTE)),
        seconds=33 * MINUTE,
    ),
    Scenario(
        name="blind",
        about="Prometheus dies in the middle of a bad release: it holds and pages; undone when sight returns",
        scenes=(release("speech-to-text", "v2-errors-15pct", 10.0), _store_dies(3 * MINUTE, 6 * MINUTE)),
        seconds=25 * MINUTE,
    ),
)
SCENARIOS = {scenario.name: scenario for scenario in _ALL}
