"""The journal's databases keep every line once and for ever, and say why where they do not."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from lab.database import PASSWORD, Database, running
from rollguard.adapters.journal.line import Line, LineStore, NotWritten, line_of
from rollguard.adapters.journal.postgres import PostgresStore
from rollguard.adapters.journal.sqlite import SqliteStore
from rollguard.model.names import RolloutId
from rollguard.model.records import TimelineEntry
from tests.unit.records import START, UNIT

ENTRY = TimelineEntry(at=START.plus(0.25), kind="human", text="Rollback approved: déjà vu", actor="alice")


def line(text: str = ENTRY.text, rollout: str = "translation-r2") -> Line:
    return line_of("eu-1", UNIT, RolloutId(rollout), replace(ENTRY, text=text))


@pytest.fixture(scope="module")
async def database() -> AsyncIterator[Database]:
    async with running() as server:
        yield server


class Kept:
    """A store of one kind, and what a reader finds in its database."""

    def __init__(self, store: LineStore, another: Callable[[], LineStore], sql: Callable[[str], list[tuple[str, ...]]]):
        self.store = store
        self.another = another
        self.sql = sql

    def texts(self) -> list[str]:
        return [text for (text,) in self.sql("SELECT text FROM JOURNAL ORDER BY at, text")]


@pytest.fixture(params=["sqlite", "postgres"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path, database: Database) -> AsyncIterator[Kept]:
    if request.param == "sqlite":
        path = tmp_path / "journal.db"

        def in_file(query: str) -> list[tuple[str, ...]]:
            with sqlite3.connect(path) as reader:
                return list(reader.execute(query.replace("JOURNAL", "journal")).fetchall())

        made = Kept(SqliteStore(path), lambda: SqliteStore(path), in_file)
    else:
        dsn = await database.fresh()

        def in_server(query: str) -> list[tuple[str, ...]]:
            with psycopg.connect(dsn) as reader:
                found = reader.execute(query.replace("JOURNAL", "rollguard_journal").encode())
                return list(found.fetchall()) if found.description else []

        made = Kept(PostgresStore(lambda: dsn), lambda: PostgresStore(lambda: dsn), in_server)
    yield made
    await made.store.close()


async def test_a_line_is_kept_with_all_that_it_says(kept: Kept) -> None:
    await kept.store.write([line()])
    columns = "cluster, namespace, unit, rollout, kind, actor, text, id"
    (row,) = kept.sql(f"SELECT {columns} FROM JOURNAL")
    assert row == (
        *("eu-1", "production", "deployment-translation", "translation-r2", "human", "alice"),
        *("Rollback approved: déjà vu", line().id),
    )


async def test_the_same_content_is_kept_once_however_often_it_comes(kept: Kept) -> None:
    await kept.store.write([line("a"), line("a"), line("b")])
    await kept.store.write([line("b"), line("c")])
    await kept.store.close()
    await kept.store.write([line("a")])
    assert kept.texts() == ["a", "b", "c"]


async def test_lines_differ_by_each_part_of_what_they_say() -> None:
    one = line()
    others = (
        *(replace(one, cluster="x"), replace(one, namespace="x"), replace(one, unit="x"), replace(one, rollout="x")),
        *(replace(one, at=START), replace(one, kind="x"), replace(one, actor="x"), replace(one, text="x")),
    )
    assert len({each.id for each in (one, *others)}) == 9


@pytest.mark.parametrize("order", ["UPDATE JOURNAL SET text = 'x'", "DELETE FROM JOURNAL"])
async def test_what_is_kept_is_neither_changed_nor_deleted(kept: Kept, order: str) -> None:
    await kept.store.write([line()])
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.RaiseException), match="append-only"):
        kept.sql(order)
    assert kept.texts() == [ENTRY.text]


async def test_a_journal_of_another_version_is_left_alone(kept: Kept) -> None:
    await kept.store.write([line()])
    await kept.store.close()
    if isinstance(kept.store, SqliteStore):
        kept.sql("PRAGMA user_version = 7")
    else:
        kept.sql("UPDATE rollguard_journal_version SET version = 7")
    with pytest.raises(NotWritten, match="version 7, and this guard's of 1"):
        await kept.store.write([line("later")])
    assert kept.texts() == [ENTRY.text]


@pytest.mark.parametrize(
    "text", ["a\x00b", "half \ud800 a pair", "'; DROP TABLE rollguard_journal; --", "%s %(x)s", ""]
)
async def test_every_text_is_kept(kept: Kept, text: str) -> None:
    await kept.store.write([line(text)])
    assert len(kept.texts()) == 1


async def test_lines_without_news_ask_only_whether_they_could_be_kept(kept: Kept) -> None:
    await kept.store.write([])
    assert kept.texts() == []


async def test_two_guards_make_the_tables_once(database: Database) -> None:
    dsn = await database.fresh()
    stores = [PostgresStore(lambda: dsn) for _ in range(4)]
    await asyncio.gather(*(store.write([line(str(n))]) for n, store in enumerate(stores)))
    for store in stores:
        await store.close()
    with psycopg.connect(dsn) as reader:
        assert reader.execute("SELECT count(*) FROM rollguard_journal").fetchone() == (4,)
        assert reader.execute("SELECT version FROM rollguard_journal_version").fetchall() == [(1,)]


async def test_once_the_tables_are_there_the_right_to_insert_is_enough(database: Database) -> None:
    dsn = await database.fresh()
    owner = PostgresStore(lambda: dsn)
    await owner.write([line("a")])
    await owner.close()
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("CREATE ROLE writer LOGIN PASSWORD 'w'")
        admin.execute("GRANT INSERT ON rollguard_journal TO writer")
        admin.execute("GRANT SELECT ON rollguard_journal_version TO writer")
    narrow = PostgresStore(lambda: database.dsn(dsn.rpartition("/")[2], user="writer", password="w"))
    await narrow.write([line("a"), line("b")])
    await narrow.close()
    with psycopg.connect(dsn) as reader:
        assert reader.execute("SELECT text FROM rollguard_journal ORDER BY text").fetchall() == [("a",), ("b",)]


async def test_a_database_that_cannot_keep_every_sign_is_named_before_the_first_line(database: Database) -> None:
    """Else the first sign that it has not would hold up all lines after it."""
    dsn = await database.fresh("LATIN1")
    store = PostgresStore(lambda: dsn)
    with pytest.raises(NotWritten, match="its encoding is LATIN1, which has not every sign"):
        await store.write([])
    await store.close()


async def test_what_the_connection_string_says_of_the_encoding_changes_no_text(database: Database) -> None:
    dsn = await database.fresh("SQL_ASCII")
    store = PostgresStore(lambda: f"{dsn}?client_encoding=latin1")
    await store.write([line("cut here \u2026")])
    await store.close()
    with psycopg.connect(dsn, client_encoding="UTF8") as reader:
        assert reader.execute("SELECT text FROM rollguard_journal").fetchall() == [("cut here \u2026",)]


async def test_a_wrong_password_is_told_without_it(database: Database) -> None:
    store = PostgresStore(lambda: database.dsn(password="wr0ng-phrase"))
    with pytest.raises(NotWritten, match="password authentication failed") as told:
        await store.write([line()])
    assert "wr0ng" not in str(told.value)


@pytest.mark.parametrize("dsn", [f"postgresql:/owner:{PASSWORD}@db", f"password={PASSWORD} nonsense", "'"])
async def test_what_is_no_connection_string_is_told_without_what_it_holds(dsn: str) -> None:
    with pytest.raises(NotWritten, match="`journal-dsn` is no connection string") as told:
        await PostgresStore(lambda: dsn).write([line()])
    assert PASSWORD not in str(told.value)
    assert told.value.__cause__ is None


async def test_a_secret_that_is_not_there_yet_is_taken_up_when_it_comes(database: Database) -> None:
    held: list[str] = []
    store = PostgresStore(lambda: held[0] if held else None)
    with pytest.raises(NotWritten, match="the Secret has no `journal-dsn`"):
        await store.write([line()])
    held.append(await database.fresh())
    await store.write([line()])
    await store.close()


async def test_a_server_that_was_away_is_found_again(database: Database) -> None:
    dsn = await database.fresh()
    store = PostgresStore(lambda: dsn)
    await store.write([line("before")])
    await database.stop()
    with pytest.raises(NotWritten):
        await store.write([line("away")])
    with pytest.raises(NotWritten, match="Connection refused"):
        await store.write([line("away")])
    await database.begin()
    await store.write([line("after")])
    await store.close()
    with psycopg.connect(dsn) as reader:
        assert reader.execute("SELECT text FROM rollguard_journal ORDER BY text").fetchall() == [
            ("after",),
            ("before",),
        ]


async def test_a_second_guard_does_not_write_to_the_same_file(tmp_path: Path) -> None:
    first, second = SqliteStore(tmp_path / "journal.db"), SqliteStore(tmp_path / "journal.db")
    await first.write([line("a")])
    with pytest.raises(NotWritten, match="SQLite is for one replica"):
        await second.write([line("b")])
    await first.close()
    await second.write([line("b")])
    await second.close()


async def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "journal.db"
    with pytest.raises(NotWritten, match=f"{path}: No such file or directory"):
        await SqliteStore(path).write([line()])


async def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_text("notes " * 200)
    with pytest.raises(NotWritten, match="not a database"):
        await SqliteStore(path).write([line()])
    assert path.read_text().startswith("notes")


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "journal.db")
    await store.write([line()])
    assert stat.S_IMODE((tmp_path / "journal.db").stat().st_mode) == 0o600
    await store.close()


async def test_a_disk_that_hangs_holds_up_nothing_but_the_journal(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "journal.db")
    await store.write([])
    with store._lock:  # as a write that does not end
        for _ in range(40):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(store.write([line()]), 0.001)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "done"), 60) == "done"
    await store.write([line()])
    await store.close()
