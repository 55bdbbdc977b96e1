"""A person switches a set by `rollguard switch`: refused until green can serve, then guarded from its first second."""

from __future__ import annotations

import asyncio
from typing import Any

from lab.platform import Platform, Shape
from lab.scenarios import sets
from lab.scenarios.judged_healthy import AUTOMATIC_S, PATIENT
from lab.scenarios.stage import Stage

MEMBERS = ("backend", "frontend")
GOOD = "v2-noerrors"
GUARDED: dict[str, Any] = {**PATIENT, "joinWindow": f"{AUTOMATIC_S}s"}


async def play(stage: Stage) -> None:
    """Refused with the reasons, checked without a change, done; a pipeline waits for the verdict."""
    platform = await sets.guarded(stage, Shape(members=MEMBERS, grace_s=2), **GUARDED)
    place = (stage.namespace, sets.SET)
    untouched = await _versions(platform)
    await platform.set_image("backend-green", "v2-crash")
    await platform.release(GOOD, members=["frontend"])
    await platform.scale("frontend-green", 1)
    await platform.until_ready("frontend-green")
    said = await stage.rollguard("switch", *place, "--to", "green", code=1)
    stage.expect("nothing was switched" in said, "a green that cannot serve is refused")
    stage.expect("backend: backend-green is not complete: " in said, "the backend's green is not complete")
    stage.expect("frontend-green has 1 ready pods, 2 serve now: scale it up first" in said, "the frontend's too small")
    await platform.scale("frontend-green", 2)
    await platform.release(GOOD)
    said = await stage.rollguard("switch", *place, "--to", "green", "--dry-run")
    stage.expect("green can serve; nothing was changed (backend-service, frontend-service)" in said, said.strip())
    stage.expect_equal(await _versions(platform), untouched, "the Services' versions, refused and tried")
    stage.expect_equal(await stage.rollouts(sets.SET), [], "rollouts of the set")
    await _switch(stage, platform, place)


async def _switch(stage: Stage, platform: Platform, place: tuple[str, str]) -> None:
    before = await sets.counts(platform)
    said = await stage.rollguard("switch", *place, "--to", "green")
    (rollout,) = await stage.rollouts(sets.SET)
    stage.expect(f"green serves; under guard as {rollout['name']}" in said, said.strip())
    stage.expect_equal(await platform.lives(), dict.fromkeys(MEMBERS, "green"), "the live colours")
    waiting = asyncio.create_task(stage.rollguard("wait", *place, "--timeout", "100s"))
    guarded = [passage["member"] for passage in rollout["passages"]]
    stage.expect_equal(guarded, list(MEMBERS), "who is guarded from the first second")
    again = await stage.rollguard("switch", *place, "--to", "green")
    stage.expect("every Service selects green already" in again, "a second switch has nothing to do")
    stage.expect("green is healthy" in await waiting, "the pipeline is told that green is healthy")
    for member in MEMBERS:
        served, left = (await sets.counts(platform))[member]["green"], before[member]["green"]
        stage.expect_equal(served.since(left).failed, 0, f"failed requests to green {member}")
    stage.expect_equal(await platform.lives(), dict.fromkeys(MEMBERS, "green"), "the live colours")


async def _versions(platform: Platform) -> dict[str, str]:
    """What the API server counts up with every write of a Service."""
    paths = {name: platform.path("api/v1", "services", name) for name in platform.services.values()}
    return {name: (await platform.lab.api.get(path))["metadata"]["resourceVersion"] for name, path in paths.items()}
