"""The HTTP client of channels whose address is a secret."""

from __future__ import annotations

import logging

import httpx2

from rollguard.adapters.proxies import outward


def client(transport: httpx2.AsyncBaseTransport | None = None) -> httpx2.AsyncClient:
    """A client that asks the named server alone, by the proxy that leads to it, and whose own log tells no address: it
    would at level INFO."""
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    return httpx2.AsyncClient(trust_env=False, transport=transport or outward(), follow_redirects=False)
