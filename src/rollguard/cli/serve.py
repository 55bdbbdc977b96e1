"""What the controller serves: `/healthz` and `/readyz` for probes, `/metrics` on loopback only."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from rollguard.adapters.numbers import whole_number
from rollguard.cli import exits

SERVICE_UNAVAILABLE = 503
PORT_MAX = 65535


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
            f"{text!r}: metrics are served on loopback only; for the kubelet's probes use --probes {text}", exits.USAGE
        )
    return str(ip), number


def app(health: Health, *, metrics: bool) -> Starlette:
    """The web application; without `metrics` it tells nothing but alive and ready."""

    async def healthz(_: Request) -> Response:
        return _answer(health.alive())

    async def readyz(_: Request) -> Response:
        return _answer(health.ready())

    async def exposition(_: Request) -> Response:
        text = await asyncio.to_thread(health.exposition)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    routes = [Route("/healthz", healthz), Route("/readyz", readyz)]
    return Starlette(routes=[*routes, Route("/metrics", exposition)] if metrics else routes)


@asynccontextmanager
async def serving(application: Starlette, host: str, port: int) -> AsyncIterator[int]:
    """Serves for the length of the block; yields the port (a free one where 0 was asked for)."""
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as problem:
        raise exits.CommandError(f"cannot listen on {host}:{port}: {problem.strerror}", exits.USAGE) from None
    config = uvicorn.Config(application, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the controller, which stops the guard first."""
        yield


def _answer(problem: str) -> Response:
    return PlainTextResponse(problem or "ok", SERVICE_UNAVAILABLE if problem else 200)
