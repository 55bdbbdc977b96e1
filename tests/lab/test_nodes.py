"""The lab's nodes behave as kubelets do, so that what is tested on them means something."""

import asyncio
from typing import Any

import pytest

from lab import manifests, programs
from lab.world import Lab, deployment_path

pytestmark = pytest.mark.lab


async def pods(lab: Lab, namespace: str) -> list[Any]:
    return await lab.api.list(f"/api/v1/namespaces/{namespace}/pods")


def containers(found: list[Any]) -> list[Any]:
    """The status of each pod's only container, where it has one."""
    return [status for pod in found for status in pod["status"].get("containerStatuses") or ()]


async def until_containers(lab: Lab, namespace: str, what: str, count: int, condition: Any) -> list[Any]:
    """The statuses of `count` containers that meet the condition, once there are so many."""
    seen: list[Any] = []

    async def met() -> bool:
        seen[:] = [status for status in containers(await pods(lab, namespace)) if condition(status)]
        return len(seen) >= count

    await lab.until(met, what=what, timeout_s=60, seen=lambda: seen)
    return seen


async def events(lab: Lab, namespace: str, reason: str) -> list[str]:
    found = await lab.api.list(f"/api/v1/namespaces/{namespace}/events", fieldSelector=f"reason={reason}")
    return [event["message"] for event in found]


async def test_a_crash_loop_shows_restarts_their_exit_code_and_the_log_of_the_run_before(lab: Lab) -> None:
    namespace = await lab.namespace("nodes-crash")
    await lab.deploy(namespace, "translation", tag="v4-crash", replicas=1, rps=0)

    def looping(status: Any) -> bool:
        return bool(status["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff")

    (status,) = await until_containers(lab, namespace, "a crash loop", 1, looping)
    assert status["restartCount"] >= 1, "the first restart does not wait"
    assert status["lastState"]["terminated"]["exitCode"] == 1
    (pod,) = await pods(lab, namespace)
    assert pod["status"]["phase"] == "Running"
    async with lab.plane.client() as client:
        path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/log"
        log = (await client.get(path, params={"previous": "true"})).text
    assert "Traceback" in log


async def test_an_image_that_is_not_there_is_named_in_status_and_event(lab: Lab) -> None:
    namespace = await lab.namespace("nodes-pull")
    await lab.deploy(namespace, "translation", tag="v2-missing", replicas=2, rps=0)
    reasons = ("ErrImagePull", "ImagePullBackOff")
    statuses = await until_containers(
        lab, namespace, "failed pulls", 2, lambda status: status["state"].get("waiting", {}).get("reason") in reasons
    )
    assert all("not found" in status["state"]["waiting"]["message"] for status in statuses)
    assert {pod["status"]["phase"] for pod in await pods(lab, namespace)} == {"Pending"}
    assert {pod["spec"]["nodeName"] for pod in await pods(lab, namespace)} == set(lab.settings.nodes)

    async def told() -> bool:
        return any("manifest unknown" in message for message in await events(lab, namespace, "Failed"))

    await lab.until(told, what="the event of a failed pull", timeout_s=60)


async def test_a_pod_larger_than_any_node_stays_pending_with_the_reason(lab: Lab) -> None:
    namespace = await lab.namespace("nodes-large")
    workload = manifests.deployment("translation", tag="v1", replicas=1)
    workload["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1000"}}
    await lab.api.create(f"/apis/apps/v1/namespaces/{namespace}/deployments", workload)
    conditions: list[Any] = []

    async def refused() -> bool:
        conditions[:] = [each for pod in await pods(lab, namespace) for each in pod["status"].get("conditions") or ()]
        return any(each.get("reason") == "Unschedulable" for each in conditions)

    await lab.until(refused, what="an unschedulable pod", timeout_s=60, seen=lambda: conditions)
    assert conditions[0]["message"] == "0/2 nodes are available: 2 Insufficient cpu."


async def test_a_rolling_update_loses_no_request(lab: Lab) -> None:
    namespace = await lab.namespace("nodes-drain")
    await lab.deploy(namespace, "translation", tag="v1-noerrors", replicas=3, rps=60, grace_s=5)
    await lab.until_rolled_out(namespace, "translation")
    old = {pod["status"]["podIP"] for pod in await pods(lab, namespace)}
    await lab.release(namespace, "translation", "v2-noerrors")
    await lab.until_rolled_out(namespace, "translation")

    async def old_gone() -> bool:
        return not old & {pod["status"].get("podIP") for pod in await pods(lab, namespace)}

    await lab.until(old_gone, what="the end of the old pods", timeout_s=60)
    found = await lab.end_traffic(namespace, "translation")
    assert old < set(found["pods"]), "both versions served"
    assert (found["connection_failures"], found["resets"], found["errors_5xx"]) == (0, 0, 0)


