"""What happens to a platform in two colours while the guard watches it; each story says what is allowed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.requests import Freeze, HumanRequest, RequestKind
from rollguard.sim.objects import at
from rollguard.sim.services import Adjusted
from rollguard.sim.world import Changed, World
from tests.simulation.platform import BLUE, GREEN, KEY, NAMESPACE, Platform, Shape, until

UNIT = UnitName.of_workload(WorkloadName(NAMESPACE, WorkloadKind.RELEASE_SET, "platform"))
WHOLE = Shape()
DENIED = "admission webhook denied the request"
PAIR = Shape(members=("backend", "workers"))
WEB = Shape(members=("backend", "frontend"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetStory:
    """`bad` images may be undone; nothing else may. `must_undo`: without faults blue serves again at the end."""

    name: str
    play: Callable[[World, Platform, random.Random], Awaitable[None]]
    bad: bool
    must_undo: bool = False
    must_hold: bool = False
    """Without faults the rollout is held and nothing is switched."""
    shape: Shape = WHOLE
    loses: bool = False
    """What serves may lose its pods by others than the guard."""
    young: bool = False
    latency: bool = False


def _images(platform: Platform, version: int = 2, **bad: str) -> dict[str, str]:
    """The next version of every member, with the faults of those that have one."""
    return {
        member: f"registry.lab/{member}:v{version}" + (f"-{bad[member]}" if member in bad else "")
        for member in platform.shape.members
    }


def fault(rng: random.Random) -> str:
    """What is wrong with an image that becomes ready."""
    return rng.choice(("errors-40pct", "errors-60pct", "crash-after-4s"))


async def _healthy(world: World, platform: Platform, rng: random.Random) -> None:
    await platform.release(_images(platform), leave=rng.random() < 0.3)


async def _bad(world: World, platform: Platform, rng: random.Random) -> None:
    """Green fails once it serves."""
    await platform.release(_images(platform, backend=fault(rng)), leave=rng.random() < 0.3)


async def _bad_workers(world: World, platform: Platform, rng: random.Random) -> None:
    """Only workers are released, and their jobs fail."""
    images = {"workers": f"registry.lab/workers:v2-{fault(rng)}"}
    await platform.release(images, leave=rng.random() < 0.3)


async def _backend_alone(world: World, platform: Platform, rng: random.Random) -> None:
    """Only backend is released: the others stay where they are."""
    await platform.release({"backend": f"registry.lab/backend:v2-{fault(rng)}"})


async def _idle(world: World, platform: Platform, rng: random.Random) -> None:
    """The next version starts in the idle colour, badly, and is never switched to."""
    backend = platform.deployment("backend", GREEN)
    world.set_image(backend, f"registry.lab/backend:v2-{rng.choice(('crash', 'nopull', 'errors-60pct'))}")
    world.scale(backend, 2, actor="pipeline")


async def _back_by_hand(world: World, platform: Platform, rng: random.Random) -> None:
    """A person switches everything back while it is judged."""
    await _bad(world, platform, rng)
    await asyncio.sleep(rng.uniform(1, 25))
    await _all_back(platform)


async def _back_near_the_rollback(world: World, platform: Platform, rng: random.Random) -> None:
    """A person switches everything back at about the time at which the guard does."""
    await _bad(world, platform, rng)
    await near_the_rollback(world, rng)
    await _all_back(platform)


async def _all_back(platform: Platform) -> None:
    await platform.switch(BLUE, platform.shape.members, leave=True, gap=(0.0, 0.5), actor="alice")


async def _preloaded(world: World, platform: Platform, rng: random.Random) -> None:
    """The version after the next is put into blue as soon as green serves."""
    await _bad(world, platform, rng)
    world.set_image(platform.deployment("backend", BLUE), "registry.lab/backend:v3", actor="pipeline")


async def _loaded_before_the_switch(world: World, platform: Platform, rng: random.Random) -> None:
    """The version after the next is put into blue once the plan to go back is made."""
    world.scale(platform.deployment("backend", BLUE), 1, actor="pipeline")
    await _bad(world, platform, rng)
    await until(lambda: _planned(world))
    world.set_image(platform.deployment("backend", BLUE), "registry.lab/backend:v3-errors-40pct", actor="pipeline")


async def _blue_idles(world: World, platform: Platform, rng: random.Random) -> None:
    """Blue goes down to its minimum once it idles; green grows under more load."""
    for member in platform.services:
        world.scaling.set_minimum(platform.scalers[member, BLUE], 1)
        world.scaling.set_minimum(platform.scalers[member, GREEN], 5)
    await platform.release(_images(platform, backend="errors-40pct-after-15s"), leave=True)
    for member in platform.services:
        world.scale(platform.deployment(member, BLUE), 1)


async def _minimum_set_back(world: World, platform: Platform, rng: random.Random) -> None:
    """A person (or a tool that the cluster does not name) sets the raised minimum back at once."""
    raised = {"on": True}

    def back(change: Adjusted) -> None:
        if raised["on"] and change.actor.startswith("guard") and change.ref.kind == "HorizontalPodAutoscaler":
            world.loop.call_later(rng.uniform(0.0, 2.0), _set_back, world, platform, change)

    world.on_adjust.append(back)
    await _blue_idles(world, platform, rng)
    await asyncio.sleep(100)
    raised["on"] = False


def _set_back(world: World, platform: Platform, change: Adjusted) -> None:
    autoscaler = next(scaler for scaler in platform.scalers.values() if scaler.name == change.ref.name)
    if int(change.after["minReplicas"]) > int(change.before["minReplicas"]):
        world.scaling.set_minimum(autoscaler, int(change.before["minReplicas"]), actor="keda")


async def _image_gone(world: World, platform: Platform, rng: random.Random) -> None:
    """Blue was scaled to 0, and its image cannot be pulled any more."""
    await _bad(world, platform, rng)
    for member in platform.services:
        world.scale(platform.deployment(member, BLUE), 0, actor="pipeline")
    await until(lambda: not platform.deployment("backend", BLUE).pods(), seconds=5)
    world.kubelet.broken_registry = "not-found"


async def _blue_breaks(world: World, platform: Platform, rng: random.Random) -> None:
    """Blue's pods crash while green is judged, or near the rollback; they come back after a while."""
    await _bad(world, platform, rng)
    if rng.random() < 0.5:
        await near_the_rollback(world, rng)
    else:
        await asyncio.sleep(rng.uniform(1, 25))
    for _ in range(3):
        for pod in platform.deployment("backend", BLUE).pods():
            world.kubelet.crash(pod, 1)
        await asyncio.sleep(rng.uniform(1, 8))


