"""A migration that blue has served on does not keep the set from going back; one that breaks blue holds it."""

from typing import Any

from lab.platform import KEY, Platform, Shape
from lab.scenarios import sets
from lab.scenarios.stage import Stage

POLICY: dict[str, Any] = {"migration": {"pattern": "prisma-migrate-*"}}
PROVEN_BY = 8 * sets.RPS
"""Requests: those of a whole window."""


async def play(stage: Stage) -> None:
    """Before each switch the Job runs, while blue serves."""
    platform = await sets.guarded(stage, Shape(members=("backend",), grace_s=2), **POLICY)
    await stage.migrate("prisma-migrate-1")
    await stage.until_served(platform, "blue", requests=PROVEN_BY)
    await _switch_to_bad(stage, platform, "v2-noerrors")
    await sets.until_back(stage, platform)

    await stage.lab.calm(stage.namespace)
    await platform.scale("backend-green", 2)
    await stage.migrate("prisma-migrate-2")
    await stage.lab.disturb(stage.namespace, error_ratio=0.35, selector={KEY: "blue"})
    await stage.until_served(platform, "blue", requests=PROVEN_BY)
    await _switch_to_bad(stage, platform, "v3-noerrors")
    await sets.expect_held(stage, platform, "the migration Job prisma-migrate-", "serve healthily", nth=2)


async def _switch_to_bad(stage: Stage, platform: Platform, tag: str) -> None:
    await platform.release(tag)
    await platform.switch("green")
    await sets.break_green(stage, platform)
