"""The database fails over just after a release: all workloads suffer, so it is held and paged, not undone."""

from lab.scenarios.stage import Stage

NAME = "translation"
OTHERS = ("speech-to-text", "lip-sync")


async def play(stage: Stage) -> None:
    """The release has replaced all its old pods: only the unchanged workloads tell that it is an outage."""
    await stage.guarded(NAME, *OTHERS, replicas=2, rps=20)
    await stage.release(NAME, "v2-noerrors")
    await stage.lab.until_rolled_out(stage.namespace, NAME)
    stage.tell("the database fails over: half of all requests fail, everywhere")
    await stage.lab.disturb(stage.namespace, database_down=True, error_ratio=0.5)
    rollout = await stage.expect_held(NAME, "v2-noerrors")
    stage.expect("unchanged workloads" in rollout["why"], f"the reason: {rollout['why']}")
    for name in OTHERS:
        stage.expect_equal(await stage.rollouts(name), [], f"rollouts of {name}")
        stage.expect_equal(await stage.tag(name), "v1", f"the version of {name}")