async def _refused(world: World, platform: Platform, rng: random.Random) -> None:
    """From the plan on admission refuses one member's Service or Deployment; after a while it does not any more."""
    await _bad(world, platform, rng)
    await until(lambda: _planned(world))
    member = rng.choice(sorted(platform.services))
    if rng.random() < 0.6:
        world.services.refused[platform.services[member].name] = DENIED
    else:
        world.refused[platform.deployment(member, rng.choice((BLUE, GREEN))).name] = DENIED
    await asyncio.sleep(rng.uniform(5, 40))
    world.services.refused.clear()
    world.refused.clear()


async def _refused_for_good(world: World, platform: Platform, rng: random.Random) -> None:
    """As soon as the first Service is switched back, admission refuses the others, for good."""

    def refuse(change: Adjusted) -> None:
        if change.actor.startswith("guard") and change.ref.kind == "Service":
            others = (service.name for service in platform.services.values() if service.name != change.ref.name)
            world.services.refused.update(dict.fromkeys(others, DENIED))

    world.on_adjust.append(refuse)
    await _bad(world, platform, rng)


async def _first_refused(world: World, platform: Platform, rng: random.Random) -> None:
    """Once the plan is made admission refuses every switch, for good."""
    for member in platform.services:
        world.scale(platform.deployment(member, BLUE), 1, actor="pipeline")

    def refuse(change: Changed) -> None:
        if change.actor.startswith("guard"):
            world.services.refused.update((service.name, DENIED) for service in platform.services.values())

    world.on_change.append(refuse)
    await _bad(world, platform, rng)


async def _blue_deleted(world: World, platform: Platform, rng: random.Random) -> None:
    """A person deletes a Deployment of blue, tidying up, near the rollback or before it."""
    await _bad(world, platform, rng)
    if rng.random() < 0.5:
        await near_the_rollback(world, rng)
    else:
        await asyncio.sleep(rng.uniform(1, 20))
    blue = platform.deployment(rng.choice(platform.shape.members), BLUE)
    if not blue.deleted:
        world.delete(blue)


