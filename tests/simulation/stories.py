"""What happens in a simulated cluster while the guard watches: each story deploys, breaks and says what is allowed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rollguard.model.names import UnitName
from rollguard.model.requests import Freeze
from rollguard.sim.kubelet import NODES
from rollguard.sim.objects import SimDeployment, SimPod, at
from rollguard.sim.world import Changed, World

GOOD = "registry.lab/api:v1"
SICK = "registry.lab/api:v1-errors-40pct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """`bad` images may be undone; nothing else may. `must_undo`: without faults the end state is a good image."""

    name: str
    play: Callable[[World, SimDeployment, random.Random], Awaitable[None]]
    bad: bool
    must_undo: bool = False
    young: bool = False
    """The workload is too young for its first revision to be adopted."""
    siblings: int = 0
    history_limit: int = 10
    first: str = GOOD
    latency: bool = False
    """Latency is judged too."""


def bad_image(rng: random.Random, version: int) -> str:
    """An image whose badness one of the rules catches."""
    faults = ("errors-40pct", "errors-60pct", "dberrors-120permin", "crash", "nopull")
    fault = rng.choice(faults)
    return f"registry.lab/api:v{version}-{fault}"


async def _healthy(world: World, api: SimDeployment, rng: random.Random) -> None:
    world.set_image(api, "registry.lab/api:v2")


async def _bad(world: World, api: SimDeployment, rng: random.Random) -> None:
    world.set_image(api, bad_image(rng, 2))


async def _slow(world: World, api: SimDeployment, rng: random.Random) -> None:
    world.set_image(api, "registry.lab/api:v2-slow-6000ms-60pct")


async def _bad_to_bad(world: World, api: SimDeployment, rng: random.Random) -> None:
    """The second comes while the first is judged, or right after it is undone."""
    world.set_image(api, bad_image(rng, 2))
    await asyncio.sleep(rng.uniform(0.5, 30))
    world.set_image(api, bad_image(rng, 3))


async def _bad_without_history(world: World, api: SimDeployment, rng: random.Random) -> None:
    """The old ReplicaSet is deleted as soon as it is empty: only the saved template is left."""
    world.set_image(api, f"registry.lab/api:v2-errors-{rng.choice((40, 60))}pct")


async def _in_a_row(world: World, api: SimDeployment, rng: random.Random) -> None:
    """Healthy releases, each before the one before it is through."""
    for version in range(2, 5):
        world.set_image(api, f"registry.lab/api:v{version}")
        await asyncio.sleep(rng.uniform(3, 10))


async def _reverted(world: World, api: SimDeployment, rng: random.Random) -> None:
    """A human undoes it at about the time at which the guard would."""
    world.set_image(api, bad_image(rng, 2))
    await asyncio.sleep(rng.uniform(1, 40))
    world.undo_by_hand(api)


async def _fixed_forward(world: World, api: SimDeployment, rng: random.Random) -> None:
    """A human deploys a fix at about the time at which the guard acts: the fix must stay."""
    world.set_image(api, bad_image(rng, 2))
    await _near_the_rollback(world, api, rng)
    world.set_image(api, "registry.lab/api:v3")


async def _reapplied(world: World, api: SimDeployment, rng: random.Random) -> None:
    """A GitOps tool puts the bad image back, 5 s after each rollback."""
    image = bad_image(rng, 2)
    tool = {"on": True}

    def reapply(change: Changed) -> None:
        if tool["on"] and change.actor.startswith("guard") and change.workload == api.name:
            world.loop.call_later(5.0, again)

    def again() -> None:
        if not api.deleted and tool["on"]:
            world.set_image(api, image, actor="gitops")

    world.on_change.append(reapply)
    world.set_image(api, image)
    await asyncio.sleep(150)
    tool["on"] = False


async def _scaled(world: World, api: SimDeployment, rng: random.Random) -> None:
    """An autoscaler moves replicas all the time, also between read and write of a rollback."""
    world.set_image(api, bad_image(rng, 2))
    for _ in range(40):
        await asyncio.sleep(rng.uniform(0.2, 2.5))
        if not api.deleted:
            world.scale(api, rng.randint(2, 5))


async def _outage(world: World, api: SimDeployment, rng: random.Random) -> None:
    """The database fails for everybody during a healthy rollout."""
    world.set_image(api, "registry.lab/api:v2")
    await asyncio.sleep(rng.uniform(0, 20))
    world.database_down(True)
    await asyncio.sleep(rng.uniform(30, 60))
    world.database_down(False)


async def _node_restart(world: World, api: SimDeployment, rng: random.Random) -> None:
    """Nodes restart containers of old and new pods alike, twice, during a healthy rollout."""
    world.set_image(api, "registry.lab/api:v2")
    restarts = 0
    for _ in range(100):
        await asyncio.sleep(0.1)
        shared = [node for node in NODES if len({pod.revision for pod in api.pods() if _runs_on(pod, node)}) > 1]
        if shared:
            world.kubelet.restart_node(rng.choice(shared))
            restarts += 1
            await asyncio.sleep(rng.uniform(0.5, 2))
        if restarts == 2:
            return


def _runs_on(pod: SimPod, node: str) -> bool:
    return pod.node == node and pod.running and not pod.deleting


async def _restarted(world: World, api: SimDeployment, rng: random.Random) -> None:
    """`kubectl rollout restart` and labels: annotations only."""
    restarted = (("kubectl.kubernetes.io/restartedAt", "2026-11-01T00:00:00Z"),)
    world.set_image(api, GOOD, annotations=restarted)
    await asyncio.sleep(rng.uniform(1, 20))
    world.annotate(api, "team", "blue")


async def _frozen(world: World, api: SimDeployment, rng: random.Random) -> None:
    """A human freezes the unit at about the time at which the guard acts."""
    world.set_image(api, bad_image(rng, 2))
    await _near_the_rollback(world, api, rng)
    freeze = Freeze(until=at(world.loop.time() + 1000), actor="alice", reason="hands off")
    world.records.freeze(UnitName.of_workload(api.name), freeze)


async def _paused(world: World, api: SimDeployment, rng: random.Random) -> None:
    world.set_image(api, bad_image(rng, 2))
    await _near_the_rollback(world, api, rng)
    if not api.deleted:
        world.pause_rollout(api)


async def _deleted(world: World, api: SimDeployment, rng: random.Random) -> None:
    world.set_image(api, bad_image(rng, 2))
    await _near_the_rollback(world, api, rng)
    world.delete(api)


async def _refused(world: World, api: SimDeployment, rng: random.Random) -> None:
    """Admission refuses the guard's write."""
    world.refused[api.name] = "admission webhook denied the request"
    world.set_image(api, bad_image(rng, 2))


