"""The HTTP client of channels: it logs nothing of their addresses, which may be secret; no answer fills the memory."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import httpx2

from rollguard.adapters.proxies import outward

ANSWER_MAX = 1024 * 1024
"""Bytes of an answer; the rest is not read."""
PACKED_MAX = 64 * 1024
"""Of a compressed one: it may become a thousand times as long."""


def client(transport: httpx2.AsyncBaseTransport | None = None, *, base_url: str = "") -> httpx2.AsyncClient:
    """A client that asks the named server alone, by the proxy that leads to it, and whose own log tells no address: it
    would at level INFO."""
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    over = _Cutting(transport or outward())
    return httpx2.AsyncClient(trust_env=False, transport=over, follow_redirects=False, base_url=base_url)


class _Cutting(httpx2.AsyncBaseTransport):
    """Passes on what answers begin with. What a server says at length is worth no more to us than its status."""

    def __init__(self, over: httpx2.AsyncBaseTransport) -> None:
        self._over = over

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._over.handle_async_request(request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        most = PACKED_MAX if "Content-Encoding" in response.headers else ANSWER_MAX
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Beginning(response.stream, most),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._over.aclose()


class _Beginning(httpx2.AsyncByteStream):
    def __init__(self, whole: httpx2.AsyncByteStream, most: int) -> None:
        self._whole = whole
        self._left = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._whole:
            yield part[: self._left]
            self._left -= len(part)
            if self._left <= 0:
                return

    async def aclose(self) -> None:
        await self._whole.aclose()
