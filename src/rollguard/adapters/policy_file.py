"""`ports.PolicySource` by a file that is read again and again; a mounted ConfigMap swaps it by a symlink."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from rollguard.model.action import Unknown
from rollguard.model.policy import Policy
from rollguard.model.records import PolicyStatus
from rollguard.policy import load
from rollguard.ports import Clock, PolicyReading

EVERY_S = 2.0


class PolicyFile:
    """Read every two seconds. Use as an async context manager.

    A text counts once it was read twice alike: an editor that is writing leaves half a text, which may even be valid.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        """Reads it a first time, at once."""
        self._path = path
        self._clock = clock
        self._reading = _reading(path, *_text(path))
        self._taken = self._seen = ("", "")
        """Text and what kept it from being read: as it counts, and as it was seen last."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._read_on(), name=f"policy {self._path}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def latest(self) -> PolicyReading:
        """As the file was read last."""
        return self._reading

    async def report(self, status: PolicyStatus, *, timeout: float) -> Unknown | None:  # noqa: ARG002
        """A file has no place for it."""
        return None

    async def _read_on(self) -> None:
        while True:
            await self.read()
            await self._clock.sleep_until(self._clock.mono().plus(EVERY_S))

    async def read(self) -> None:
        """One look at the file."""
        before, self._seen = self._seen, await asyncio.to_thread(_text, self._path)
        if self._seen != before or self._seen == self._taken:
            return
        self._taken = self._seen
        self._reading = _reading(self._path, *self._seen)


def _text(path: Path) -> tuple[str, str]:
    """The text, and what kept it from being read."""
    try:
        return path.read_text(encoding="utf-8"), ""
    except (OSError, UnicodeDecodeError) as problem:
        return "", f"{path}: it cannot be read: {problem}"


def _reading(path: Path, text: str, unread: str) -> PolicyReading:
    loaded = () if unread else load(text, str(path))
    if isinstance(loaded, Policy):
        return PolicyReading(policy=loaded)
    return PolicyReading(policy=None, mistakes=(unread,) if unread else tuple(map(str, loaded)))
