"""An asyncio event loop whose time jumps to the next timer: hours pass in milliseconds, in the same order each time."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Coroutine, Generator
from contextvars import Context
from heapq import heappop
from typing import TypeVar

T = TypeVar("T")

FEW_TIMERS = 100
"""So many the base class keeps without sorting out the cancelled ones."""


class Deadlock(RuntimeError):
    """Nothing is ready and nothing is scheduled: the program would wait for ever."""


class _CountedTask(asyncio.Task[T]):
    """A task whose hash is a counter, so that sets of tasks iterate alike in every process."""

    counter = 0

    def __init__(
        self,
        coro: Generator[object, None, T] | Coroutine[object, object, T],
        *,
        loop: asyncio.AbstractEventLoop,
        name: str | None = None,
        context: Context | None = None,
    ) -> None:
        _CountedTask.counter += 1
        self._number = _CountedTask.counter
        super().__init__(coro, loop=loop, name=name, context=context)  # type: ignore[arg-type]

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class _Timer(asyncio.TimerHandle):
    """What the loop's timers are, with the fields of which their stubs do not tell."""

    _when: float
    _scheduled: bool


class VirtualLoop(asyncio.BaseEventLoop):
    """Virtual time. With a seed, callbacks that are ready together run in a seeded order.

    With `pace`, time also passes really, that many times faster than life (for a demo).
    """

    # the base class's own, of which its stubs do not tell
    _ready: deque[asyncio.Handle]
    _scheduled: list[_Timer]
    _stopping: bool
    _clock_resolution: float
    _timer_cancelled_count: int

    def __init__(self, *, seed: int | None = None, pace: float | None = None) -> None:
        super().__init__()
        self._now = 0.0
        self._shuffle = None if seed is None else random.Random(seed)
        self.pace = pace
        self._paced_from: tuple[float, float, float] | None = None
        self._selector = self
        self.errors: list[BaseException] = []
        self.set_task_factory(_task_factory)
        self.set_exception_handler(_keep_error)

    def time(self) -> float:
        """Virtual seconds since the loop began."""
        return self._now

    def select(self, timeout: float | None) -> list[object]:
        """In place of a selector: jumps to the next timer instead of waiting for it."""
        if timeout is None:
            raise Deadlock("nothing is ready and nothing is scheduled: every task waits for another")
        if timeout > 0:
            due: float = self._scheduled[0]._when
            if self.pace is not None:
                self._keep_pace(due, self.pace)
            else:
                self._paced_from = None
            self._now = max(self._now, due)
        return []

    def _keep_pace(self, due: float, pace: float) -> None:
        """Sleeps until `due` by the schedule since the pace was set: what the work itself took is not added to it."""
        if self._paced_from is None or self._paced_from[2] != pace:
            self._paced_from = (time.monotonic(), self._now, pace)
        really, virtually, _pace = self._paced_from
        time.sleep(max(0.0, really + (due - virtually) / pace - time.monotonic()))

    def _process_events(self, event_list: list[object]) -> None:
        """There are no events of files or sockets."""

    def _write_to_self(self) -> None:
        """Nothing from outside can wake this loop."""

    def _run_once(self) -> None:
        """A turn as the base class does it, without what only sockets need: a seed has thousands of them."""
        ready, scheduled = self._ready, self._scheduled
        if self._shuffle is not None and len(ready) > 1:
            order = list(ready)
            self._shuffle.shuffle(order)
            ready.clear()
            ready.extend(order)
        if len(scheduled) > FEW_TIMERS:
            super()._run_once()  # type: ignore[misc]
            return
        while scheduled and scheduled[0]._cancelled:
            self._timer_cancelled_count -= 1
            heappop(scheduled)._scheduled = False
        if not ready and not self._stopping:
            self.select(scheduled[0]._when - self._now if scheduled else None)
        end = self._now + self._clock_resolution
        while scheduled and scheduled[0]._when < end:
            due = heappop(scheduled)
            due._scheduled = False
            ready.append(due)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()


def _task_factory(
    loop: asyncio.AbstractEventLoop,
    coro: Generator[object, None, T] | Coroutine[object, object, T],
    context: Context | None = None,
) -> _CountedTask[T]:
    return _CountedTask(coro, loop=loop, context=context)


def _keep_error(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    error = context.get("exception")
    if isinstance(error, BaseException) and isinstance(loop, VirtualLoop):
        loop.errors.append(error)


def run(main: Coroutine[object, object, T], *, seed: int | None = None, pace: float | None = None) -> T:
    """The result of `main` in virtual time; every other task is cancelled at its end.

    Raises what `main` raises, else the first error that a callback or a forgotten task left behind; Deadlock where
    all tasks wait for one another.
    """
    loop = VirtualLoop(seed=seed, pace=pace)
    try:
        try:
            result = loop.run_until_complete(main)
        finally:
            _cancel_rest(loop)
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    if loop.errors:
        raise loop.errors[0]
    return result


def _cancel_rest(loop: VirtualLoop) -> None:
    rest = sorted(asyncio.all_tasks(loop), key=hash)
    for task in rest:
        task.cancel()
    if rest:
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
