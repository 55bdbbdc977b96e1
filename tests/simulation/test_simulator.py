"""The simulator itself: virtual time, determinism, the Deployment controller's habits, counters and scrapes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from rollguard.model.metrics import Expression, MetricsAnswer, Question, Snapshot
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.time import Mono
from rollguard.ports import Accepted, NotConfigured, Refused, Retry
from rollguard.sim.behaviour import Behaviour, of_image
from rollguard.sim.channels import Down, Inbox, Outage, SimNotifier
from rollguard.sim.faults import Fault, FaultPlan
from rollguard.sim.json_patch import CannotApply, JsonObject, TestFailed, apply_patch
from rollguard.sim.lease import SimLeadership
from rollguard.sim.metrics import SimMetrics
from rollguard.sim.network import Lost, call
from rollguard.sim.objects import RECEIPT, at
from rollguard.sim.process import Process, VirtualClock
from rollguard.sim.virtual_time import Deadlock, run
from rollguard.sim.world import World

pytestmark = pytest.mark.simulation


def test_an_hour_passes_at_once_and_timers_ring_in_order() -> None:
    async def main() -> tuple[list[int], float]:
        rang: list[int] = []

        async def ring(number: int) -> None:
            await asyncio.sleep(3600.0 - number)
            rang.append(number)

        await asyncio.gather(*(ring(number) for number in range(4)))
        return rang, asyncio.get_running_loop().time()

    assert run(main()) == ([3, 2, 1, 0], 3600.0)


def test_waiting_for_nothing_is_an_error() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock):
        run(main())


def test_an_error_of_a_forgotten_task_is_not_lost() -> None:
    async def fails() -> None:
        raise ValueError("forgotten")

    async def main() -> None:
        task = asyncio.ensure_future(fails())
        del task
        await asyncio.sleep(1)

    with pytest.raises(ValueError, match="forgotten"):
        run(main())


def test_a_seed_plays_the_same_in_every_process() -> None:
    program = "from tests.simulation.harness import play\nlines = []\nplay(3, lines=lines)\nprint('\\n'.join(lines))\n"
    outputs = set()
    for hash_seed in ("0", "1", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": "."}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert b"rollout-opened" in outputs.pop()


def test_kubectl_rollout_undo_brings_the_old_revisions_annotations_back() -> None:
    async def main() -> tuple[str, str]:
        world = World(1)
        api = world.deploy("api", "r/api:v1")
        await asyncio.sleep(20)
        world.annotate(api, RECEIPT, "old-plan/1")
        world.scale(api, 4)
        await asyncio.sleep(5)
        world.set_image(api, "r/api:v2")
        world.annotate(api, RECEIPT, "new-plan/1")
        await asyncio.sleep(20)
        before = api.annotations[RECEIPT]
        assert world.undo_by_hand(api)
        return before, api.annotations[RECEIPT]

    assert run(main()) == ("new-plan/1", "old-plan/1")


def test_a_rolling_update_never_goes_below_its_replicas() -> None:
    async def main() -> int:
        world = World(2)
        api = world.deploy("api", "r/api:v1", replicas=4)
        await asyncio.sleep(20)
        world.set_image(api, "r/api:v2")
        least = 4
        for _ in range(300):
            await asyncio.sleep(0.1)
            least = min(least, sum(pod.ready and not pod.deleting for pod in api.pods()))
        assert {pod.image for pod in api.pods()} == {"r/api:v2"} and api.ready == 4
        return least

    assert run(main()) == 4


def test_old_revisions_are_pruned() -> None:
    async def main() -> list[int]:
        world = World(3)
        api = world.deploy("api", "r/api:v1")
        api.history_limit = 1
        for version in range(2, 5):
            await asyncio.sleep(20)
            world.set_image(api, f"r/api:v{version}")
        await asyncio.sleep(20)
        return [replica_set.number for replica_set in api.replica_sets]

    assert run(main()) == [3, 4]


def _question(world: World, *parts: str) -> Question:
    return Question(
        signal="any",
        instants=(at(world.loop.time()),),
        expressions=tuple(Expression(part=part, promql="x[60s]") for part in parts),
        namespace_label="namespace",
        pod_label="pod",
        workload_label="",
    )


async def _ask(world: World, *parts: str) -> MetricsAnswer:
    metrics = SimMetrics(world, Process("one"), FaultPlan.none())
    return (await metrics.ask(_question(world, *parts), deadline=Mono(1e9)))[0]


def test_errors_are_counted_as_often_as_the_tag_says() -> None:
    async def main() -> float:
        world = World(4)
        world.deploy("api", "r/api:v1-errors-15pct", rps=100)
        await asyncio.sleep(600)
        answer = await _ask(world, "bad", "total")
        assert isinstance(answer, Snapshot) and len(answer.readings) == 3
        bad = sum(reading.values[0][2] for reading in answer.readings)
        return bad / sum(reading.values[1][2] for reading in answer.readings)

    assert run(main()) == pytest.approx(0.15, abs=0.01)


def test_a_restart_is_a_counter_reset() -> None:
    async def main() -> tuple[int, int]:
        world = World(5)
        api = world.deploy("api", "r/api:v1", replicas=1)
        await asyncio.sleep(60)
        before = await _ask(world, "bad", "total", "resets")
        world.kubelet.crash(api.pods()[0], 1)
        await asyncio.sleep(31)
        after = await _ask(world, "bad", "total", "resets")
        assert isinstance(before, Snapshot) and isinstance(after, Snapshot)
        return before.readings[0].resets, after.readings[0].resets

    assert run(main()) == (0, 1)


def test_a_gone_pods_series_end() -> None:
    async def main() -> int:
        world = World(6)
        api = world.deploy("api", "r/api:v1", replicas=3)
        await asyncio.sleep(60)
        world.scale(api, 1)
        await asyncio.sleep(40)
        answer = await _ask(world, "bad", "total")
        assert isinstance(answer, Snapshot)
        return len(answer.readings)

    assert run(main()) == 1


def test_a_write_whose_answer_is_lost_has_taken_effect_now_or_later() -> None:
    async def main(fault: Fault) -> tuple[bool, list[float]]:
        process, done = Process("one"), list[float]()
        faults = FaultPlan(1, focus=("cluster.apply", fault, 0))
        loop = asyncio.get_running_loop()
        outcome = await call("cluster.apply", process, faults, 3.0, lambda: done.append(loop.time()))
        await asyncio.sleep(60)
        return isinstance(outcome, Lost), [round(moment) for moment in done]

    assert run(main(Fault.APPLIED_UNKNOWN)) == (True, [0])
    assert run(main(Fault.APPLIED_LATE)) == (True, [30])
    assert run(main(Fault.LOST)) == (True, [])


def test_a_killed_process_does_nothing_more() -> None:
    async def main() -> list[str]:
        process, done = Process("one"), list[str]()

        async def live() -> None:
            while True:
                await call("cluster.apply", process, FaultPlan.none(), 3.0, lambda: done.append("write"))
                await VirtualClock(process).sleep_until(VirtualClock(process).mono().plus(1.0))

        task: asyncio.Task[object] = asyncio.create_task(live())
        process.adopt(task)
        await asyncio.sleep(2.5)
        process.kill()
        await asyncio.sleep(10)
        return done

    assert len(run(main())) == 3


def test_a_partitioned_holder_stops_before_the_follower_starts() -> None:
    async def main() -> tuple[float, float]:
        world, first, second = World(7), Process("first"), Process("second", mono_offset=500.0)
        leaders = [SimLeadership(world.lease, p, FaultPlan.none(), world.random) for p in (first, second)]
        await leaders[0].renew(open_epochs=())
        first.partition(100.0)
        stopped = started = 0.0
        for _ in range(60):
            await asyncio.gather(*(leader.renew(open_epochs=()) for leader in leaders))
            await asyncio.sleep(0.5)
            now = world.loop.time()
            stopped = stopped or (now if leaders[0].left() <= 0 else 0.0)
            started = started or (now if leaders[1].left() > 0 else 0.0)
        return stopped, started

    stopped, started = run(main())
    assert 0 < stopped < started < 30


@pytest.mark.parametrize(
    ("how", "answer", "seconds"),
    [
        (Down.SILENT, Retry(after=1.0, detail="timeout"), 10.0),
        (Down.BUSY, Retry(after=40.0, detail="429 Too Many Requests"), 0.0),
        (Down.REFUSING, Refused(detail="403 Forbidden"), 0.0),
        (Down.UNCONFIGURED, NotConfigured(detail="no secret"), 0.0),
    ],
)
def test_a_channel_that_is_down_takes_nothing_until_it_is_back(
    how: Down, answer: Retry | Refused | NotConfigured, seconds: float
) -> None:
    async def main() -> None:
        inbox, loop = Inbox(), asyncio.get_running_loop()
        inbox.outages.append(Outage(start=0.0, end=5.0, how=how, after=40.0))
        channel = SimNotifier(inbox, Process("guard"), FaultPlan.none())
        notice = Notice(id="n-1", class_=NoticeClass.PAGE, topic="hold", title="t", text="x", at=at(0.0))
        assert await channel.send(notice, None, timeout=10.0) == answer
        assert int(loop.time()) == int(seconds)
        assert inbox.arrived == []
        await asyncio.sleep(6.0)
        assert isinstance(await channel.send(notice, None, timeout=10.0), Accepted)
        assert [tried.arrived is not None for tried in inbox.tries] == [False, True]

    run(main())


def test_json_patch_tests_before_it_writes() -> None:
    document: JsonObject = {"metadata": {"uid": "a"}, "spec": {"replicas": 1}}
    changed = apply_patch(
        document,
        [
            {"op": "test", "path": "/metadata/annotations", "value": None},
            {"op": "add", "path": "/metadata/annotations", "value": {"a/b": "c"}},
            {"op": "replace", "path": "/metadata/annotations/a~1b", "value": "d"},
        ],
    )
    assert changed["metadata"] == {"uid": "a", "annotations": {"a/b": "d"}}
    assert document["metadata"] == {"uid": "a"}
    with pytest.raises(TestFailed):
        apply_patch(document, [{"op": "test", "path": "/spec/replicas", "value": True}])
    with pytest.raises(CannotApply):
        apply_patch(document, [{"op": "add", "path": "/metadata/annotations/x", "value": "y"}])


def test_tags_name_behaviours_as_in_the_lab() -> None:
    assert of_image("r/api:v2-errors-15pct-after-60s") == Behaviour(error_ratio=0.15, errors_after=60.0)
    assert of_image("r/api:v2-slow-6000ms-30pct") == Behaviour(slow_ratio=0.3, slow_seconds=6.0)
    assert of_image("r/api:v2") == Behaviour()
    assert of_image("r/api:no-such-word").pull == "not-found"
