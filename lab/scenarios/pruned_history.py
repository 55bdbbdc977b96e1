"""No old ReplicaSet is kept (revisionHistoryLimit 0): the guard goes back by the template that it saved."""

from lab.api import MERGE
from lab.scenarios.stage import Stage
from lab.scenarios.words import tag_of
from lab.world import deployment_path

NAME = "lip-sync"
GOOD = "v1-noerrors"


async def play(stage: Stage) -> None:
    """The bad version replaces the old one wholly before it is judged."""
    await stage.guarded(NAME, tag=GOOD, rps=40)
    limit = {"spec": {"revisionHistoryLimit": 0}}
    await stage.lab.api.patch(deployment_path(stage.namespace, NAME), limit, MERGE)
    await stage.release(NAME, "v2-errors-40pct")

    async def pruned() -> bool:
        return [tag_of(item["spec"]["template"]) for item in await stage.replica_sets(NAME)] == ["v2-errors-40pct"]

    await stage.until(pruned, what="the end of the old ReplicaSet")
    stage.tell("the old ReplicaSet is gone")
    stage.expect_equal(await stage.tag(NAME), "v2-errors-40pct", "the bad version is not undone yet")
    rollout = await stage.until_undone(NAME, tag=GOOD)
    saved = (await stage.unit(NAME))["status"]["adopted"]["saved"]
    kept = await stage.lab.api.get(f"/apis/apps/v1/namespaces/{stage.namespace}/controllerrevisions/{saved}")
    stage.expect_equal(tag_of(kept["data"]), GOOD, "the version of the saved template")
    stage.expect_equal(rollout["plan"]["target"]["number"], 1, "the revision gone back to")