async def test_an_app_that_does_not_drain_loses_requests(lab: Lab) -> None:
    namespace = await lab.namespace("nodes-nodrain")
    await lab.deploy(namespace, "translation", tag="v1-noerrors-nodrain", replicas=2, rps=200)
    await lab.until_rolled_out(namespace, "translation")
    await lab.release(namespace, "translation", "v2-noerrors")
    await lab.until_rolled_out(namespace, "translation")

    async def lost() -> bool:
        found = await lab.traffic_stats(namespace, "translation")
        return bool(found["connection_failures"] + found["resets"] > 0)

    await lab.until(lost, what="lost requests", timeout_s=60)
    await lab.end_traffic(namespace, "translation")


async def test_a_bad_backend_makes_its_frontend_fail(lab: Lab) -> None:
    namespace = await lab.namespace("nodes-callee")
    await lab.deploy(namespace, "backend", tag="v1-noerrors", rps=0)
    workload = manifests.deployment("frontend", tag="v1-noerrors")
    workload["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "BACKEND", "value": "backend"}]
    await lab.api.create(f"/api/v1/namespaces/{namespace}/services", manifests.service("frontend"))
    await lab.api.create(f"/apis/apps/v1/namespaces/{namespace}/deployments", workload)
    await lab.until_rolled_out(namespace, "backend")
    await lab.until_rolled_out(namespace, "frontend")
    await lab.traffic(namespace, "frontend", 40)
    await lab.release(namespace, "backend", "v2-errors-100pct")
    await lab.until_rolled_out(namespace, "backend")

    async def failing() -> bool:
        return bool((await lab.traffic_stats(namespace, "frontend"))["statuses"].get("502", 0) >= 20)

    await lab.until(failing, what="errors of the frontend", timeout_s=60)
    await lab.end_traffic(namespace, "frontend")


async def test_a_node_in_trouble_restarts_what_runs_on_it_and_nothing_else(lab: Lab) -> None:
    namespace = await lab.namespace("nodes-trouble")
    await lab.deploy(namespace, "translation", replicas=4, rps=0)
    await lab.until_rolled_out(namespace, "translation")
    await lab.restart_containers(namespace, "node-a")
    await until_containers(lab, namespace, "two restarts", 2, lambda status: status["restartCount"] == 1)
    for pod in await pods(lab, namespace):
        (status,) = pod["status"]["containerStatuses"]
        assert status["restartCount"] == (1 if pod["spec"]["nodeName"] == "node-a" else 0)
        if status["restartCount"]:
            assert status["lastState"]["terminated"]["exitCode"] != 0


async def test_the_real_autoscaler_scales_by_the_apps_usage(lab: Lab) -> None:
    namespace = await lab.namespace("nodes-scale")
    await lab.deploy(namespace, "translation", replicas=2, rps=0)
    await lab.until_rolled_out(namespace, "translation")
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "translation"}
    usage = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}
    autoscaler = {
        "metadata": {"name": "translation"},
        "spec": {
            "minReplicas": 2,
            "maxReplicas": 5,
            "scaleTargetRef": target,
            "metrics": [{"type": "Resource", "resource": usage}],
        },
    }
    await lab.api.create(f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers", autoscaler)
    await lab.disturb(namespace, cpu_cores=0.3)

    async def scaled() -> bool:
        return bool((await lab.api.get(deployment_path(namespace, "translation")))["spec"]["replicas"] == 5)

    await lab.until(scaled, what="five replicas by the autoscaler", timeout_s=60)
    await lab.calm(namespace)


async def test_everything_that_the_lab_exposes_passes_promtool(lab: Lab) -> None:
    namespace = await lab.namespace("nodes-exposition")
    await lab.deploy(namespace, "translation", replicas=2, rps=50)
    await lab.until_rolled_out(namespace, "translation")
    pod = (await pods(lab, namespace))[0]
    app = f"http://{pod['status']['podIP'].replace('10.', '127.', 1)}:{manifests.PORT}"

    async def served() -> bool:
        return "http_requests_total{" in (await lab.http.get(f"{app}/metrics")).text

    await lab.until(served, what="counted requests", timeout_s=60)
    parts = (f"{lab.parts[name].url}/metrics" for name in ("exporter", "loadgen"))
    nodes = (f"{lab.parts[name].url}/metrics/cadvisor" for name in lab.settings.nodes)
    databases = f"{lab.parts['exporter'].url}/metrics/database"
    for url in (f"{app}/metrics", *parts, *nodes, databases):
        body = (await lab.http.get(url)).content
        check = await asyncio.create_subprocess_exec(
            programs.require(["promtool"])["promtool"],
            "check",
            "metrics",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await check.communicate(body)
        assert body, url
        assert (check.returncode, output.decode()) == (0, ""), url
    await lab.end_traffic(namespace, "translation")
