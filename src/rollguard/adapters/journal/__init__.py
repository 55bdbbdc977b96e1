"""The journal: a copy of every rollout's story for readers, in PostgreSQL or SQLite. Nothing waits for it."""

from rollguard.adapters.journal.line import Line, NotWritten
from rollguard.adapters.journal.queue import QueuedJournal
from rollguard.adapters.journal.sqlite import SqliteStore
from rollguard.adapters.journal.together import Journals

__all__ = ["Journals", "Line", "NotWritten", "QueuedJournal", "SqliteStore"]
