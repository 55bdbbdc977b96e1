"""Opens the journal that the policy names, beside the log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rollguard.adapters.journal import Journals, QueuedJournal, SqliteStore
from rollguard.adapters.journal.line import LineStore
from rollguard.adapters.journal.queue import JournalState
from rollguard.adapters.log import LogJournal, StructuredLog
from rollguard.adapters.secrets import Secrets
from rollguard.cli import exits
from rollguard.model.channels import SecretKey
from rollguard.model.destinations import JournalKind, JournalPlace
from rollguard.model.policy import Policy
from rollguard.ports import Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJournal:
    """Where the loop's lines go."""

    journal: Journal
    database: QueuedJournal | None
    """None where the policy names none: then the log has the only copy."""

    def state(self) -> JournalState | None:
        """Of the database."""
        return self.database.state() if self.database is not None else None


@asynccontextmanager
async def opened(policy: Policy, secrets: Secrets, log: StructuredLog) -> AsyncIterator[OpenJournal]:
    """The journal of that policy until the end; ends the command where this installation cannot keep it."""
    audit = LogJournal(log)
    if policy.journal is None:
        yield OpenJournal(journal=audit, database=None)
        return
    async with QueuedJournal(_store(policy.journal, secrets), log, cluster=policy.cluster) as database:
        yield OpenJournal(journal=Journals(audit, database), database=database)


def _store(place: JournalPlace, secrets: Secrets) -> LineStore:
    if place.kind is JournalKind.SQLITE:
        return SqliteStore(Path(place.path))
    try:
        from rollguard.adapters.journal.postgres import PostgresStore
    except ImportError as missing:
        words = (
            f"the policy's journal is PostgreSQL, and {missing.name} is not installed: pip install rollguard[postgres]"
        )
        raise exits.CommandError(words, exits.USAGE) from None
    return PostgresStore(lambda: secrets.read(SecretKey.JOURNAL_DSN))
