"""Labels, annotations and replicas of a Deployment change: none of it is a rollout; the next release is the first."""

from lab.scenarios.stage import Stage

NAME = "translation"


async def play(stage: Stage) -> None:
    """The release at the end shows that the guard was watching."""
    await stage.guarded(NAME)
    before = (await stage.lab.deployment(stage.namespace, NAME))["metadata"]["resourceVersion"]
    await stage.kubectl("label", "deployment", NAME, "team=voice")
    await stage.kubectl("annotate", "deployment", NAME, "example.com/ticket=1234")
    await stage.kubectl("scale", "deployment", NAME, "--replicas=4")
    await stage.lab.until_rolled_out(stage.namespace, NAME)
    after = (await stage.lab.deployment(stage.namespace, NAME))["metadata"]
    stage.expect(
        after["resourceVersion"] != before and after["labels"]["team"] == "voice", "the Deployment has changed"
    )
    await stage.release(NAME, "v2-noerrors")
    rollout = await stage.until_rollout(NAME)
    stage.expect_equal((rollout["baselineNumber"], rollout["targetNumber"]), (1, 2), "revisions of the first rollout")
    stage.expect_equal(len(await stage.rollouts(NAME)), 1, "rollouts")
    await stage.expect_running(NAME, "v2-noerrors")
    deployment = await stage.lab.deployment(stage.namespace, NAME)
    stage.expect_equal(deployment["spec"]["replicas"], 4, "replicas")
    stage.expect_equal(deployment["metadata"]["labels"]["team"], "voice", "the label")
