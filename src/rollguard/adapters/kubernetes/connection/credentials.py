"""Credentials as httpx2 understands them: static, from a file that is read again, from an exec plugin."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator

import httpx2
import msgspec

from rollguard.adapters.kubernetes.connection.kubeconfig import ConfigError, Connection, ExecPlugin, use_certificate
from rollguard.model.time import Instant, Mono
from rollguard.ports import Clock

READ_AGAIN_S = 60.0
EXEC_TIMEOUT_S = 30.0
EXPIRY_MARGIN_S = 30.0


class _Status(msgspec.Struct, rename="camel"):
    token: str = ""
    expiration_timestamp: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""


class _ExecCredential(msgspec.Struct):
    status: _Status


def credentials(connection: Connection, clock: Clock) -> httpx2.Auth | None:
    """How requests of this connection are signed; None where only the client certificate, or nothing, does it."""
    if connection.token_file is not None:
        return TokenFile(connection, clock)
    if connection.token:
        return Bearer(connection.token)
    if connection.exec_plugin is not None:
        return ExecCredential(connection.exec_plugin, connection.tls, connection.server, clock)
    if connection.username:
        return httpx2.BasicAuth(connection.username, connection.password)
    return None


class Bearer(httpx2.Auth):
    """A token that never changes."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Adds the header."""
        request.headers["Authorization"] = self._header
        yield request


class TokenFile(httpx2.Auth):
    """A token in a file that somebody else renews: read again every minute, and at once after a 401."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        assert connection.token_file is not None
        self._path = connection.token_file
        self._clock = clock
        self._token = ""
        self._read_at: Mono | None = None

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Adds the header; a 401 reads the file again and tries once more if the token is another."""
        used = self._current()
        request.headers["Authorization"] = f"Bearer {used}"
        response = yield request
        if response.status_code == 401 and (fresh := self._read()) != used:
            request.headers["Authorization"] = f"Bearer {fresh}"
            yield request

    def _current(self) -> str:
        if self._read_at is None or self._clock.mono().since(self._read_at) > READ_AGAIN_S:
            return self._read()
        return self._token

    def _read(self) -> str:
        try:
            self._token = self._path.read_text().strip()
        except OSError as error:
            if not self._token:
                raise httpx2.TransportError(f"token file {self._path}: {error.strerror}") from error
        self._read_at = self._clock.mono()
        return self._token


class ExecCredential(httpx2.Auth):
    """A token (or certificate) that a plugin prints; asked again shortly before it expires and after a 401."""

    def __init__(self, plugin: ExecPlugin, tls: ssl.SSLContext, server: str, clock: Clock) -> None:
        self._plugin = plugin
        self._tls = tls
        self._server = server
        self._clock = clock
        self._running: asyncio.Task[_Status] | None = None
        self._status: _Status | None = None
        self._expires: Instant | None = None

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Adds the header; a 401 runs the plugin again and tries once more."""
        used = await self._current(stale=None)
        _sign(request, used)
        response = yield request
        if response.status_code == 401:
            _sign(request, await self._current(stale=used))
            yield request

    async def _current(self, *, stale: _Status | None) -> _Status:
        status = self._status
        expired = self._expires is not None and self._clock.now().plus(EXPIRY_MARGIN_S) >= self._expires
        if status is not None and not expired and status is not stale:
            return status
        if self._running is None:
            self._running = asyncio.create_task(self._run())
            self._running.add_done_callback(self._ended)
        # A plugin may take longer than one request waits: it goes on, and serves the next.
        return await asyncio.shield(self._running)

    def _ended(self, run: asyncio.Task[_Status]) -> None:
        self._running = None
        if not run.cancelled():
            run.exception()  # whoever still waits raises it; asyncio need not complain where nobody does

    async def _run(self) -> _Status:
        output = await plugin_output(self._plugin, self._server)
        try:
            status = msgspec.json.decode(output, type=_ExecCredential).status
            self._expires = Instant.parse(status.expiration_timestamp) if status.expiration_timestamp else None
            if status.client_certificate_data:
                use_certificate(self._tls, status.client_certificate_data.encode(), status.client_key_data.encode())
        except (msgspec.MsgspecError, ValueError, ssl.SSLError) as error:
            # What it printed holds the credential: never in an error.
            text = f"{self._plugin.command} printed no ExecCredential ({type(error).__name__})"
            raise httpx2.TransportError(text) from None
        self._status = status
        return status


def _sign(request: httpx2.Request, status: _Status) -> None:
    if status.token:
        request.headers["Authorization"] = f"Bearer {status.token}"


async def plugin_output(plugin: ExecPlugin, server: str) -> bytes:
    """What the plugin prints. It is ended with whoever waits for it. Raises TransportError and ConfigError."""
    info = {
        "apiVersion": plugin.api_version,
        "kind": "ExecCredential",
        "spec": {"interactive": False, "cluster": {"server": server}},
    }
    environment = {
        **os.environ,
        **dict(plugin.environment),
        "KUBERNETES_EXEC_INFO": msgspec.json.encode(info).decode(),
    }
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command,
            *plugin.arguments,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        hint = f"; {plugin.hint}" if plugin.hint else ""
        raise ConfigError(f"the kubeconfig's plugin {plugin.command} cannot run: {error.strerror}{hint}") from error
    try:
        async with asyncio.timeout(EXEC_TIMEOUT_S):
            output, _ = await process.communicate()
    except TimeoutError:
        raise httpx2.TransportError(f"{plugin.command} took longer than {EXEC_TIMEOUT_S:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise httpx2.TransportError(f"{plugin.command} ended with status {process.returncode}")
    return output
