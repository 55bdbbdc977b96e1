"""A line of the journal, and what a database that keeps such lines can do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rollguard.model.names import RolloutId, UnitName
from rollguard.model.records import TimelineEntry
from rollguard.model.time import Instant

VERSION = 1
"""Of the tables: a database with another is left alone."""


class NotWritten(Exception):
    """The lines are not known to be kept; the text says why, without a secret in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry of a rollout's story. The same content is the same line, whoever writes it and how often."""

    cluster: str
    namespace: str
    unit: str
    rollout: str
    at: Instant
    kind: str
    actor: str
    text: str

    @property
    def id(self) -> str:
        """SHA-256 of the content, as hexadecimal digits."""
        content = [self.cluster, self.namespace, self.unit, self.rollout, self.at.iso(), self.kind, self.actor]
        return hashlib.sha256(json.dumps([*content, self.text]).encode()).hexdigest()


def line_of(cluster: str, unit: UnitName, rollout: RolloutId | None, entry: TimelineEntry) -> Line:
    """The line of an entry, of signs that every database can keep."""
    return Line(
        cluster=_kept(cluster),
        namespace=unit.namespace,
        unit=unit.object_name,
        rollout=_kept(rollout or ""),
        at=entry.at,
        kind=entry.kind,
        actor=_kept(entry.actor),
        text=_kept(entry.text),
    )


def _kept(text: str) -> str:
    """PostgreSQL keeps no NUL, and UTF-8 no half of a pair."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


class LineStore(Protocol):
    """A database that keeps lines. Any call may be the first: it connects, and makes its tables where they are not."""

    async def write(self, lines: Sequence[Line]) -> None:
        """Keeps all lines, those that it has already once; none of them asks only whether it could. Raises
        NotWritten."""
        ...

    async def close(self) -> None:
        """Ends the connection."""
        ...
