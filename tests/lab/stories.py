"""Plays all stories beside each other in one lab, a namespace each; tests await what became of theirs."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.scenarios import Stage, play_on
from lab.world import Lab

AT_ONCE = 4
REAL_TIME = "errors-real-time"
"""Begins with the first test of the lab and is awaited by the last: it would be longer than all others together."""


@dataclass(slots=True, kw_only=True)
class Told:
    """What a story said, and how long it took once its turn had come."""

    seconds: float = 0.0
    lines: list[str] = field(default_factory=list)


class Stories:
    """Stories under way. `long` ones start at once, beside the four lanes of the others, which are played in order.
    Other tests run meanwhile, and one restarts the API server: to them it is a lab that waits for that.

    Those that are to be `alone`, for they measure how fast the guard is, come last and take all four lanes.
    """

    def __init__(
        self, lab: Lab, account: Path, *, names: Iterable[str], alone: Iterable[str], long: Iterable[str]
    ) -> None:
        self._lab = lab
        self._account = account
        self._lanes = asyncio.Semaphore(AT_ONCE)
        self._all_lanes = asyncio.Lock()
        self._told = {name: Told() for name in (*long, *names, *alone)}
        self._tasks = {name: asyncio.create_task(self._play_patiently(name)) for name in long}
        self._tasks |= {name: asyncio.create_task(self._in_a_lane(name)) for name in names}
        self._tasks |= {name: asyncio.create_task(self._in_all_lanes(name)) for name in alone}

    async def outcome(self, name: str) -> Told:
        """What the story said, once it has ended; raises what went wrong in it, after printing it."""
        try:
            await asyncio.shield(self._tasks[name])
        finally:
            print("\n".join(self._told[name].lines))
        return self._told[name]

    def ended(self, name: str) -> bool:
        """Whether the story has come to its end, good or bad."""
        return self._tasks[name].done()

    async def stop(self) -> None:
        """Ends what is still under way."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _in_a_lane(self, name: str) -> None:
        async with self._lanes:
            await self._play(name, self._lab)

    async def _in_all_lanes(self, name: str) -> None:
        # One at a time takes them: two that hold half of them each would wait for each other.
        async with self._all_lanes, AsyncExitStack() as stack:
            for _ in range(AT_ONCE):
                await stack.enter_async_context(self._lanes)
            await self._play(name, self._lab)

    async def _play_patiently(self, name: str) -> None:
        async with self._lab.patient() as lab:
            await self._play(name, lab)

    async def _play(self, name: str, lab: Lab) -> None:
        told = self._told[name]
        stage = Stage(lab=lab, account=self._account, namespace=name, say=told.lines.append)
        try:
            await play_on(stage, name)
        finally:
            told.seconds = time.monotonic() - stage.started
            await lab.leave(name)


@asynccontextmanager
async def under_way(
    lab: Lab, *, names: Iterable[str], alone: Iterable[str], long: Iterable[str]
) -> AsyncIterator[Stories]:
    """All these stories, begun; none is under way after the block."""
    stories = Stories(lab, await lab.install(), names=names, alone=alone, long=long)
    try:
        yield stories
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await stories.stop()
