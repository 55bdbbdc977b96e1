"""The journal in a file: SQLite, for one guard at a time."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO

from rollguard.adapters.journal.line import VERSION, Line, NotWritten

BUSY_SECONDS = 5.0
_TABLES = """
CREATE TABLE journal (
  id TEXT PRIMARY KEY,
  cluster TEXT NOT NULL, namespace TEXT NOT NULL, unit TEXT NOT NULL, rollout TEXT NOT NULL,
  at TEXT NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL, text TEXT NOT NULL,
  written TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
CREATE INDEX journal_of_unit ON journal (namespace, unit, at);
CREATE TRIGGER journal_keeps BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_holds BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
"""
_INSERT = """
INSERT INTO journal (id, cluster, namespace, unit, rollout, at, kind, actor, text)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""


class SqliteStore:
    """A `LineStore` in a file. Other processes may read it meanwhile; a second guard may not write to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._connection: sqlite3.Connection | None = None
        self._mine: IO[bytes] | None = None

    async def write(self, lines: Sequence[Line]) -> None:
        """Keeps the lines, on disk when it returns."""
        await self._aside(partial(self._write, lines))

    async def close(self) -> None:
        """Closes the file."""
        await self._aside(self._close)

    async def _aside(self, work: Callable[[], None]) -> None:
        """In its own thread: those of a disk that hangs must not become all that the process has."""
        await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _write(self, lines: Sequence[Line]) -> None:
        with self._lock:
            try:
                connection = self._connection = self._connection or self._opened()
                with connection:
                    connection.executemany(_INSERT, [_row(line) for line in lines])
            except sqlite3.Error as error:
                self._drop()
                raise NotWritten(f"{self._path}: {error}") from error
            except OSError as error:
                raise NotWritten(f"{self._path}: {error.strerror}") from error

    def _opened(self) -> sqlite3.Connection:
        self._claim()
        # Its owner's alone: the story names people.
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        with ExitStack() as refused:
            connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, check_same_thread=False)
            refused.callback(connection.close)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
            elif version != VERSION:
                raise NotWritten(f"{self._path}: its tables are of version {version}, and this guard's of {VERSION}")
            refused.pop_all()
        return connection

    def _claim(self) -> None:
        """One guard at a time, as long as it lives; readers need no leave."""
        if self._mine is not None:
            return
        mine = self._path.with_name(f"{self._path.name}.lock").open("wb")
        try:
            fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            mine.close()
            words = "another guard writes to it: SQLite is for one replica, use PostgreSQL for several"
            raise NotWritten(f"{self._path}: {words}") from error
        self._mine = mine

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _close(self) -> None:
        with self._lock:
            self._drop()
            if self._mine is not None:
                self._mine.close()
                self._mine = None


def _row(line: Line) -> tuple[str, ...]:
    return (
        line.id,
        line.cluster,
        line.namespace,
        line.unit,
        line.rollout,
        line.at.iso(),
        line.kind,
        line.actor,
        line.text,
    )
