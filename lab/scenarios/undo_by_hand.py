"""A crashing image is released and the old template put back by one patch: what the controller does, by hand."""

from lab.api import JSON_PATCH
from lab.scenarios.stage import Stage
from lab.world import deployment_path

NAME = "speech-to-text"


async def play(stage: Stage) -> None:
    """Good image, bad image, undo; the old ReplicaSet must be the one that runs again."""
    lab, namespace = stage.lab, stage.namespace
    await lab.namespace(namespace)
    await lab.deploy(namespace, NAME, tag="v1")
    await lab.until_rolled_out(namespace, NAME)
    good = await lab.deployment(namespace, NAME)
    stage.tell("v1 runs; releasing a version that crashes")
    await lab.release(namespace, NAME, "v2-crash")
    pods = f"/api/v1/namespaces/{namespace}/pods"

    async def crashed_twice() -> bool:
        statuses = [
            status
            for pod in await lab.api.list(pods)
            for status in pod["status"].get("containerStatuses", ())
            if status["image"].endswith("v2-crash")
        ]
        return any(status["restartCount"] >= 2 for status in statuses)

    await lab.until(crashed_twice, what="the second restart")
    stage.tell("two restarts of the new version; putting the old template back")
    bad = await lab.deployment(namespace, NAME)
    patch = [
        {"op": "test", "path": "/metadata/uid", "value": bad["metadata"]["uid"]},
        {"op": "test", "path": "/spec/template", "value": bad["spec"]["template"]},
        {"op": "replace", "path": "/spec/template", "value": good["spec"]["template"]},
        {"op": "add", "path": "/metadata/annotations/rollguard.dev~1step", "value": "by-hand/1"},
    ]
    await lab.api.patch(deployment_path(namespace, NAME), patch, JSON_PATCH)
    await lab.until_rolled_out(namespace, NAME)
    sets = await lab.api.list(f"/apis/apps/v1/namespaces/{namespace}/replicasets")
    running = [item for item in sets if item["spec"]["replicas"]]
    stage.expect(len(sets) == 2 and len(running) == 1, "two ReplicaSets, one of them with replicas")
    images = [item["spec"]["template"]["spec"]["containers"][0]["image"] for item in running]
    stage.expect(images[0].endswith(":v1"), "the old version runs again, from its own ReplicaSet")
