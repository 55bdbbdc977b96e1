"""Why a service that takes notices gave no answer: where it is, and the cause; no more of its address, which may be
secret, and nothing that an answer or an error repeats of it."""

from __future__ import annotations

import os
import re
import socket
import ssl
from urllib.parse import urlsplit

import httpx2

from rollguard.adapters import proxies

PORTS = {"http": 80, "https": 443}
STATUS = re.compile(r"\d{3}\b", re.ASCII)


def unreached(url: str, problem: httpx2.HTTPError) -> str:
    """`HOST:PORT: cause`; it says where the way there leads by a proxy, which is not named: its address may hold a
    password."""
    parts = urlsplit(url)
    place = f"{parts.hostname}:{parts.port or PORTS.get(parts.scheme, 443)}" if parts.hostname else "the service"
    way = " by the proxy" if proxies.present().to(url) or isinstance(problem, httpx2.ProxyError) else ""
    return f"{place}{way}: {_cause(problem)}"


def _cause(problem: httpx2.HTTPError) -> str:
    if isinstance(problem, httpx2.ProxyError):
        status = STATUS.match(str(problem))
        return f"the proxy answers HTTP {status[0]}" if status else "its address cannot be used"
    if isinstance(problem, httpx2.ConnectTimeout):
        return "took no connection in time"
    if isinstance(problem, httpx2.TimeoutException):
        return "no whole answer in time"
    return next((words for words in map(_words, _chain(problem)) if words), type(problem).__name__)


def _chain(problem: BaseException | None) -> list[BaseException]:
    """From what happened first to what was made of it."""
    found: list[BaseException] = []
    while problem is not None:
        found.insert(0, problem)
        problem = problem.__cause__ or problem.__context__
    return found


def _words(problem: BaseException) -> str:
    """Of those that the system or TLS names; else empty."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"its certificate is not good: {problem.verify_message}"
    if isinstance(problem, ssl.SSLError):
        return f"no TLS: {(problem.reason or type(problem).__name__).replace('_', ' ').lower()}"
    if isinstance(problem, socket.gaierror):
        return f"the name does not resolve: {problem.strerror}"
    return os.strerror(problem.errno).lower() if isinstance(problem, OSError) and problem.errno else ""
