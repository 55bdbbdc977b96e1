"""A proxy in front of the API server that can do what a network does at the worst moment.

It forwards everything, watches included, and asks a `Script` about each mutating request of the client: let it
through, or run something (a SIGKILL of the controller) just before or just after it takes effect, and swallow its
answer.
It can also answer in the server's place, as one of another version would.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx2
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lab.faults.serving import serving

MUTATING = ("POST", "PUT", "PATCH", "DELETE")
NOT_FORWARDED = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding"}
NOT_RETURNED = {"content-length", "transfer-encoding", "connection", "content-encoding"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteSeen:
    """A mutating request: `n` counts from 1 over the proxy's life."""

    n: int
    method: str
    path: str
    dry_run: bool
    status: int | None
    """The server's answer; None where it was not sent on."""
    body: bytes = field(default=b"", repr=False)


Hook = Callable[[], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Script:
    """What happens at counted writes. Leases, Events and reviews are not counted: they are not the rollback."""

    aimed: Callable[[WriteSeen], bool] = lambda _write: False
    """Asked once of each counted write, in the order in which they arrive: whether it is struck."""
    before: Hook | None = None
    """Run instead of sending a struck write on: the write never happens, the client gets no answer."""
    after: Hook | None = None
    """Run when the server has answered a struck write: it took effect, the client gets no answer."""
    held_at: str = "/deployments/"
    """Part of the path of the write that is held."""
    held: Hook | None = None
    """Awaited, once, before the first such patch that is no dry run is sent on: the network keeps it."""
    held_answer: Hook | None = None
    """Awaited, once, before its answer is returned."""
    said: dict[str, dict[str, object]] = field(default_factory=dict)
    """What is answered in the server's place, by path."""
    seen: list[WriteSeen] = field(default_factory=list)
    """Those that were answered, or not sent on, in that order."""
    counting: bool = True
    numbered: int = 0
    """How many were counted so far, those under way included."""

    def quiet(self) -> bool:
        """Whether each counted write was answered, or not sent on: of a dead client, that nothing is still to come."""
        return len(self.seen) == self.numbered


@dataclass(slots=True, kw_only=True)
class Proxy:
    """A running proxy."""

    url: str
    kubeconfig: Path
    script: Script


def counted(method: str, path: str) -> bool:
    """Whether a request is a write of the product's own objects or of a workload."""
    ignored = ("/leases", "/events", "selfsubject", "tokenreviews")
    return method in MUTATING and not any(word in path for word in ignored)


class _Forwarder:
    def __init__(self, upstream: str, ca_file: Path, token: str, script: Script) -> None:
        context = ssl.create_default_context(cafile=str(ca_file))
        self._client = httpx2.AsyncClient(base_url=upstream, verify=context, trust_env=False, timeout=None)
        self._token = token
        self._script = script

    async def handle(self, request: Request) -> Response:
        try:
            return await self._handle(request)
        except ClientDisconnect:
            return Response(status_code=502)  # it died before its request was sent on

    async def _handle(self, request: Request) -> Response:
        if request.url.path in self._script.said:
            return JSONResponse(self._script.said[request.url.path])
        write = self._counted(request)
        try:
            # All of it must be here before its sender is stopped: headers and body travel apart.
            body = await request.body()
        except ClientDisconnect:
            self._note(write, None)
            raise
        write = None if write is None else replace(write, body=body)
        struck = write is not None and self._script.aimed(write)
        if struck and self._script.before is not None:
            self._note(write, None)
            await self._script.before()
            return Response(status_code=502)
        undoing = self._is_undo(request)
        if undoing:
            held, self._script.held = self._script.held, None
            await _wait_for(held)
        upstream = await self._send(request, body)
        if write is None:
            return _stream(upstream)
        await upstream.aread()
        self._note(write, upstream.status_code)
        if undoing:
            held, self._script.held_answer = self._script.held_answer, None
            await _wait_for(held)
        if struck and self._script.after is not None:
            await self._script.after()
            return Response(status_code=502)
        return Response(upstream.content, upstream.status_code, _returned(upstream))

    async def close(self) -> None:
        await self._client.aclose()

    def _is_undo(self, request: Request) -> bool:
        real = request.method == "PATCH" and "dryRun" not in request.query_params
        return real and self._script.held_at in request.url.path

    def _counted(self, request: Request) -> WriteSeen | None:
        if not self._script.counting or not counted(request.method, request.url.path):
            return None
        self._script.numbered += 1
        return WriteSeen(
            n=self._script.numbered,
            method=request.method,
            path=request.url.path,
            dry_run="dryRun" in request.query_params,
            status=None,
        )

    def _note(self, write: WriteSeen | None, status: int | None) -> None:
        if write is not None:
            self._script.seen.append(replace(write, status=status))

    async def _send(self, request: Request, body: bytes) -> httpx2.Response:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in NOT_FORWARDED}
        headers["authorization"] = f"Bearer {self._token}"
        target = httpx2.URL(path=request.url.path, query=request.url.query.encode())
        forwarded = self._client.build_request(request.method, target, headers=headers, content=body)
        return await self._client.send(forwarded, stream=True)


async def _wait_for(hook: Hook | None) -> None:
    if hook is not None:
        await hook()


def _returned(upstream: httpx2.Response) -> dict[str, str]:
    return {k: v for k, v in upstream.headers.items() if k.lower() not in NOT_RETURNED}


def _stream(upstream: httpx2.Response) -> StreamingResponse:
    async def body() -> AsyncIterator[bytes]:
        try:
            async for chunk in upstream.aiter_bytes():
                yield chunk
        except httpx2.HTTPError:
            return  # the server ended a watch: so does the proxy
        finally:
            await upstream.aclose()

    return StreamingResponse(body(), upstream.status_code, _returned(upstream))


@asynccontextmanager
async def proxying(
    *, upstream: str, ca_file: Path, token: str, workdir: Path, script: Script, name: str = "proxy"
) -> AsyncIterator[Proxy]:
    """A proxy for the length of the block, with a kubeconfig that points at it."""
    forwarder = _Forwarder(upstream, ca_file, token, script)
    app = Starlette(routes=[Route("/{path:path}", forwarder.handle, methods=["GET", *MUTATING])])
    try:
        async with serving(app) as url:
            yield Proxy(url=url, kubeconfig=_kubeconfig(workdir / f"{name}.kubeconfig", url, token), script=script)
    finally:
        await forwarder.close()


def _kubeconfig(path: Path, url: str, token: str) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": {"server": url}}],
        "users": [{"name": "lab", "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
    }
    path.write_text(json.dumps(document))  # JSON is YAML
    path.chmod(0o600)
    return path
