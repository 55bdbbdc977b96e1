"""The journal's queue: lines go in at once, and out to the database when it takes them. Acting never waits for it.

The queue is bounded. While the database is away it fills; what no longer has room is dropped and counted, the newest
first: what is kept has no holes before the last. The log has every line in any case.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rollguard.adapters.journal.line import Line, LineStore, NotWritten, line_of
from rollguard.model.names import RolloutId, UnitName
from rollguard.model.records import TimelineEntry

Log = Callable[[str, Mapping[str, str | int | float]], None]
ROOM = 10_000
"""Lines that may wait."""
AT_ONCE = 200
WRITE_SECONDS = 10.0
PAUSES = (1.0, 2.0, 5.0, 15.0, 60.0)
"""Seconds between tries while the database does not take lines."""
ASK_EVERY = 30.0
"""Seconds: so often it is asked whether it could, while there is nothing to write."""
FAREWELL_SECONDS = 5.0
"""So long a stop waits for what is in the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalState:
    """What there is to know of the journal's database."""

    problem: str
    """Why it does not take lines now; empty while it does, and before it was asked."""
    waiting: int
    written: int
    dropped: int
    """Lines for which there was no room."""


class QueuedJournal:
    """A `Journal` in front of a database; entered, it writes until it is left."""

    def __init__(
        self,
        store: LineStore,
        log: Log,
        *,
        cluster: str,
        room: int = ROOM,
        pauses: tuple[float, ...] = PAUSES,
        write_seconds: float = WRITE_SECONDS,
    ) -> None:
        self._store = store
        self._log = log
        self._cluster = cluster
        self._room = room
        self._pauses = pauses
        self._write_seconds = write_seconds
        self._lines: deque[Line] = deque()
        self._news = asyncio.Event()
        self._settled = asyncio.Event()
        self._problem: str | None = None
        self._written = self._dropped = 0
        self._writer: asyncio.Task[None] | None = None

    def append(self, unit: UnitName, rollout: RolloutId | None, entry: TimelineEntry) -> None:
        """Queues the line; where there is no room it is counted, and nobody waits."""
        if len(self._lines) >= self._room:
            self._dropped += 1
            if self._dropped == 1:
                self._log("journal-full", {"room": self._room, "detail": self._problem or ""})
            return
        self._lines.append(line_of(self._cluster, unit, rollout, entry))
        self._settled.clear()
        self._news.set()

    def problem(self) -> str | None:
        """Why lines do not reach the database now; empty while they do, None before it was asked."""
        return self._problem

    def state(self) -> JournalState:
        """As of now."""
        return JournalState(
            problem=self._problem or "", waiting=len(self._lines), written=self._written, dropped=self._dropped
        )

    async def settled(self) -> None:
        """Returns once everything that was queued is in the database."""
        await self._settled.wait()

    async def __aenter__(self) -> Self:
        self._begin(after=0.0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        if self._lines:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._settled.wait(), FAREWELL_SECONDS)
        writer.cancel()
        await asyncio.wait([writer])
        if self._lines:
            self._log("journal-left", {"lines": len(self._lines), "detail": self._problem or ""})
        await self._store.close()

    def _begin(self, *, after: float) -> None:
        self._writer = asyncio.create_task(self._write(after))
        self._writer.add_done_callback(self._ended)

    def _ended(self, writer: asyncio.Task[None]) -> None:
        """A writer that ended by an error of ours begins again: the queue must not fill without a word."""
        error = None if writer.cancelled() else writer.exception()
        if error is None:
            return
        self._problem = f"unexpected {type(error).__name__}, see the log"
        self._log("journal-error", {"traceback": "".join(traceback.format_exception(error))})
        if self._writer is writer:
            self._begin(after=self._pauses[-1])

    async def _write(self, after: float) -> None:
        """Begins after so many seconds, and goes on until cancelled."""
        await asyncio.sleep(after)
        failures = 0
        while True:
            batch = [self._lines[n] for n in range(min(AT_ONCE, len(self._lines)))]
            problem = await self._attempt(batch)
            if problem != (self._problem or ""):
                self._log("journal", {"problem": problem or "none any more", "waiting": len(self._lines)})
            self._problem = problem
            if problem:
                await asyncio.sleep(self._pauses[min(failures, len(self._pauses) - 1)])
                failures += 1
                continue
            failures = 0
            for _ in batch:
                self._lines.popleft()
            self._written += len(batch)
            if not self._lines:
                self._news.clear()
                self._settled.set()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), ASK_EVERY)

    async def _attempt(self, batch: list[Line]) -> str:
        """What kept the database from keeping the batch; empty where it has it."""
        try:
            async with asyncio.timeout(self._write_seconds):
                await self._store.write(batch)
        except TimeoutError:
            return f"no answer within {self._write_seconds:g} s"
        except NotWritten as error:
            return str(error)
        return ""
