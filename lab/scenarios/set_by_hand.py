"""A set is switched and back by hand: traffic moves with the selector; without a drain connections are broken."""

from __future__ import annotations

import asyncio

from lab.platform import MEMBERS, QUEUE, SERVICES, Platform, Reached, Shape
from lab.scenarios.stage import GUARD_S, Stage

MOVED_WITHIN_S = 3.0
"""After the change of the slices: the clients' lag, and a second of connections that stay."""
RPS = 60
STREAMS = 8
STREAM_S = 25.0
"""Half of it, the shortest stream, is far longer than the pods' grace and all that comes before."""


async def play(stage: Stage) -> None:
    """No guard: what the stories of guarded sets rely on."""
    platform = await Platform.deploy(stage.lab, stage.namespace, Shape(grace_s=3))
    await platform.traffic(RPS, streams=STREAMS, stream_s=STREAM_S)
    await stage.until_served(platform, "blue", requests=100)
    await platform.release("v2-noerrors")
    await _switch_with_drain(stage, platform, "green", "blue")
    await _jobs_go_on(stage)
    await _open_streams_anew(platform)
    await _switch_without_drain(stage, platform, "blue", "green")


async def _switch_with_drain(stage: Stage, platform: Platform, to: str, old: str) -> None:
    before = {member: await platform.reached(member, old) for member in SERVICES}
    began = await platform.switch(to)
    moved_at = {member: await platform.until_moved(member, to) for member in SERVICES}
    stage.expect_equal(await platform.lives(), dict.fromkeys(MEMBERS, to), "the live colour of each member")
    await stage.until_served(platform, to, requests=400)
    for member in SERVICES:
        left = await platform.reached(member, old)
        moved = await platform.reached(member, to)
        after = left.last - moved_at[member]
        stage.expect(left.last > began, f"{old} {member} was reached until the switch")
        stage.expect(after < MOVED_WITHIN_S, f"and last {after:.1f} s after its slices were {to}'s")
        stage.expect_equal((moved.failed, left.since(before[member]).failed), (0, 0), f"failed requests to {member}")


async def _switch_without_drain(stage: Stage, platform: Platform, to: str, old: str) -> None:
    """The old colour goes to 0 in the moment of the switch, with streams that outlast its grace."""
    before = {member: await platform.reached(member, old) for member in SERVICES}
    await platform.switch(to, members=list(SERVICES))
    await asyncio.gather(*(platform.scale(platform.workload(member, old), 0) for member in SERVICES))
    found: dict[str, Reached] = {}

    async def broken() -> bool:
        for member in SERVICES:
            found[member] = (await platform.reached(member, old)).since(before[member])
        return all(each.broken for each in found.values())

    await stage.until(broken, what="broken connections of each Service", timeout_s=GUARD_S, seen=lambda: found)
    for member, each in found.items():
        stage.tell(f"{member}: {each.broken} connections to {old} were broken")


async def _open_streams_anew(platform: Platform) -> None:
    """Every stream is young, and at what the Services point at now."""
    await platform.traffic(RPS)
    await platform.traffic(RPS, streams=STREAMS, stream_s=STREAM_S)


async def _jobs_go_on(stage: Stage) -> None:
    queue = QUEUE.partition("/")[2]
    series = f'jobs_completed_total{{namespace="{stage.namespace}",deployment="workers-green",queue="{queue}"}}'
    found: dict[str, float] = {}

    async def done() -> bool:
        found.update(await stage.lab.prometheus.query(f"sum({series})"))
        return sum(found.values()) >= 10

    await stage.until(done, what="jobs of the green workers", timeout_s=GUARD_S, seen=lambda: found)
    depth = await stage.lab.prometheus.query(f'queue_depth{{namespace="{stage.namespace}",queue="{queue}"}}')
    stage.expect_equal(len(depth), 1, "series of the queue's depth")
