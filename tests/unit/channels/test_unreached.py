"""What does not answer is named by host, port and cause, and by nothing else of its address."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import httpx2
import pytest

from rollguard.adapters.secrets import Secrets
from rollguard.adapters.unreached import unreached
from rollguard.adapters.webhook import Webhook
from rollguard.model.destinations import WebhookChannel
from rollguard.ports import Retry
from tests.unit.webhook.test_webhook import NOTICE

ADDRESS = "https://hooks.example.com/services/sEcReT"


async def said(url: str) -> str:
    """By a webhook at that address."""
    hook = Webhook(WebhookChannel(name="ops", url=url), Secrets(Path("/nowhere")))
    outcome = await hook.send(NOTICE, None, timeout=30)
    await hook.close()
    assert isinstance(outcome, Retry)
    return outcome.detail


async def test_a_port_on_which_nobody_listens_refuses() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        assert await said(f"http://127.0.0.1:{port}/sEcReT") == f"127.0.0.1:{port}: connection refused"


async def test_a_server_that_speaks_no_tls_is_told_from_one_that_is_not_there() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert (await said(f"https://127.0.0.1:{port}/sEcReT")).startswith(f"127.0.0.1:{port}: no TLS: ")


def caused(problem: httpx2.HTTPError, cause: BaseException) -> httpx2.HTTPError:
    problem.__cause__ = cause
    return problem


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (
            caused(httpx2.ConnectError("sEcReT"), socket.gaierror(-2, "Name or service not known")),
            "hooks.example.com:443: the name does not resolve: Name or service not known",
        ),
        (httpx2.ConnectTimeout("sEcReT"), "hooks.example.com:443: took no connection in time"),
        (httpx2.ReadTimeout("sEcReT"), "hooks.example.com:443: no whole answer in time"),
        (httpx2.RemoteProtocolError("sEcReT"), "hooks.example.com:443: RemoteProtocolError"),
        (httpx2.ProxyError("407 sEcReT"), "hooks.example.com:443 by the proxy: the proxy answers HTTP 407"),
    ],
)
def test_the_cause_is_told_and_no_secret_path(problem: httpx2.HTTPError, words: str) -> None:
    assert unreached(ADDRESS, problem) == words


def test_that_a_proxy_leads_there_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://guard:sEcReT@proxy.example.com:3128")
    problem = caused(httpx2.ConnectError("sEcReT"), ConnectionRefusedError(111, "sEcReT"))
    assert unreached(ADDRESS, problem) == "hooks.example.com:443 by the proxy: connection refused"