async def _second_bad(world: World, api: SimDeployment, rng: random.Random) -> None:
    """A healthy release, then a bad one: back to the healthy one, not to the first."""
    world.set_image(api, "registry.lab/api:v2")
    await asyncio.sleep(rng.uniform(85, 120))
    world.set_image(api, bad_image(rng, 3))


async def _sick_before(world: World, api: SimDeployment, rng: random.Random) -> None:
    """A hotfix from 40% to 15% errors: bad, but better than what it replaces."""
    world.set_image(api, "registry.lab/api:v2-errors-15pct")


async def _stuck_controller(world: World, api: SimDeployment, rng: random.Random) -> None:
    """The Deployment controller is away for a while: status is stale."""
    world.set_image(api, bad_image(rng, 2))
    await asyncio.sleep(rng.uniform(0.5, 15))
    world.controller.lag = (15.0, 25.0)
    if not api.deleted:
        world.scale(api, api.replicas + 1)
    await asyncio.sleep(rng.uniform(5, 20))
    world.controller.lag = (0.02, 0.15)


async def _lease_deleted(world: World, api: SimDeployment, rng: random.Random) -> None:
    """The Lease, which has counted a hundred takeovers, is deleted in the middle of a rollback."""
    world.lease.holder, world.lease.epoch, world.lease.version = "gone", 100, world.lease.version + 1
    await _until(lambda: world.lease.holder != "gone")
    world.set_image(api, bad_image(rng, 2))
    await _near_the_rollback(world, api, rng)
    await asyncio.sleep(2.0)
    world.lease.delete()


async def _restored_from_a_backup(world: World, api: SimDeployment, rng: random.Random) -> None:
    """The guard's objects are set back to a backup that was made before the plan."""
    world.set_image(api, bad_image(rng, 2))
    await _until(lambda: bool(world.records.rollouts))
    units, rollouts = dict(world.records.units), dict(world.records.rollouts)
    await _near_the_rollback(world, api, rng)
    await asyncio.sleep(0.2)
    world.records.units, world.records.rollouts = units, rollouts


async def _near_the_rollback(world: World, api: SimDeployment, rng: random.Random) -> None:
    """Waits for the plan of a rollback, then a moment shorter or longer than acting takes; at most 60 s."""
    await _until(lambda: any(stored.record.plan is not None for stored in world.records.rollouts.values()))
    await asyncio.sleep(rng.choice((0.0, rng.uniform(0.0, 0.02), rng.uniform(0.0, 1.0))))


async def _until(condition: Callable[[], bool]) -> None:
    """Waits until it holds, at most 60 s."""
    for _ in range(600):
        if condition():
            return
        await asyncio.sleep(0.1)


STORIES = (
    Story(name="healthy", play=_healthy, bad=False),
    Story(name="bad", play=_bad, bad=True, must_undo=True),
    Story(name="slow", play=_slow, bad=True, must_undo=True, latency=True),
    Story(name="bad, young", play=_bad, bad=True, young=True),
    Story(name="bad, pruned history", play=_bad_without_history, bad=True, history_limit=0),
    Story(name="bad to bad", play=_bad_to_bad, bad=True, must_undo=True),
    Story(name="reverted by hand", play=_reverted, bad=True),
    Story(name="fixed forward", play=_fixed_forward, bad=True),
    Story(name="re-applied", play=_reapplied, bad=True),
    Story(name="scaled", play=_scaled, bad=True),
    Story(name="outage", play=_outage, bad=False, siblings=2),
    Story(name="node restart", play=_node_restart, bad=False),
    Story(name="restarted", play=_restarted, bad=False),
    Story(name="frozen", play=_frozen, bad=True),
    Story(name="paused", play=_paused, bad=True),
    Story(name="deleted", play=_deleted, bad=True),
    Story(name="refused", play=_refused, bad=True),
    Story(name="healthy, then bad", play=_second_bad, bad=True, must_undo=True),
    Story(name="in a row", play=_in_a_row, bad=False),
    Story(name="hotfix", play=_sick_before, bad=False, first=SICK),
    Story(name="controller away", play=_stuck_controller, bad=True),
)
ASIDE = (
    Story(name="Lease deleted", play=_lease_deleted, bad=True),
    Story(name="restored from a backup", play=_restored_from_a_backup, bad=True),
)
"""Played only where a test asks for it."""
