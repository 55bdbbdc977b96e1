"""Notices leave by a proxy with CONNECT, as `HTTPS_PROXY` says; the API server is asked directly."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from lab import pki
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.adapters.kubernetes.store.orders import KubernetesOrders
from rollguard.adapters.pagerduty import PagerDuty
from rollguard.adapters.pagerduty_events import PagerDutyEvents
from rollguard.adapters.proxies import Outward, Proxies
from rollguard.adapters.secrets import Secrets
from rollguard.adapters.slack import Slack
from rollguard.adapters.webhook import Webhook
from rollguard.model.channels import SLACK_INCIDENTS
from rollguard.model.destinations import Paging, SlackChannels, WebhookChannel
from rollguard.ports import Accepted, Notifier, Retry
from tests.contract.test_pagerduty import HOLD
from tests.unit.kubernetes.server import Conversation, serving

CLOCK = SystemClock()
PASSWORD = "pr0xy-pass"
HOOK = WebhookChannel(name="ops", url="https://hooks.example.com/secret")
KEYS = {
    "slack-webhook-url": "https://hooks.slack.com/services/T0/B0/x",
    "pagerduty-api-key": "key",
    "pagerduty-service-id": "P1",
    "pagerduty-routing-key": "r" * 32,
}


@dataclass(slots=True)
class Proxy:
    """It lets those through that show the password, all to one port of this machine; without a port nobody."""

    leads_to: int | None = None
    port: int = 0
    heads: list[str] = field(default_factory=list)
    tunnels: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        if self.leads_to is None or f"Basic {base64.b64encode(f'guard:{PASSWORD}'.encode()).decode()}" not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.leads_to)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.tunnels |= {asyncio.create_task(_pump(reader, back)), asyncio.create_task(_pump(there, writer))}

    def asked_for(self) -> list[str]:
        """The request lines that it heard."""
        return [head.partition(" HTTP/")[0] for head in self.heads]


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@asynccontextmanager
async def proxying(leads_to: int | None = None) -> AsyncIterator[Proxy]:
    proxy = Proxy(leads_to)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in proxy.tunnels:
            task.cancel()
        await asyncio.gather(*proxy.tunnels, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Outside:
    """A service behind TLS, under a name that nobody here resolves."""

    server: HTTPServer
    trusted: ssl.SSLContext


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    keys = pki.create(tmp_path / "keys")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys.certificate, keys.key)
    trusted = ssl.create_default_context(cafile=str(keys.certificate))
    trusted.check_hostname = False  # the lab's certificate is for this machine
    with HTTPServer(host="127.0.0.1", port=0, ssl_context=context) as server:
        yield Outside(server, trusted)


async def test_a_notice_goes_through_the_tunnel_and_the_proxy_sees_the_host_alone(outside: Outside) -> None:
    outside.server.expect_request("/secret", method="POST").respond_with_data("", status=204)
    async with proxying(outside.server.port) as proxy:
        proxies = Proxies(https=f"http://guard:{PASSWORD}@127.0.0.1:{proxy.port}")
        hook = Webhook(HOOK, Secrets(Path("/nowhere")), Outward(proxies, verify=outside.trusted))
        outcome = await hook.send(HOLD, None, timeout=30)
        await hook.close()
    assert isinstance(outcome, Accepted)
    assert proxy.asked_for() == ["CONNECT hooks.example.com:443"]
    assert "secret" not in proxy.heads[0]
    ((request, _),) = outside.server.log
    assert "Proxy-Authorization" not in request.headers


def webhook(_secrets: Secrets) -> Notifier:
    return Webhook(HOOK, _secrets)


def slack(secrets: Secrets) -> Notifier:
    return Slack(SLACK_INCIDENTS, SlackChannels(), secrets=secrets, clock=CLOCK)


def events(secrets: Secrets) -> Notifier:
    return PagerDutyEvents(Paging(), secrets, cluster="")


def rest(secrets: Secrets) -> Notifier:
    return PagerDuty(Paging(sender="oncall@example.com"), secrets, cluster="")


@pytest.mark.parametrize(
    ("make", "host"),
    [
        (webhook, "hooks.example.com"),
        (slack, "hooks.slack.com"),
        (events, "events.pagerduty.com"),
        (rest, "api.pagerduty.com"),
    ],
)
async def test_each_channel_heeds_the_environment_and_a_proxy_that_refuses_is_tried_again_without_its_password(
    make: Callable[[Secrets], Notifier], host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in KEYS.items():
        (tmp_path / key).write_text(value)
    async with proxying() as proxy:
        monkeypatch.delenv("https_proxy", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("HTTPS_PROXY", f"http://guard:{PASSWORD}@127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "10.0.0.0/8")
        channel = make(Secrets(tmp_path))
        outcome = await channel.send(HOLD, None, timeout=30)
        await channel.close()
    assert isinstance(outcome, Retry)
    assert PASSWORD not in outcome.detail
    assert set(proxy.asked_for()) == {f"CONNECT {host}:443"}


async def test_a_proxy_whose_address_is_none_is_no_answer_and_its_password_is_not_told() -> None:
    for address in (f"socks5://guard:{PASSWORD}@127.0.0.1:1", f"http://guard:{PASSWORD}@127.0.0.1:port"):
        hook = Webhook(HOOK, Secrets(Path("/nowhere")), Outward(Proxies(https=address)))
        outcome = await hook.send(HOLD, None, timeout=30)
        await hook.close()
        assert isinstance(outcome, Retry)
        assert outcome.detail == "hooks.example.com:443 by the proxy: its address cannot be used"


async def test_the_api_server_is_never_asked_by_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(conversation: Conversation) -> None:
        await conversation.answer({"status": {"userInfo": {"username": "ana"}}}, 201)

    async with proxying() as proxy, serving(script) as server:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="default"), CLOCK)
        who = await KubernetesOrders(api, CLOCK).whoami()
        await api.close()
    assert who == "ana"
    assert proxy.heads == []
