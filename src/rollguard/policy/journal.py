"""`spec.journal`: its keys, what is wrong between them, and what they come to."""

from __future__ import annotations

from pathlib import PurePosixPath

from rollguard.model.destinations import JournalKind, JournalPlace
from rollguard.policy.part import File, Part
from rollguard.policy.yaml_text import Marked

DEFAULT_PATH = "/var/lib/rollguard/journal.db"
_TAKEN = ("/", "/dev", "/etc", "/etc/rollguard", "/opt", "/proc", "/run", "/sys", "/tmp", "/usr", "/var", "/var/run")  # noqa: S108
_TAKEN_BELOW = ("/dev", "/proc", "/sys", "/etc/rollguard", "/opt/rollguard", "/var/run/secrets")


class PostgresPart(Part):
    """A database of PostgreSQL, reached as the key `journal-dsn` of the Secret `notification-secrets` says; it has no
    keys of its own (`postgres: {}`)."""


class SqlitePart(Part):
    """A file, for a guard of one replica with a volume: two replicas cannot share it."""

    path: File = DEFAULT_PATH
    """The file, in a folder of its own: there the volume is mounted."""


class JournalPart(Part):
    """Where the story of every rollout is copied to: one of the two."""

    postgres: PostgresPart | None = None
    """A database of PostgreSQL."""
    sqlite: SqlitePart | None = None
    """A file."""


def check_journal(part: JournalPart | None, marked: Marked) -> None:
    """What is wrong within `spec.journal`."""
    if part is None:
        return
    path = ("spec", "journal")
    if (part.postgres is None) == (part.sqlite is None):
        both = part.postgres is not None
        marked.wrong(
            path, "journal", "either `postgres: {}` or `sqlite: {}`" + (", not both" if both else ""), key=True
        )
    if part.sqlite is not None:
        folder = PurePosixPath(part.sqlite.path).parent
        within = any(folder.is_relative_to(place) for place in _TAKEN_BELOW)
        if within or str(folder) in _TAKEN or ".." in folder.parts:
            words = f"a file in a folder of its own, such as {DEFAULT_PATH}: the volume is mounted there"
            marked.wrong((*path, "sqlite", "path"), part.sqlite.path, words)


def journal_of(part: JournalPart | None) -> JournalPlace | None:
    """The place of a part without mistakes."""
    if part is None:
        return None
    if part.sqlite is not None:
        return JournalPlace(kind=JournalKind.SQLITE, path=part.sqlite.path)
    return JournalPlace(kind=JournalKind.POSTGRES)
