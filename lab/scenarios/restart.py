"""`kubectl rollout restart`, and errors afterwards: the old pods ran the same, so it is held and paged, not undone."""

from lab.scenarios.stage import Stage

NAME = "translation"
RESTARTED = "kubectl.kubernetes.io/restartedAt"


async def play(stage: Stage) -> None:
    """A restart is a rollout that differs in an annotation only."""
    await stage.guarded(NAME)
    await stage.kubectl("rollout", "restart", f"deployment/{NAME}")
    await stage.lab.until_rolled_out(stage.namespace, NAME)
    stage.tell("all pods are new; now they begin to fail")
    await stage.lab.disturb(stage.namespace, error_ratio=0.4)
    rollout = await stage.expect_held(NAME, "v1")
    stage.expect("annotations only" in rollout["why"], f"the reason: {rollout['why']}")
    template = (await stage.lab.deployment(stage.namespace, NAME))["spec"]["template"]
    stage.expect(RESTARTED in template["metadata"]["annotations"], "the restart was not undone")
