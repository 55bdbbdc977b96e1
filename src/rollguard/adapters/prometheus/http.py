"""One HTTP client of a store: TLS files and secrets as they are now, a largest body, the store's clock."""

from __future__ import annotations

import email.utils
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx2

from rollguard.adapters.prometheus.access import Credentials, client, credentials, tls_state
from rollguard.adapters.prometheus.answer import Trouble
from rollguard.model.metrics import GapCause
from rollguard.model.policy import MetricsStore
from rollguard.model.time import Instant
from rollguard.ports import Clock

LARGEST_BODY = 64 * 1024 * 1024
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer, of any status."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """A client with the TLS files as they were, and what the files of the authentication held."""

    client: httpx2.AsyncClient
    secret: Credentials


@dataclass(slots=True)
class StoreHttp:
    """Requests to the store that a policy names. Close it when done."""

    store: MetricsStore
    clock: Clock
    largest_body: int = LARGEST_BODY
    _client: httpx2.AsyncClient | None = field(default=None, init=False)
    _retired: httpx2.AsyncClient | None = field(default=None, init=False)
    _tls: tuple[tuple[str, int, int], ...] = field(default=(), init=False)
    _offset: float | None = field(default=None, init=False)

    async def open(self) -> Opened:
        """What requests need, from the files as they are now. Raises NoAccess where one cannot be used."""
        auth = self.store.auth
        state = tls_state(auth)
        http = self._client
        if http is None or state != self._tls:
            http = client(auth)
            # requests under way still use the one before: it is closed at the next change
            too_old, self._retired, self._client, self._tls = self._retired, self._client, http, state
            if too_old is not None:
                await too_old.aclose()
        return Opened(http, credentials(auth))

    async def send(self, opened: Opened, method: str, path: str, pairs: Pairs) -> Reply | Trouble:
        """One request with `pairs` as its form (POST) or its query (GET), without a deadline of its own.

        The words of a Trouble may hold a secret: mask them.
        """
        http, secret = opened.client, opened.secret
        request = http.build_request(
            method,
            self.store.address + path,
            data=dict(pairs) if method == "POST" else None,
            params=list(pairs) if method == "GET" else None,
            headers=list(secret.headers),
            timeout=None,
        )
        auth = httpx2.BasicAuth(*secret.basic) if secret.basic else None
        sent = self.clock.now()
        try:
            response = await http.send(request, stream=True, auth=auth)
            try:
                self._note_offset(response, sent)
                body = await self._body(response)
            finally:
                await response.aclose()
        except httpx2.TimeoutException as error:
            return Trouble(GapCause.TIMEOUT, type(error).__name__)
        except (httpx2.TransportError, OSError) as error:
            # a TLS alert that comes after the handshake reaches us as a bare SSLError
            return Trouble(GapCause.UNREACHABLE, f"{type(error).__name__}: {error}")
        except httpx2.DecodingError as error:
            return Trouble(GapCause.UNEXPECTED, f"{type(error).__name__}: {error}")
        if body is None:
            return Trouble(GapCause.UNEXPECTED, f"an answer of more than {self.largest_body} bytes")
        return Reply(response.status_code, body)

    def clock_offset(self) -> float | None:
        """Seconds by which the store's clock is ahead of ours: the last Date (in whole seconds, so half a second
        later on average) against the middle of its round trip; None before the first."""
        return self._offset

    async def close(self) -> None:
        """Ends the connections."""
        clients = (self._client, self._retired)
        self._client = self._retired = None
        for one in clients:
            if one is not None:
                await one.aclose()

    async def _body(self, response: httpx2.Response) -> bytes | None:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > self.largest_body:
                return None
            chunks.append(chunk)
        return b"".join(chunks)

    def _note_offset(self, response: httpx2.Response, sent: Instant) -> None:
        try:
            date = email.utils.parsedate_to_datetime(response.headers.get("Date", ""))
        except (ValueError, TypeError):
            return
        middle = sent.plus(self.clock.now().since(sent) / 2)
        self._offset = Instant(date.timestamp()).plus(0.5).since(middle)
