"""Files and channels: whether they can be used is told, what they hold is not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from rollguard.adapters import reach
from rollguard.model.channels import SecretKey
from rollguard.model.destinations import WebhookChannel
from rollguard.model.policy import Policy, StoreAccess
from tests.unit.doctor.building import policy


def with_files(token: Path, key: Path) -> Policy:
    plain = policy()
    hook = WebhookChannel(name="hook", url="https://hooks.example.com/secret", hmac_key_file=str(key))
    auth = StoreAccess(bearer_token_file=str(token))
    return replace(plain, metrics=replace(plain.metrics, auth=auth), webhooks=(hook,))


def test_each_file_is_told_with_what_it_is_for_and_why_it_cannot_be_used(tmp_path: Path) -> None:
    token, key = tmp_path / "token", tmp_path / "key"
    token.write_text("s3cret")
    key.touch()
    found = reach.files(with_files(token, key), tmp_path)
    assert [(file.path, file.purpose, file.problem) for file in found] == [
        (str(token), "the metrics store's token", ""),
        (str(key), "the key of channel hook", "it is empty"),
    ]
    token.unlink()
    assert reach.files(with_files(token, key), tmp_path)[0].problem == "No such file or directory"
    assert reach.files(with_files(tmp_path, key), tmp_path)[0].problem == "Is a directory"


def test_where_the_guard_takes_alerts_its_token_is_one_of_the_files(tmp_path: Path) -> None:
    takes = replace(policy(), notification_secrets=(SecretKey.ALERTMANAGER_WEBHOOK_TOKEN,))
    (file,) = reach.files(takes, tmp_path)
    assert file.path == str(tmp_path / "alertmanager-webhook-token")
    assert (file.purpose, file.problem) == ("the token by which Alertmanager is known", "No such file or directory")
    (tmp_path / "alertmanager-webhook-token").write_text("t")
    assert reach.files(takes, tmp_path)[0].problem == ""


async def channel(url: str) -> tuple[str, str]:
    (found,) = await reach.channels(replace(policy(), webhooks=(WebhookChannel(name="hook", url=url),)))
    assert "secret" not in str(found)
    return found.host, found.problem


async def test_a_channel_is_good_where_its_host_takes_a_connection_and_nothing_is_sent() -> None:
    heard: list[bytes] = []
    ended = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        writer.close()
        ended.set()

    listener = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    assert await channel(f"http://127.0.0.1:{port}/secret") == ("127.0.0.1", "")
    async with asyncio.timeout(60):
        await ended.wait()
    listener.close()
    assert heard == [b""]


async def test_a_port_that_nobody_listens_on_is_told() -> None:
    host, problem = await channel("http://127.0.0.1:9/secret")
    assert host == "127.0.0.1"
    assert problem.startswith("port 9 took no connection")


async def test_a_name_that_does_not_resolve_is_told() -> None:
    _host, problem = await channel("https://nowhere.invalid/secret")
    assert problem.startswith("the name does not resolve")


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("http://prometheus.monitoring.svc:9090", True),
        ("http://prometheus.monitoring.svc.cluster.local:9090", True),
        ("http://prometheus:9090", True),
        ("http://localhost:9090", False),
        ("http://10.0.0.1:9090", False),
        ("http://[::1]:9090", False),
        ("https://prometheus.example.com", False),
    ],
)
def test_addresses_that_only_a_cluster_resolves(address: str, inside: bool) -> None:
    assert reach.only_inside(address) is inside
