"""A keep-alive HTTP/1.1 client for many small requests: one pool of connections for each address."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

Failure = Literal["refused", "reset", "timeout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one request: a status with its body, or a failure of the connection."""

    status: int = 0
    body: bytes = b""
    failure: Failure | None = None


_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Pool:
    """Connections to one address. An idle connection that the server has closed is replaced, as real clients do."""

    host: str
    port: int
    connect_timeout_s: float = 2.0
    _idle: deque[_Connection] = field(default_factory=deque)
    _closed: bool = False

    @property
    def idle(self) -> bool:
        """Whether a connection is open that no request uses."""
        return any(not reader.at_eof() and not writer.is_closing() for reader, writer in self._idle)

    async def get(self, path: str, timeout_s: float) -> Outcome:
        """One GET. A connection that breaks after the request was sent is `reset`, never tried again."""
        try:
            connection = self._reusable() or await self._connect()
        except (OSError, TimeoutError):
            return Outcome(failure="refused")
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(connection, path)
        except TimeoutError:
            connection[1].close()
            return Outcome(failure="timeout")
        except (OSError, asyncio.IncompleteReadError, ValueError):
            connection[1].close()
            return Outcome(failure="reset")

    def close(self) -> None:
        """Closes idle connections now, busy ones after their answer."""
        self._closed = True
        while self._idle:
            self._idle.pop()[1].close()

    def _reusable(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection[0].at_eof() and not connection[1].is_closing():
                return connection
            connection[1].close()
        return None

    async def _connect(self) -> _Connection:
        async with asyncio.timeout(self.connect_timeout_s):
            return await asyncio.open_connection(self.host, self.port)

    async def _exchange(self, connection: _Connection, path: str) -> Outcome:
        reader, writer = connection
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n\r\n".encode("latin-1"))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ", 2)[1])
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if self._closed or headers.get("connection", "").lower() == "close":
            writer.close()
        else:
            self._idle.append(connection)
        return Outcome(status=status, body=body)
