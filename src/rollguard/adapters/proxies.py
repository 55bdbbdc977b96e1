"""The proxy to services outside the cluster, as `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say.

Channels of notices go by it, and nothing else does: the API server and the metrics store are asked directly.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Self
from urllib.parse import urlsplit

import httpx2

INSIDE = (".svc", ".cluster.local")


def inside(host: str) -> bool:
    """Whether only the cluster's own name service knows a name, as `alerts.monitoring.svc` or `alerts`."""
    return _address(host) is None and host != "localhost" and (host.endswith(INSIDE) or "." not in host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """Which proxy leads where: addresses, which may hold a password, so they are never told."""

    https: str = ""
    http: str = ""
    without: tuple[str, ...] = ()
    """Where none is used: `*`, addresses, networks as `10.0.0.0/8`, names with those below them."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """As the environment says: in small letters first, as everywhere."""

        def value(name: str) -> str:
            return (environment.get(name.lower()) or environment.get(name) or "").strip()

        without = tuple(each.strip().lower() for each in value("NO_PROXY").split(",") if each.strip())
        return cls(https=value("HTTPS_PROXY"), http=value("HTTP_PROXY"), without=without)

    def to(self, url: str) -> str:
        """The proxy on the way to that address; empty where it is reached directly, as what is inside the cluster and
        on this machine always is."""
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        secured = parts.scheme == "https"
        proxy = self.https if secured else self.http
        if not proxy or inside(host) or host == "localhost" or _loopback(host):
            return ""
        port = parts.port or (443 if secured else 80)
        if any(_matches(each, host, port) for each in self.without):
            return ""
        return proxy if "://" in proxy else f"http://{proxy}"


class Outward(httpx2.AsyncBaseTransport):
    """Sends each request directly, or by the proxy that leads to its address."""

    def __init__(self, proxies: Proxies, *, verify: ssl.SSLContext | None = None) -> None:
        """`verify`: whom to believe; the system's authorities where it is not given."""
        self._proxies = proxies
        self._verify = verify or _authorities()
        self._by: dict[str, httpx2.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """By a connection that is kept for the next one. A proxy's address that is none is a ProxyError."""
        proxy = self._proxies.to(str(request.url))
        if proxy not in self._by:
            way = _proxy(proxy) if proxy else None
            self._by[proxy] = httpx2.AsyncHTTPTransport(verify=self._verify, proxy=way, trust_env=False)
        return await self._by[proxy].handle_async_request(request)

    async def aclose(self) -> None:
        """Closes the connections."""
        for transport in self._by.values():
            await transport.aclose()


def present() -> Proxies:
    """Those of this process."""
    return Proxies.of(os.environ)


def outward() -> Outward:
    """By this process's proxies."""
    return Outward(present())


@cache
def _authorities() -> ssl.SSLContext:
    """Read once: a policy may name hundreds of channels, and each reading takes as long as a request."""
    return httpx2.create_ssl_context(trust_env=False)


def _proxy(address: str) -> httpx2.Proxy:
    """Its address is not told: it may hold a password."""
    if not address.startswith(("http://", "https://")):
        raise httpx2.ProxyError("the proxy's address begins neither with http:// nor with https://")
    try:
        return httpx2.Proxy(url=address)
    except httpx2.InvalidURL:
        raise httpx2.ProxyError("the proxy's address is none") from None


def _matches(entry: str, host: str, port: int) -> bool:
    """Whether an entry of `NO_PROXY` means that host. A name is not resolved for it."""
    if entry == "*":
        return True
    address = _address(host)
    if address is not None:
        network = _network(entry)
        return (network is not None and address in network) or entry.strip("[]") == host
    name, colon, digits = entry.partition(":")
    if colon and digits != str(port):
        return False
    bare = name.removeprefix("*").removeprefix(".")
    return bool(bare) and (host.endswith(f".{bare}") or (host == bare and not name.startswith((".", "*"))))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _loopback(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_loopback


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
