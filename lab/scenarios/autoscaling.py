"""The autoscaler scales up in the middle of a good rollout: no rollout of its own, nothing undone."""

from lab import policies
from lab.scenarios.stage import Stage
from lab.world import deployment_path

NAME = "text-to-speech"
AUTOMATIC_S = 16


async def play(stage: Stage) -> None:
    """The real HorizontalPodAutoscaler; the load that makes it act is real too."""
    lab = stage.lab
    await stage.guarded(NAME, replicas=2, rps=16, window=policies.window(AUTOMATIC_S))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME}
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": NAME},
        "spec": {
            "scaleTargetRef": target,
            "minReplicas": 2,
            "maxReplicas": 4,
            "metrics": [{"type": "Resource", "resource": cpu}],
        },
    }
    await lab.api.create(f"/apis/autoscaling/v2/namespaces/{stage.namespace}/horizontalpodautoscalers", autoscaler)
    await stage.release(NAME, "v2-noerrors")
    await stage.until_rollout(NAME)
    await lab.traffic(stage.namespace, NAME, 80)

    async def scaled() -> bool:
        deployment = await lab.api.get(deployment_path(stage.namespace, NAME))
        return int(deployment["spec"]["replicas"]) > 2

    await stage.until(scaled, what="the autoscaler's decision")
    stage.expect_equal((await stage.rollouts(NAME))[0]["state"], "watching", "the rollout when it was scaled")

    async def automatic_part_over() -> bool:
        return bool((await stage.rollouts(NAME))[0]["phase"] == "steady")

    await stage.until(automatic_part_over, what="the end of the automatic part")
    (rollout,) = await stage.rollouts(NAME)
    stage.expect_equal(rollout["state"], "watching", "the only rollout")
    stage.expect(rollout["verdict"] in ("healthy", "undecided"), f"its verdict: {rollout['verdict']}")
    stage.expect("plan" not in rollout, "no plan was made")
    deployment = await lab.deployment(stage.namespace, NAME)
    stage.expect(deployment["spec"]["replicas"] > 2, "the autoscaler's replicas are left alone")
    await stage.expect_running(NAME, "v2-noerrors")
