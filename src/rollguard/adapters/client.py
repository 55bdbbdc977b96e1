"""The HTTP client of channels whose address is a secret."""

from __future__ import annotations

import logging
import ssl
from functools import cache

import httpx2


def client(transport: httpx2.AsyncBaseTransport | None = None) -> httpx2.AsyncClient:
    """A client that asks the named server alone, and whose own log tells no address: it would at level INFO."""
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    return httpx2.AsyncClient(trust_env=False, transport=transport, follow_redirects=False, verify=_authorities())


@cache
def _authorities() -> ssl.SSLContext:
    """Read once: a policy may name hundreds of channels, and each reading takes as long as a request."""
    return httpx2.create_ssl_context(trust_env=False)
