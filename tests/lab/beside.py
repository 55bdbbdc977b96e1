"""Tests of one module that play beside each other: each waits for its own, all began with the first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from lab.world import Lab

AT_ONCE = 4
Story = Callable[[Lab], Awaitable[None]]


class Beside:
    """Stories under way, four at once."""

    def __init__(self, lab: Lab, stories: Iterable[Story]) -> None:
        self._lanes = asyncio.Semaphore(AT_ONCE)
        self._tasks = {story: asyncio.create_task(self._play(story, lab)) for story in stories}

    async def ended(self, story: Story) -> None:
        """Returns when the story has gone as told; raises what went wrong in it."""
        await asyncio.shield(self._tasks[story])

    async def stop(self) -> None:
        """Ends what is still under way."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _play(self, story: Story, lab: Lab) -> None:
        async with self._lanes:
            await story(lab)


@asynccontextmanager
async def beside(request: pytest.FixtureRequest, lab: Lab) -> AsyncIterator[Beside]:
    """The stories of those tests of the module that were selected (their parameter `story`), begun."""
    mine = (item for item in request.session.items if isinstance(item, pytest.Function) and item.path == request.path)
    stories = [cast("Story", item.callspec.params["story"]) for item in mine if hasattr(item, "callspec")]
    playing = Beside(lab, stories)
    try:
        yield playing
    finally:
        await playing.stop()
