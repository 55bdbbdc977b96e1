"""What the controller serves: `/healthz` and `/readyz` for probes, `/metrics` on loopback, or to known callers."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from rollguard.adapters.kubernetes.connection.callers import Access
from rollguard.adapters.numbers import whole_number
from rollguard.cli import exits
from rollguard.loop import Log
from rollguard.model.action import Unknown

UNAUTHENTICATED = 401
FORBIDDEN = 403
SERVICE_UNAVAILABLE = 503
PORT_MAX = 65535
CONNECTIONS_MAX = 200
"""At one address."""
REQUEST_WITHIN_S = 10.0
"""A connection on which no request comes in that time is ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What the probes ask: empty text means yes, anything else is the reason why not."""

    alive: Callable[[], str]
    ready: Callable[[], str]
    exposition: Callable[[], str]
    """The metrics in Prometheus' text format."""


def address(text: str, *, loopback_only: bool) -> tuple[str, int]:
    """Host and port of `127.0.0.1:9095`; ends the command where it is not one, or not loopback where it must be."""
    host, colon, port = text.rpartition(":")
    try:
        ip = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        raise exits.CommandError(f"{text!r}: expected IP:PORT, such as 127.0.0.1:9095", exits.USAGE) from None
    number = whole_number(port)
    if not colon or number is None or number > PORT_MAX:
        raise exits.CommandError(f"{text!r}: expected IP:PORT, such as 127.0.0.1:9095", exits.USAGE)
    if loopback_only and not ip.is_loopback:
        raise exits.CommandError(
            f"{text!r}: served to everybody, so on loopback only; for the kubelet's probes use --probes {text}, for"
            f" Prometheus --metrics {text}",
            exits.USAGE,
        )
    return str(ip), number


def for_probes(health: Health) -> Starlette:
    """Tells nothing but alive and ready."""
    return Starlette(routes=_probes(health))


def for_neighbours(health: Health) -> Starlette:
    """All of it, to whoever can connect."""
    return Starlette(routes=[*_probes(health), Route("/metrics", _metrics(health))])


def for_callers(health: Health, access: Callable[[str], Awaitable[Access | Unknown]], log: Log) -> Starlette:
    """The metrics, to whom the API server knows and allows them by `access`; why it did not say is logged."""
    metrics = _metrics(health)
    told = ""

    async def checked(request: Request) -> Response:
        nonlocal told
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return _refused(
                UNAUTHENTICATED, "expected `Authorization: Bearer TOKEN`, of an account that may get /metrics"
            )
        found = await access(token.strip())
        if isinstance(found, Unknown):
            if found.detail != told:
                log("metrics-caller-unknown", {"detail": found.detail})
            told = found.detail
            return _refused(SERVICE_UNAVAILABLE, "whether you may get /metrics cannot be found out now")
        told = ""
        if found is Access.STRANGER:
            return _refused(UNAUTHENTICATED, found.value)
        if found is Access.REFUSED:
            return _refused(FORBIDDEN, f"{found.value}: it needs the verb get on the nonResourceURL /metrics")
        return await metrics(request)

    return Starlette(routes=[Route("/metrics", checked)])


def _probes(health: Health) -> list[Route]:
    async def healthz(_: Request) -> Response:
        return _answer(health.alive())

    async def readyz(_: Request) -> Response:
        return _answer(health.ready())

    return [Route("/healthz", healthz), Route("/readyz", readyz)]


def _metrics(health: Health) -> Callable[[Request], Awaitable[Response]]:
    async def exposition(_: Request) -> Response:
        text = await asyncio.to_thread(health.exposition)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    return exposition


def _refused(status: int, text: str) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == UNAUTHENTICATED else None
    return PlainTextResponse(text, status, headers=headers)


@asynccontextmanager
async def serving(
    application: Starlette, host: str, port: int, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serves for the length of the block; yields the port (a free one where 0 was asked for)."""
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as problem:
        raise exits.CommandError(f"cannot listen on {host}:{port}: {problem.strerror}", exits.USAGE) from None
    config = uvicorn.Config(
        application, http=_Caller, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    config.load()
    config.ssl = tls
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task


class _Caller(H11Protocol):
    """One connection. Whoever connects and asks nothing, or asks a letter at a time, must not hold what the guard needs
    for its own connections."""

    _seen: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_MAX:
            resting = (each for each in self.connections if isinstance(each, _Caller) and each is not self)
            next((each for each in resting if each.rests()), self).transport.abort()
        self.loop.call_later(REQUEST_WITHIN_S, self._look)

    def rests(self) -> bool:
        """Whether no request of it is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _look(self) -> None:
        """Ends it where no request has come since the last look."""
        if self.transport.is_closing():
            return
        if self.rests() and self.cycle is self._seen:
            self.transport.abort()
            return
        self._seen = self.cycle
        self.loop.call_later(REQUEST_WITHIN_S, self._look)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the controller, which stops the guard first."""
        yield


def _answer(problem: str) -> Response:
    return PlainTextResponse(problem or "ok", SERVICE_UNAVAILABLE if problem else 200)
