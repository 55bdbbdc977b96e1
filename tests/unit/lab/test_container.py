"""Containers go through the states that a kubelet reports."""

import asyncio
from typing import Any

from lab.kubelet.addresses import loopback
from lab.kubelet.chaos import Chaos, Rule
from lab.kubelet.pull import PULL_FAILURES
from tests.unit.lab.parts import container, runtime, until


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_crash_loop_counts_restarts_and_keeps_the_last_exit() -> None:
    made, shown = container(runtime(), "backend:crash-after-0.02s")
    task = asyncio.create_task(made.run(None))
    await until(lambda: made.restart_count >= 3)
    await cancelled(task)
    waiting = [status for status in shown if status["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"]
    assert [status["restartCount"] for status in waiting[:2]] == [1, 2], "the first restart does not wait"
    assert all(status["lastState"]["terminated"]["exitCode"] == 1 for status in waiting)
    assert not any(status["ready"] for status in waiting)


async def test_an_end_is_shown_with_the_count_of_the_run_that_ended() -> None:
    made, _ = container(runtime(), "backend:crash-after-0.02s")
    counts: dict[str, set[int]] = {}

    def looked_until_the_second_restart() -> bool:
        status = made.status()
        if "terminated" in status["state"]:
            counts.setdefault(status["state"]["terminated"]["containerID"], set()).add(status["restartCount"])
        return made.restart_count >= 2

    task = asyncio.create_task(made.run(None))
    await until(looked_until_the_second_restart)
    await cancelled(task)
    assert next(iter(counts.values())) == {0}


async def test_a_missing_image_alternates_its_two_reasons_and_names_the_cause() -> None:
    made, shown = container(runtime(), "registry.lab/backend:nopull")
    task = asyncio.create_task(made.run(None))
    await until(lambda: len(shown) >= 4)
    await cancelled(task)
    reasons = [status["state"]["waiting"]["reason"] for status in shown[:4]]
    assert reasons == ["ErrImagePull", "ImagePullBackOff", "ErrImagePull", "ImagePullBackOff"]
    assert all("not found" in status["state"]["waiting"]["message"] for status in shown[:4])
    assert made.restart_count == 0


async def test_a_registry_that_refuses_stops_new_pulls_and_not_images_that_are_there() -> None:
    chaos = Chaos()
    on = runtime(chaos=chaos)
    known, _ = container(on, "backend:v1")
    task = asyncio.create_task(known.run(None))
    await until(lambda: known.ready)
    chaos.add(Rule(pull="unauthorized"))
    again, _ = container(on, "backend:v1")
    fresh, shown = container(on, "backend:v2")
    tasks = [task, asyncio.create_task(again.run(None)), asyncio.create_task(fresh.run(None))]
    await until(lambda: again.ready and bool(shown))
    for each in tasks:
        await cancelled(each)
    assert "401 Unauthorized" in shown[0]["state"]["waiting"]["message"]


async def test_other_content_under_the_same_tag_has_another_image_id() -> None:
    chaos = Chaos()
    ids = set()
    for _ in range(2):
        made, _shown = container(runtime(chaos=chaos), "registry.lab:5000/backend:v1")
        task = asyncio.create_task(made.run(None))
        await until(lambda made=made: made.ready)  # type: ignore[misc]
        ids.add(made.status()["imageID"])
        await cancelled(task)
        chaos.add(Rule(image="registry.lab:5000/backend:v1", retag="pushed again"))
    assert len(ids) == 2
    assert all(each.startswith("registry.lab:5000/backend@sha256:") for each in ids)


async def test_readiness_comes_from_the_real_probe() -> None:
    on = runtime()
    ip = on.addresses.take()
    spec: dict[str, Any] = {
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {
            "httpGet": {"path": "/health", "port": "http"},
            "periodSeconds": 0.02,
            "failureThreshold": 1,
        },
    }
    made, shown = container(on, "backend:v1", **spec)
    task = asyncio.create_task(made.run((loopback(ip), 8080)))
    await until(lambda: made.ready)
    assert [status["ready"] for status in shown] == [False, True], "running first, ready later"
    assert made.app is not None
    made.app.ready = False
    await until(lambda: not made.ready)
    await cancelled(task)
    on.addresses.release(ip)


async def test_an_app_that_never_becomes_ready_stays_unready() -> None:
    made, _ = container(runtime(), "backend:noready")
    task = asyncio.create_task(made.run(None))
    await until(lambda: made.started)
    await asyncio.sleep(0.5)
    assert not made.ready
    await cancelled(task)


async def test_memory_past_its_limit_ends_the_container() -> None:
    made, shown = container(
        runtime(), "backend:leak-900000mib", resources={"limits": {"memory": "64Mi"}}, policy="Always"
    )
    task = asyncio.create_task(made.run(None))
    await until(lambda: made.restart_count >= 1)
    await cancelled(task)
    exits = [status["state"]["terminated"] for status in shown if "terminated" in status["state"]]
    assert (exits[0]["reason"], exits[0]["exitCode"]) == ("OOMKilled", 137)


async def test_a_job_completes_or_fails_by_its_image() -> None:
    good, _ = container(runtime(), "migrate:1", policy="Never", env=[{"name": "LAB_JOB_SECONDS", "value": "0.02"}])
    await good.run(None)
    assert good.succeeded
    bad, _ = container(runtime(), "migrate:crash-after-0.02s", policy="Never")
    await bad.run(None)
    assert bad.finished
    assert not bad.succeeded


async def test_a_restart_takes_a_fresh_log_and_keeps_the_previous_one() -> None:
    made, _ = container(runtime(), "backend:v1")
    task = asyncio.create_task(made.run(None))
    await until(lambda: made.ready)
    assert made.log_of(previous=True) is None
    made.kill(137)
    await until(lambda: made.restart_count == 1 and made.ready)
    previous = made.log_of(previous=True)
    assert previous is not None
    assert previous is not made.log_of(previous=False)
    assert b"Authorization: Bearer" in previous.read({}, 0.0)
    assert previous.read({"tailLines": "1"}, 0.0).count(b"\n") == 1
    await cancelled(task)


async def test_after_a_stop_nothing_is_started_again() -> None:
    made, shown = container(runtime(), "backend:v1")
    task = asyncio.create_task(made.run(None))
    await until(lambda: made.ready)
    await made.stop(1.0)
    await asyncio.wait_for(task, 5.0)
    assert shown[-1]["state"]["terminated"]["exitCode"] == 0
    assert made.finished


async def test_what_ends_by_itself_while_it_is_stopped_needs_no_drain() -> None:
    made, shown = container(runtime(), "backend:v1")
    task = asyncio.create_task(made.run((loopback("10.244.240.9"), 8080)))
    await until(lambda: made.ready)
    stopping = asyncio.create_task(made.stop(1.0))
    await asyncio.sleep(0)
    made.kill(255)
    await asyncio.wait_for(asyncio.gather(stopping, task), 5.0)
    assert shown[-1]["state"]["terminated"]["exitCode"] == 255


async def test_a_node_that_comes_back_has_restarted_what_ran() -> None:
    made, _ = container(runtime(), "backend:v1")
    made.resume({"restartCount": 2, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}})
    assert made.restart_count == 3
    assert made.last_state["terminated"]["exitCode"] == 255


def test_every_pull_failure_says_which_image() -> None:
    assert all("IMAGE" in message for _, message in PULL_FAILURES.values())