async def _green_deleted(world: World, platform: Platform, rng: random.Random) -> None:
    """A person deletes a Deployment of green, taking it for the idle colour, while its Service selects it."""
    await _bad(world, platform, rng)
    await asyncio.sleep(rng.uniform(1, 20))
    green = platform.deployment(rng.choice(sorted(platform.services)), GREEN)
    if not green.deleted:
        world.delete(green)


async def _third_switch(world: World, platform: Platform, rng: random.Random) -> None:
    """A person switches back, and to green once more."""
    await _bad(world, platform, rng)
    if rng.random() < 0.5:
        await near_the_rollback(world, rng)
    else:
        await asyncio.sleep(rng.uniform(1, 25))
    await _all_back(platform)
    await asyncio.sleep(rng.uniform(0.5, 20))
    await platform.switch(GREEN, platform.shape.members, leave=True, gap=(0.0, 0.5), actor="alice")


async def _switched_again(world: World, platform: Platform, rng: random.Random) -> None:
    """A person switches each Service to green again as soon as it is back, once."""
    again: set[str] = set()

    def switch(change: Adjusted) -> None:
        if _ours(change, "Service") and change.ref.name not in again:
            again.add(change.ref.name)
            service = next(each for each in platform.services.values() if each.name == change.ref.name)
            world.loop.call_later(0.1, world.services.select, service, KEY, GREEN)

    world.on_adjust.append(switch)
    await _bad(world, platform, rng)


async def _joins_late(world: World, platform: Platform, rng: random.Random) -> None:
    """The members are switched one by one, over some seconds."""
    await platform.release(_images(platform, frontend=fault(rng)), gap=(2.0, 8.0))


async def _frozen_half_way(world: World, platform: Platform, rng: random.Random) -> None:
    """A person freezes the set when one of its Services is back, once."""
    done: list[float] = []

    def freeze(change: Adjusted) -> None:
        if _ours(change, "Service") and not done:
            done.append(change.at)
            _freeze(world)

    world.on_adjust.append(freeze)
    await _bad(world, platform, rng)


async def _frozen(world: World, platform: Platform, rng: random.Random) -> None:
    """A person freezes the set at about the time at which the guard acts."""
    await _bad(world, platform, rng)
    await near_the_rollback(world, rng)
    await asyncio.sleep(rng.uniform(0, 3))
    _freeze(world)


def _ours(change: Adjusted, kind: str) -> bool:
    return change.actor.startswith("guard") and change.ref.kind == kind


def _freeze(world: World) -> None:
    freeze = Freeze(until=at(world.loop.time() + 1000), actor="alice", reason="hands off")
    world.records.freeze(UNIT, freeze)


async def _ordered_on(world: World, platform: Platform, rng: random.Random) -> None:
    """A person freezes the set when one of its Services is back, thaws it later and orders the rest."""
    await _frozen_half_way(world, platform, rng)
    await until(lambda: any(stored.record.freeze is not None for stored in world.records.units.values()))
    await asyncio.sleep(rng.uniform(3, 20))
    world.records.freeze(UNIT, None)
    await asyncio.sleep(rng.uniform(0.1, 3))
    order = HumanRequest(
        id="rollback-1", kind=RequestKind.ROLLBACK, actor="alice", at=at(world.loop.time()), reason="go on"
    )
    world.records.request(UNIT, order)


async def _paused(world: World, platform: Platform, rng: random.Random) -> None:
    """A person pauses a Deployment of either colour at about the time at which the guard acts."""
    await _bad(world, platform, rng)
    await near_the_rollback(world, rng)
    deployment = platform.deployment(rng.choice(sorted(platform.services)), rng.choice((BLUE, GREEN)))
    world.pause_rollout(deployment)


async def _fixed_forward(world: World, platform: Platform, rng: random.Random) -> None:
    """A person puts a fix into green at about the time at which the guard goes back."""
    await _bad(world, platform, rng)
    await near_the_rollback(world, rng)
    await asyncio.sleep(rng.uniform(0, 2))
    for member in platform.shape.members:
        if platform.exists(member, GREEN):
            world.set_image(platform.deployment(member, GREEN), f"registry.lab/{member}:v3", actor="alice")


