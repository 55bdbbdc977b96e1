"""What every process of the lab does: die with its parent, say when it is ready, end cleanly on SIGTERM."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Asks Linux for SIGTERM when the parent ends; exits at once if it is already gone."""
    parent = os.getppid()
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        sys.exit(1)


def say_ready(**facts: Any) -> None:
    """Prints the one line on stdout by which a parent knows that the process serves."""
    sys.stdout.write(json.dumps({"ready": True, **facts}) + "\n")
    sys.stdout.flush()


class Tasks:
    """Background tasks of one process: the first that fails ends the process with its error."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or self._failed.done():
            return
        error = task.exception()
        if error is not None:
            self._failed.set_exception(error)

    async def failure(self) -> None:
        """Returns never; raises the first error of a background task."""
        await asyncio.shield(self._failed)

    async def cancel(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def run(body: Callable[[Tasks], Coroutine[Any, Any, Callable[[], Awaitable[None]]]]) -> None:
    """Runs a lab process: `body` starts everything and returns its clean-up.

    SIGTERM and SIGINT end it cleanly, also while it starts; an error of a background task ends it with that error.
    """
    die_with_parent()
    asyncio.run(_live(body))


async def _live(body: Callable[[Tasks], Coroutine[Any, Any, Callable[[], Awaitable[None]]]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tasks = Tasks()
    ends = {asyncio.create_task(stop.wait()), asyncio.create_task(tasks.failure())}
    starting = asyncio.create_task(body(tasks))
    close: Callable[[], Awaitable[None]] | None = None
    try:
        await asyncio.wait({starting, *ends}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            close = starting.result()
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in done:
            end.result()
    finally:
        for task in (starting, *ends):
            task.cancel()
        await tasks.cancel()
        if close is not None:
            await close()
