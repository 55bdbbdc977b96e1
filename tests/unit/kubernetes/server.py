"""A small real HTTP server whose answers a test scripts: also streams, silence and resets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(slots=True, kw_only=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Conversation:
    """One request and the means to answer it."""

    asked: Asked
    writer: asyncio.StreamWriter

    async def answer(self, body: Any, status: int = 200, **headers: str) -> None:
        """A complete answer, as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(content)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        await self.writer.drain()

    async def stream(self) -> None:
        """The head of a watch."""
        self.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await self.writer.drain()

    async def event(self, type_: str, object_: Any) -> None:
        """One event of a watch."""
        line = json.dumps({"type": type_, "object": object_}).encode() + b"\n"
        self.writer.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        await self.writer.drain()

    def reset(self) -> None:
        """Ends the connection without a word."""
        self.writer.transport.abort()


Script = Callable[[Conversation], Awaitable[None]]


@dataclass(slots=True)
class Server:
    """What was asked, and where."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Server]:
    """A server that answers each request by the script; raises what the script raised."""
    server = Server()
    failures: list[BaseException] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (asked := await _request(reader)) is not None:
                server.asked.append(asked)
                await script(Conversation(asked, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except AssertionError as failure:
            failures.append(failure)
        finally:
            writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
    assert not failures, failures


async def _request(reader: asyncio.StreamReader) -> Asked | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode().strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Asked(method=method, path=parts.path, query=dict(parse_qsl(parts.query)), headers=headers, body=body)


async def until(probe: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Polls until the probe says yes."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not probe():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)
