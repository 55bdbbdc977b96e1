"""Nothing waits for the journal: lines are queued, tried again, and counted where there is no room."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rollguard.adapters.journal import QueuedJournal, SqliteStore
from rollguard.adapters.journal.line import Line, NotWritten
from rollguard.model.names import RolloutId
from tests.unit.journal.test_stores import ENTRY
from tests.unit.records import UNIT

ROLLOUT = RolloutId("r")


@dataclass(slots=True)
class Stubborn:
    """A database that keeps what it takes, and takes nothing while it is told to."""

    kept: dict[str, str] = field(default_factory=dict)
    refuses: str = ""
    hangs: bool = False
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    writes: list[int] = field(default_factory=list)
    closed: bool = False

    async def write(self, lines: Sequence[Line]) -> None:
        self.asked.set()
        self.writes.append(len(lines))
        if self.hangs:
            await asyncio.Event().wait()
        if self.refuses:
            raise NotWritten(self.refuses)
        self.kept |= {each.id: each.text for each in lines}

    async def close(self) -> None:
        self.closed = True


@dataclass(slots=True)
class Told:
    """A log."""

    lines: list[tuple[str, Mapping[str, str | int | float]]] = field(default_factory=list)

    def __call__(self, event: str, fields: Mapping[str, str | int | float]) -> None:
        self.lines.append((event, fields))

    def events(self) -> list[str]:
        return [event for event, _ in self.lines]


def journal(store: Stubborn, log: Told, *, room: int = 100, write_seconds: float = 5.0) -> QueuedJournal:
    return QueuedJournal(store, log, cluster="eu-1", room=room, pauses=(0.0,), write_seconds=write_seconds)


def append(queue: QueuedJournal, *texts: str) -> None:
    for text in texts:
        queue.append(UNIT, ROLLOUT, replace(ENTRY, text=text))


async def test_what_is_appended_is_in_the_database_soon_after() -> None:
    store, log = Stubborn(), Told()
    async with journal(store, log) as queue:
        append(queue, "a", "b")
        assert queue.state().waiting == 2
        await queue.settled()
        assert list(store.kept.values()) == ["a", "b"]
        assert (queue.state().waiting, queue.state().written, queue.problem()) == (0, 2, "")
    assert store.closed
    assert log.lines == []


async def test_a_database_that_refuses_is_told_once_and_asked_again_until_it_takes_the_lines() -> None:
    store, log = Stubborn(refuses="the disk is full"), Told()
    async with journal(store, log) as queue:
        append(queue, "a")
        while len(store.writes) < 3:
            store.asked.clear()
            await store.asked.wait()
        assert queue.problem() == "the disk is full"
        store.refuses = ""
        await queue.settled()
        assert queue.problem() == ""
    assert list(store.kept.values()) == ["a"]
    assert [fields["problem"] for _, fields in log.lines] == ["the disk is full", "none any more"]


async def test_before_the_database_was_asked_nothing_is_known_of_it() -> None:
    queue = journal(Stubborn(), Told())
    assert queue.problem() is None
    assert queue.state().problem == ""


async def test_whether_it_could_write_is_known_before_there_is_a_line() -> None:
    store, log = Stubborn(refuses="nobody there"), Told()
    async with journal(store, log) as queue:
        while not queue.problem():
            store.asked.clear()
            await store.asked.wait()
    assert queue.problem() == "nobody there"


async def test_without_room_the_newest_are_dropped_and_counted_and_nobody_waits() -> None:
    store, log = Stubborn(refuses="away"), Told()
    async with journal(store, log, room=3) as queue:
        append(queue, "a", "b", "c", "d", "e")
        assert queue.state().dropped == 2
        store.refuses = ""
        await queue.settled()
        append(queue, "f")
        await queue.settled()
    assert list(store.kept.values()) == ["a", "b", "c", "f"]
    assert log.events().count("journal-full") == 1


async def test_a_database_that_hangs_is_given_up_for_the_moment() -> None:
    store, log = Stubborn(hangs=True), Told()
    async with journal(store, log, write_seconds=0.01) as queue:
        append(queue, "a")
        while not queue.problem():
            store.asked.clear()
            await store.asked.wait()
        assert "no answer within 0.01 s" in (queue.problem() or "")
        store.hangs = False
        await queue.settled()
    assert list(store.kept.values()) == ["a"]


async def test_many_lines_go_out_in_few_writes() -> None:
    store, log = Stubborn(), Told()
    async with journal(store, log, room=1000) as queue:
        append(queue, *(str(n) for n in range(1000)))
        await queue.settled()
    assert len(store.kept) == 1000
    assert [size for size in store.writes if size] == [200] * 5


async def test_a_stop_waits_for_what_is_queued() -> None:
    store, log = Stubborn(), Told()
    async with journal(store, log) as queue:
        append(queue, "last words")
    assert list(store.kept.values()) == ["last words"]


async def test_the_story_survives_a_restart_of_the_guard(tmp_path: Path) -> None:
    for text in ("first life", "second life"):
        store, log = SqliteStore(tmp_path / "journal.db"), Told()
        async with QueuedJournal(store, log, cluster="eu-1") as queue:
            append(queue, "both lives", text)
            await queue.settled()
            assert queue.state().written == 2
    with sqlite3.connect(tmp_path / "journal.db") as reader:
        assert sorted(reader.execute("SELECT text FROM journal").fetchall()) == [
            ("both lives",),
            ("first life",),
            ("second life",),
        ]


class Broken(Stubborn):
    """A database that does what none should, once."""

    async def write(self, lines: Sequence[Line]) -> None:
        if not self.writes:
            self.writes.append(0)
            raise ZeroDivisionError("a bug")
        await super().write(lines)


async def test_an_error_of_our_own_is_told_and_the_lines_are_tried_again() -> None:
    store, log = Broken(), Told()
    async with journal(store, log) as queue:
        append(queue, "a")
        await queue.settled()
        assert queue.problem() == ""
    assert list(store.kept.values()) == ["a"]
    (error,) = [fields for event, fields in log.lines if event == "journal-error"]
    assert "a bug" in str(error["traceback"])
    assert [fields["problem"] for event, fields in log.lines if event == "journal"] == ["none any more"]
