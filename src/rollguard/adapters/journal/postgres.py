"""The journal in PostgreSQL, for any number of guards. Needs the extra `postgres`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from rollguard.adapters.journal.line import VERSION, Line, NotWritten

CONNECT_SECONDS = 5
EVERY_TEXT = ("UTF8", "SQL_ASCII")
"""Encodings of a database that keeps whatever a line says."""
_LOCK = 7_264_851_023
"""Of the making of the tables: two guards may begin at once."""
_TABLES = """
CREATE TABLE rollguard_journal (
  id text PRIMARY KEY,
  cluster text NOT NULL, namespace text NOT NULL, unit text NOT NULL, rollout text NOT NULL,
  at timestamptz NOT NULL, kind text NOT NULL, actor text NOT NULL, text text NOT NULL,
  written timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX rollguard_journal_of_unit ON rollguard_journal (namespace, unit, at);
CREATE FUNCTION rollguard_journal_keeps() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$;
CREATE TRIGGER rollguard_journal_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON rollguard_journal
  FOR EACH STATEMENT EXECUTE FUNCTION rollguard_journal_keeps();
CREATE TABLE rollguard_journal_version (version integer NOT NULL);
"""
_INSERT = """
INSERT INTO rollguard_journal (id, cluster, namespace, unit, rollout, at, kind, actor, text)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


class PostgresStore:
    """A `LineStore` in a database. How to reach it is read at each connection, and appears in no error."""

    def __init__(self, dsn: Callable[[], str | None]) -> None:
        self._dsn = dsn
        self._connection: psycopg.AsyncConnection | None = None

    async def write(self, lines: Sequence[Line]) -> None:
        """Keeps the lines in one transaction."""
        secret = ""
        try:
            async with AsyncExitStack() as cut_short:
                # What the server made of it is not known then, and the connection is of no use any more.
                cut_short.push_async_callback(self.close)
                if self._connection is None:
                    dsn = self._conninfo()
                    secret = str(conninfo_to_dict(dsn).get("password") or "")
                    self._connection = await psycopg.AsyncConnection.connect(
                        # Without prepared statements: a pooler in front of the server may not know them.
                        dsn,
                        autocommit=True,
                        prepare_threshold=None,
                    )
                    await _prepare(self._connection)
                async with self._connection.transaction(), self._connection.cursor() as cursor:
                    await cursor.execute("SELECT 1")
                    await cursor.executemany(_INSERT, [_row(line) for line in lines])
                cut_short.pop_all()
        except (psycopg.Error, OSError) as error:
            words = " ".join(str(error).split()) or type(error).__name__
            raise NotWritten(words.replace(secret, "***") if secret else words) from None

    async def close(self) -> None:
        """Ends the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _conninfo(self) -> str:
        dsn = self._dsn()
        if dsn is None:
            raise NotWritten("the Secret has no `journal-dsn`")
        try:
            return make_conninfo(
                dsn, connect_timeout=CONNECT_SECONDS, application_name="rollguard", client_encoding="UTF8"
            )
        except psycopg.ProgrammingError:
            # The error's words would have parts of it.
            raise NotWritten("`journal-dsn` is no connection string: postgresql://USER:PASSWORD@HOST/DB") from None


async def _prepare(connection: psycopg.AsyncConnection) -> None:
    """Makes the tables where there are none. Afterwards the right to insert, and to read the version, is enough."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in EVERY_TEXT:
        raise NotWritten(f"its encoding is {encoding}, which has not every sign: create it with ENCODING 'UTF8'")
    async with connection.transaction(), connection.cursor() as cursor:
        if not await _is_made(cursor):
            await cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            if not await _is_made(cursor):
                await cursor.execute(_TABLES)
                await cursor.execute("INSERT INTO rollguard_journal_version VALUES (%s)", (VERSION,))
        await cursor.execute("SELECT max(version) FROM rollguard_journal_version")
        found = await cursor.fetchone()
        if found != (VERSION,):
            version = found[0] if found is not None else None
            raise NotWritten(f"its tables are of version {version}, and this guard's of {VERSION}")


async def _is_made(cursor: psycopg.AsyncCursor) -> bool:
    """By the catalogue's rows: a look-up by name may still answer from before another guard made the tables."""
    await cursor.execute(
        "SELECT count(*) FROM pg_catalog.pg_class"
        " WHERE relname = 'rollguard_journal_version' AND pg_catalog.pg_table_is_visible(oid)"
    )
    return await cursor.fetchone() != (0,)


def _row(line: Line) -> tuple[str | datetime, ...]:
    at = datetime.fromtimestamp(line.at.seconds, UTC)
    return (
        line.id,
        line.cluster,
        line.namespace,
        line.unit,
        line.rollout,
        at,
        line.kind,
        line.actor,
        line.text,
    )
