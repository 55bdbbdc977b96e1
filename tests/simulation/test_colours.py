"""The simulator's Services, clients, queues and autoscalers: what a switch of colours moves, and when."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import pytest

from rollguard.model.action import Applied, Conflict, Rejected
from rollguard.model.names import Ref
from rollguard.sim.objects import SimDeployment
from rollguard.sim.scaling import SimAutoscaler
from rollguard.sim.services import SimService
from rollguard.sim.virtual_time import run
from rollguard.sim.world import World

pytestmark = pytest.mark.simulation

T = TypeVar("T")
RECEIPT = "/metadata/annotations/rollguard.dev~1step"


@dataclass(kw_only=True)
class Pair:
    """`backend` in blue and green behind its Service, blue live."""

    world: World
    blue: SimDeployment
    green: SimDeployment
    service: SimService


async def pair(green: int = 3) -> Pair:
    """Once all its pods are ready and its clients are connected."""
    world = World(5)
    blue, green_ = (
        world.deploy(
            f"backend-{colour}",
            f"r/backend:{tag}",
            replicas=replicas,
            rps=0.0,
            pod_labels=(("app", "backend"), ("version", colour)),
        )
        for colour, tag, replicas in (("blue", "v1", 3), ("green", "v2", green))
    )
    service = world.services.create("backend-service", {"app": "backend", "version": "blue"}, rps=30.0)
    await asyncio.sleep(20)
    return Pair(world=world, blue=blue, green=green_, service=service)


def played(story: Callable[[Pair], Awaitable[T]], **options: int) -> T:
    """What the story says of a pair."""

    async def main() -> T:
        return await story(await pair(**options))

    return run(main())


def answered(pair: Pair, deployment: SimDeployment) -> int:
    """Requests that its pods answered so far."""
    pair.world.settle()
    return pair.world.traffic.answered.get(deployment.name, 0)


def test_traffic_goes_to_the_pods_that_the_service_selects() -> None:
    async def story(pair: Pair) -> tuple[int, int]:
        before = answered(pair, pair.blue)
        await asyncio.sleep(100)
        return answered(pair, pair.blue) - before, answered(pair, pair.green)

    blue, green = played(story)
    assert 2950 <= blue <= 3050
    assert green == 0


def test_after_a_switch_connections_move_over_within_lag_and_keep_alive_and_none_is_lost() -> None:
    async def story(pair: Pair) -> tuple[float, float, int, float]:
        lost = pair.service.lost
        pair.world.services.select(pair.service, "version", "green")
        at_once = pair.service.share_of(pair.green.name)
        await asyncio.sleep(1.5)
        meanwhile = pair.service.share_of(pair.green.name)
        await asyncio.sleep(3.0)
        before = answered(pair, pair.blue)
        await asyncio.sleep(20.0)
        return at_once, meanwhile, answered(pair, pair.blue) - before, pair.service.lost - lost

    at_once, meanwhile, left, lost = played(story)
    assert at_once == 0.0
    assert 0.1 < meanwhile < 0.9
    assert (left, lost) == (0, 0.0)


def test_whatever_is_switched_and_crashes_each_connection_is_with_one_pod_or_with_none() -> None:
    async def story(pair: Pair) -> list[float]:
        rng = random.Random(1)
        wrong = []
        for turn in range(60):
            pair.world.services.select(pair.service, "version", rng.choice(("blue", "green")))
            await asyncio.sleep(rng.uniform(0.0, 2.0))
            for pod in rng.choice((pair.blue, pair.green)).pods() if turn % 3 == 0 else ():
                pair.world.kubelet.crash(pod, 1)
            await asyncio.sleep(rng.uniform(0.0, 4.0))
            shares = pair.service.shares.values()
            if min(shares, default=0.0) < 0.0 or sum(shares) > 1.0 + 1e-6:
                wrong.append(sum(shares))
            await asyncio.sleep(rng.choice((0.0, 5.0)))
        pair.world.services.select(pair.service, "version", "blue")
        await asyncio.sleep(6.0)
        return [*wrong, *(left for left in [pair.service.share_of(pair.green.name)] if left)]

    assert played(story) == []


def test_a_colour_that_goes_before_its_connections_have_moved_resets_them() -> None:
    async def story(pair: Pair) -> int:
        pair.world.services.select(pair.service, "version", "green")
        pair.world.scale(pair.blue, 0)
        await asyncio.sleep(10)
        return pair.service.reset.get(pair.blue.name, 0)

    assert played(story) > 0


def test_a_switch_to_a_colour_without_pods_loses_every_request() -> None:
    async def story(pair: Pair) -> float:
        pair.world.services.select(pair.service, "version", "green")
        await asyncio.sleep(10)
        pair.world.settle()
        lost = pair.service.lost
        await asyncio.sleep(10)
        pair.world.settle()
        return pair.service.lost - lost

    assert played(story, green=0) == pytest.approx(300)


def test_a_read_of_a_service_says_who_serves_and_who_is_a_stranger_until_the_slices_follow() -> None:
    async def story(pair: Pair) -> list[tuple[int, int]]:
        seen = []
        for colour in ("blue", "green"):
            pair.world.services.select(pair.service, "version", colour)
            found = pair.world.services.found(pair.service.ref)
            assert found is not None
            seen.append((found.serving, found.strangers))
        await asyncio.sleep(1)
        found = pair.world.services.found(pair.service.ref)
        assert found is not None
        return [*seen, (found.serving, found.strangers)]

    assert played(story) == [(3, 0), (0, 3), (3, 0)]


def _switch(pair: Pair, version: int, receipt: str = "p/1") -> str:
    return json.dumps(
        [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": str(version)},
            {"op": "test", "path": "/metadata/annotations", "value": None},
            {"op": "add", "path": "/metadata/annotations", "value": {"rollguard.dev/step": receipt}},
            {"op": "replace", "path": "/spec/selector/version", "value": "green"},
        ]
    )


def test_a_switch_on_an_old_version_is_a_conflict_and_admission_may_refuse_one() -> None:
    async def story(pair: Pair) -> list[type]:
        world, service = pair.world, pair.service

        def patch(text: str, *, dry_run: bool = False) -> type:
            return type(world.patch(service.ref, text, actor="guard", sent_at=0.0, dry_run=dry_run))

        outcomes = [patch(_switch(pair, service.version - 1))]
        world.services.refused[service.name] = "denied"
        outcomes.append(patch(_switch(pair, service.version)))
        world.services.refused.clear()
        outcomes.append(patch(_switch(pair, service.version), dry_run=True))
        assert service.selector["version"] == "blue"
        outcomes.append(patch(_switch(pair, service.version)))
        assert service.selector["version"] == "green"
        outcomes.append(patch(_switch(pair, service.version)))
        return outcomes

    assert played(story) == [Conflict, Rejected, Applied, Applied, Conflict]


def test_workers_of_both_colours_take_jobs_as_soon_as_they_run_and_a_queue_without_workers_grows() -> None:
    async def story(pair: Pair) -> tuple[int, int, float, float]:
        queue = pair.world.queues.create("dubbing", 6.0, (pair.blue, pair.green))
        pair.service.rps = 0.0
        await asyncio.sleep(10)
        blue, green = answered(pair, pair.blue), answered(pair, pair.green)
        await asyncio.sleep(100)
        shared = answered(pair, pair.blue) - blue, answered(pair, pair.green) - green
        pair.world.scale(pair.blue, 0)
        pair.world.scale(pair.green, 0)
        await asyncio.sleep(30)
        oldest = queue.oldest
        pair.world.scale(pair.green, 2)
        await asyncio.sleep(90)
        return *shared, oldest, queue.depth

    async def without_clients(pair: Pair) -> tuple[int, int, float, float]:
        pair.world.services.delete(pair.service)
        return await story(pair)

    blue, green, oldest, depth = played(without_clients)
    assert 290 <= blue <= 310 and 290 <= green <= 310
    assert 25 < oldest < 31
    assert depth < 6


async def scaled(pair: Pair, deployment: SimDeployment, *, owner: str = "") -> SimAutoscaler:
    """Between 2 and 6 pods of 10 requests per second each."""
    autoscaler = pair.world.scaling.create(deployment, 2, 6, per_pod=10.0, owner=owner)
    await asyncio.sleep(20)
    return autoscaler


def test_an_autoscaler_follows_the_load_between_its_bounds_and_goes_down_slowly() -> None:
    async def story(pair: Pair) -> list[int]:
        await scaled(pair, pair.green)
        idle = pair.green.replicas
        pair.world.services.select(pair.service, "version", "green")
        await asyncio.sleep(15)
        loaded = pair.green.replicas
        pair.world.services.select(pair.service, "version", "blue")
        await asyncio.sleep(9)
        soon = pair.green.replicas
        await asyncio.sleep(30)
        return [idle, loaded, soon, pair.green.replicas]

    assert played(story) == [2, 3, 3, 2]


def test_an_autoscaler_takes_a_plain_scale_back_unless_its_minimum_was_raised_and_is_off_at_0() -> None:
    async def story(pair: Pair) -> list[int]:
        autoscaler = await scaled(pair, pair.green)
        pair.world.scale(pair.green, 5)
        await asyncio.sleep(30)
        taken_back = pair.green.replicas
        pair.world.scaling.set_minimum(autoscaler, 5)
        await asyncio.sleep(10)
        raised = pair.green.replicas
        pair.world.scale(pair.green, 0)
        await asyncio.sleep(30)
        return [taken_back, raised, pair.green.replicas]

    assert played(story) == [2, 5, 0]


def test_a_tool_that_keeps_an_autoscaler_sets_a_raised_minimum_back() -> None:
    async def story(pair: Pair) -> list[int]:
        autoscaler = await scaled(pair, pair.green, owner="ScaledObject/backend")
        pair.world.scaling.set_minimum(autoscaler, 5, actor="guard")
        await asyncio.sleep(1)
        raised = autoscaler.minimum
        await asyncio.sleep(10)
        return [raised, autoscaler.minimum]

    assert played(story) == [5, 2]


def test_a_minimum_above_the_maximum_is_refused() -> None:
    async def story(pair: Pair) -> object:
        autoscaler = await scaled(pair, pair.green)
        patch = json.dumps([{"op": "replace", "path": "/spec/minReplicas", "value": 7}])
        return pair.world.patch(autoscaler.ref, patch, actor="guard", sent_at=0.0, dry_run=False)

    assert isinstance(played(story), Rejected)


def test_more_than_its_pods_can_answer_is_shed() -> None:
    async def story(pair: Pair) -> tuple[int, int]:
        pair.blue.capacity = 12.0
        await asyncio.sleep(30)
        pair.world.settle()
        enough = pair.world.traffic.shed.get(pair.blue.name, 0)
        pair.world.scale(pair.blue, 1)
        await asyncio.sleep(30)
        pair.world.settle()
        return enough, pair.world.traffic.shed[pair.blue.name]

    enough, shed = played(story)
    assert enough == 0
    assert shed > 300


def test_there_is_nothing_to_patch_where_there_is_no_service() -> None:
    async def story(pair: Pair) -> object:
        ref = Ref("Service", "production", "nothing")
        return pair.world.patch(ref, "[]", actor="guard", sent_at=0.0, dry_run=False)

    assert played(story) is None
