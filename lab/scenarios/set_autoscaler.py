"""Blue idles at its autoscaler's minimum while green serves on more: blue has the capacity before it serves again."""

from lab.platform import Platform, Shape
from lab.scenarios import sets
from lab.scenarios.stage import Stage

MINIMUM = 2
GROWN = 4
SHAPE = Shape(
    members=("backend",),
    autoscaled=("backend",),
    minimum=MINIMUM,
    grace_s=2,
    env={"LAB_CPU_PER_REQUEST": "0.008"},
)
"""A pod asks for 0.25 cores: at 12 requests a second it is within its 70%, at 24 past them."""


async def play(stage: Stage) -> None:
    """The real HorizontalPodAutoscaler: it would take a plain scaling of the idle blue back within a second."""
    platform = await sets.guarded(stage, SHAPE, rps=20)
    await platform.release("v2-noerrors")
    await platform.switch("green")
    await until_grown(stage, platform)
    before = await sets.counts(platform)
    async with sets.watching(platform, "backend") as seen:
        await sets.break_green(stage, platform)
        rollout = await sets.until_back(stage, platform)
        await sets.expect_unhurt(stage, platform, before, rollout, requests=500)
        stage.expect_equal(await platform.minimum("backend-blue"), MINIMUM, "blue's minReplicas afterwards")
    back = [version for version, colour in seen.selected if colour == "blue"]
    stage.expect_equal(len(back), 1, "switches to blue")
    ready = seen.ready_at(back[0], "blue")
    stage.expect(ready >= GROWN, f"blue had {ready} ready pods when it was switched to")
    stage.expect_equal(seen.minimum[0], MINIMUM, "blue's minReplicas before")
    stage.expect(max(seen.minimum) >= GROWN, f"in between it was {max(seen.minimum)}")
    kinds = list(dict.fromkeys(step["kind"] for step in rollout["plan"]["steps"]))
    wanted = ["raise-minimum", "scale-up", "switch", "scale-down", "restore-minimum"]
    stage.expect_equal(kinds, wanted, "kinds of steps, all of one before the next")


async def until_grown(stage: Stage, platform: Platform) -> None:
    """More load comes, and green's autoscaler answers it; blue stays at its minimum."""
    await platform.traffic(90, streams=2, stream_s=sets.STREAM_S)
    ready = [0]

    async def grown() -> bool:
        ready[0] = await platform.ready("backend-green")
        return ready[0] >= GROWN

    await stage.until(grown, what=f"{GROWN} pods of green", seen=lambda: ready)
    stage.expect_equal(await platform.replicas("backend-blue"), MINIMUM, "pods of blue, idle")