async def _outage(world: World, platform: Platform, rng: random.Random) -> None:
    """The database fails for everybody, from before the switch on."""
    world.database_down(True)
    await asyncio.sleep(rng.uniform(20, 30))
    await platform.release(_images(platform))
    await asyncio.sleep(rng.uniform(20, 40))
    world.database_down(False)


async def _bad_twice(world: World, platform: Platform, rng: random.Random) -> None:
    """After the rollback the next version is released, and is as bad."""
    await _bad(world, platform, rng)
    await until(lambda: all(r.record.closed is not None for r in world.records.rollouts.values()), seconds=120)
    if not all(platform.exists(member, colour) for member in platform.shape.members for colour in (BLUE, GREEN)):
        return
    await platform.release(_images(platform, 3, backend="errors-60pct"), leave=True)


async def near_the_rollback(world: World, rng: random.Random) -> None:
    """Waits for the plan of a rollback, then a moment shorter or longer than acting takes; at most 60 s."""
    await until(lambda: _planned(world))
    await asyncio.sleep(rng.choice((0.0, rng.uniform(0.0, 0.05), rng.uniform(0.0, 4.0), rng.uniform(0.0, 20.0))))


def _planned(world: World) -> bool:
    return any(stored.record.plan is not None for stored in world.records.rollouts.values())


SET_STORIES = (
    SetStory(name="set: healthy", play=_healthy, bad=False),
    SetStory(name="set: bad", play=_bad, bad=True, must_undo=True),
    SetStory(name="set: bad workers", play=_bad_workers, bad=True, must_undo=True, shape=PAIR),
    SetStory(name="set: backend alone", play=_backend_alone, bad=True, must_undo=True),
    SetStory(name="set: idle colour", play=_idle, bad=False, shape=WEB),
    SetStory(name="set: back by hand", play=_back_by_hand, bad=True),
    SetStory(name="set: back near the rollback", play=_back_near_the_rollback, bad=True),
    SetStory(name="set: blue preloaded", play=_preloaded, bad=True, must_hold=True, shape=WEB),
    SetStory(
        name="set: blue idles",
        play=_blue_idles,
        bad=True,
        must_undo=True,
        shape=Shape(members=("backend", "frontend"), autoscaled=True),
    ),
    SetStory(
        name="set: minimum set back",
        play=_minimum_set_back,
        bad=True,
        shape=Shape(members=("backend",), autoscaled=True),
    ),
    SetStory(
        name="set: minimum kept by a tool",
        play=_blue_idles,
        bad=True,
        shape=Shape(members=("backend",), autoscaled=True, keda=True),
    ),
    SetStory(name="set: image gone", play=_image_gone, bad=True, must_hold=True, shape=WEB),
    SetStory(name="set: blue breaks", play=_blue_breaks, bad=True, loses=True, shape=WEB),
    SetStory(name="set: refused for a while", play=_refused, bad=True, shape=WEB),
    SetStory(name="set: refused for good", play=_refused_for_good, bad=True, shape=WEB),
    SetStory(name="set: first switch refused", play=_first_refused, bad=True, must_hold=True, shape=WEB, loses=True),
    SetStory(name="set: blue deleted", play=_blue_deleted, bad=True, loses=True),
    SetStory(name="set: green deleted", play=_green_deleted, bad=True, must_undo=True, loses=True, shape=WEB),
    SetStory(name="set: third switch", play=_third_switch, bad=True, shape=PAIR),
    SetStory(name="set: joins late", play=_joins_late, bad=True, must_undo=True),
    SetStory(name="set: frozen half way", play=_frozen_half_way, bad=True, shape=WEB),
    SetStory(name="set: frozen", play=_frozen, bad=True, shape=PAIR),
    SetStory(name="set: ordered on", play=_ordered_on, bad=True, must_undo=True, shape=WEB),
    SetStory(name="set: paused", play=_paused, bad=True, shape=WEB),
    SetStory(name="set: fixed forward", play=_fixed_forward, bad=True, shape=PAIR),
    SetStory(name="set: outage", play=_outage, bad=False, shape=WEB),
    SetStory(name="set: bad twice", play=_bad_twice, bad=True, shape=PAIR),
)
SETS_ASIDE = (
    SetStory(name="set: loaded before the switch", play=_loaded_before_the_switch, bad=True, shape=WEB),
    SetStory(name="set: switched again at once", play=_switched_again, bad=True, shape=WEB),
)
"""Played only where a test asks for it."""
