"""A small HTTP/1.1 server on `asyncio.Protocol`: keep-alive, delayed answers without a task, graceful drain."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

_REASONS = {
    200: "OK", 201: "Created", 204: "No Content", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip
_HEADER_LIMIT_BYTES = 32_768


@dataclass(slots=True, kw_only=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body) if self.body else {}


@dataclass(slots=True, kw_only=True)
class Response:
    """`delay_s` is waited before the answer leaves: slow requests cost a timer, not a task. Then `sent` is called."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    delay_s: float = 0.0
    sent: Callable[[], None] | None = None


def json_response(value: Any, status: int = 200) -> Response:
    return Response(status=status, body=json.dumps(value).encode() + b"\n", content_type="application/json")


Handler = Callable[[Request], Response | Awaitable[Response]]


@dataclass(slots=True)
class HttpServer:
    """Serves `handler` on one address. `drain` stops accepting and lets running requests finish."""

    handler: Handler
    _server: asyncio.Server | None = None
    _connections: set[_Connection] = field(default_factory=set)
    _empty: asyncio.Event = field(default_factory=asyncio.Event)
    draining: bool = False

    async def listen(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> int:
        """Starts listening and returns the port. Raises OSError when the address is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), host, port, ssl=tls, backlog=256)
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def in_flight(self) -> int:
        return sum(1 for connection in self._connections if connection.busy)

    async def drain(self, deadline_s: float) -> bool:
        """Closes the listener and idle connections; true if what ran had finished by the deadline."""
        self.draining = True
        self._stop_listening()
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        for connection in list(self._connections):
            connection.close_if_idle()
        self._empty.clear()
        if self._connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), max(0.0, end - loop.time()))
        finished = not self._connections
        self.abort()
        return finished

    def forget(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    def abort(self) -> None:
        """Closes the listener and resets every connection, as the kernel does for a killed process."""
        self._stop_listening()
        for connection in list(self._connections):
            connection.abort()

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


class _Connection(asyncio.Protocol):
    def __init__(self, server: HttpServer) -> None:
        self._owner = server
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._close_after = False
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._owner._connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._owner.forget(self)
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.busy:
            self._next_request()

    def close_if_idle(self) -> None:
        if not self.busy and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _next_request(self) -> None:
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            if len(self._buffer) > _HEADER_LIMIT_BYTES:
                self.abort()
            return
        lines = self._buffer[:head_end].decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        end = head_end + 4 + int(headers.get("content-length", "0"))
        if len(self._buffer) < end:
            return
        method, target, _ = lines[0].split(" ", 2)
        parts = urlsplit(target)
        body = bytes(self._buffer[head_end + 4 : end])
        del self._buffer[:end]
        self.busy = True
        self._close_after = headers.get("connection", "").lower() == "close"
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self._answer(Request(method=method, path=unquote(parts.path), query=query, body=body))

    def _answer(self, request: Request) -> None:
        outcome = self._owner.handler(request)
        if isinstance(outcome, Response):
            self._send_later(outcome)
        else:
            self._task = asyncio.ensure_future(self._await(outcome))

    async def _await(self, outcome: Awaitable[Response]) -> None:
        try:
            self._send_later(await outcome)
        except BaseException:
            self.abort()  # as a crashed handler would look; the error itself goes to the loop's log
            raise
        finally:
            self._task = None

    def _send_later(self, response: Response) -> None:
        if response.delay_s > 0:
            self._timer = asyncio.get_running_loop().call_later(response.delay_s, self._send, response)
        else:
            self._send(response)

    def _send(self, response: Response) -> None:
        self._timer = None
        if self._transport is None:
            return
        if response.sent is not None:
            response.sent()
        closing = self._close_after or self._owner.draining
        head = (
            f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Status')}\r\n"
            f"Content-Type: {response.content_type}\r\nContent-Length: {len(response.body)}\r\n"
            f"Connection: {'close' if closing else 'keep-alive'}\r\n\r\n"
        )
        self._transport.write(head.encode("latin-1") + response.body)
        self.busy = False
        if closing:
            self._transport.close()
        elif self._buffer:
            self._next_request()
