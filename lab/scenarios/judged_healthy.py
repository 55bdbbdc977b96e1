"""A release passes as healthy, then a bad one is undone to it, and not to the older adopted version."""

from typing import Any

from lab import policies
from lab.scenarios import words
from lab.scenarios.stage import Stage

NAME = "translation"
AUTOMATIC_S = 32
PATIENT: dict[str, Any] = {"window": policies.window(AUTOMATIC_S), "timing": policies.timing(slot_s=8)}
"""A release is healthy only if nineteen of twenty slots are complete: of these four, all."""


async def play(stage: Stage) -> None:
    """Three versions: adopted, judged healthy, bad."""
    await stage.guarded(NAME, **PATIENT)
    await stage.release(NAME, "v2-noerrors")
    await until_healthy(stage, NAME, "v2-noerrors")
    await stage.release(NAME, "v3-crash")
    rollout = await stage.until_undone(NAME, nth=2, tag="v2-noerrors")
    stage.expect(rollout["plan"]["target"]["judged"], "the version gone back to was judged healthy")
    stage.expect_equal(len(await stage.replica_sets(NAME)), 3, "ReplicaSets, that of the adopted version among them")


async def until_healthy(stage: Stage, name: str, tag: str) -> None:
    """Returns when the guard has judged the version healthy, and so made it a valid target."""

    whole: list[str] = []

    async def judged() -> bool:
        whole[:] = [words.of_rollout(each) for each in await stage.rollouts(name)]
        unit = await stage.unit(name)
        images = [image["value"] for good in unit["status"].get("healthy", ()) for image in good["images"]]
        return any(image.endswith(f":{tag}") for image in images)

    await stage.until(judged, what=f"the verdict healthy on {name}:{tag}", seen=lambda: whole)
    stage.tell(f"{name}:{tag} is judged healthy")
