"""The journal of the policy is opened beside the log."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rollguard.adapters.log import StructuredLog
from rollguard.adapters.secrets import Secrets
from rollguard.cli import exits, journal
from rollguard.model.destinations import JournalKind, JournalPlace
from rollguard.model.names import RolloutId
from rollguard.model.records import TimelineEntry
from tests.unit.policy.texts import GOOD, good
from tests.unit.records import START, UNIT

ENTRY = TimelineEntry(at=START, kind="human", text="approved", actor="alice")


class Stream(io.StringIO):
    """Says when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = asyncio.Event()

    def flush(self) -> None:
        self.written.set()


def log_of(stream: io.StringIO) -> StructuredLog:
    return StructuredLog(lines=True, stream=stream)


def told(stream: io.StringIO, event: str) -> list[dict[str, str]]:
    return [line for line in map(json.loads, stream.getvalue().splitlines()) if line["event"] == event]


async def test_without_a_journal_the_log_has_every_line(tmp_path: Path) -> None:
    stream = io.StringIO()
    async with journal.opened(good(GOOD), Secrets(tmp_path), log_of(stream)) as story:
        story.journal.append(UNIT, RolloutId("r"), ENTRY)
        assert (story.state(), story.journal.problem()) == (None, None)
    assert [line["text"] for line in told(stream, "audit")] == ["approved"]


async def test_with_a_file_both_have_it(tmp_path: Path) -> None:
    stream, path = io.StringIO(), tmp_path / "journal.db"
    policy = replace(good(GOOD), cluster="eu-1", journal=JournalPlace(kind=JournalKind.SQLITE, path=str(path)))
    async with journal.opened(policy, Secrets(tmp_path), log_of(stream)) as story:
        story.journal.append(UNIT, RolloutId("r"), ENTRY)
    with sqlite3.connect(path) as reader:
        assert reader.execute("SELECT cluster, text FROM journal").fetchall() == [("eu-1", "approved")]
    assert [line["text"] for line in told(stream, "audit")] == ["approved"]


async def test_a_database_whose_secret_is_not_there_is_said_and_hinders_nothing(tmp_path: Path) -> None:
    stream = Stream()
    policy = replace(good(GOOD), journal=JournalPlace(kind=JournalKind.POSTGRES))
    async with journal.opened(policy, Secrets(tmp_path), log_of(stream)) as story:
        await stream.written.wait()
        assert story.journal.problem() == "the Secret has no `journal-dsn`"
    assert [line["problem"] for line in told(stream, "journal")] == ["the Secret has no `journal-dsn`"]


async def test_without_the_driver_the_command_ends_and_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "rollguard.adapters.journal.postgres", raising=False)
    policy = replace(good(GOOD), journal=JournalPlace(kind=JournalKind.POSTGRES))
    with pytest.raises(exits.CommandError, match=r"pip install rollguard\[postgres\]") as ended:
        async with journal.opened(policy, Secrets(tmp_path), log_of(io.StringIO())):
            pass
    assert ended.value.code == exits.USAGE
