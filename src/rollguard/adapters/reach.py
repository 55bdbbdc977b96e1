"""Files and channels that a policy names: can they be used from here. No secret is kept, no message is sent."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from rollguard.adapters import proxies
from rollguard.doctor.facts import Channel, SecretFile
from rollguard.model.channels import SecretKey
from rollguard.model.destinations import WebhookChannel
from rollguard.model.policy import Policy

CONNECT_S = 5.0
PORTS = {"http": 80, "https": 443}


def files(policy: Policy, secrets: Path) -> tuple[SecretFile, ...]:
    """Each file that the policy names, once for each purpose; `secrets` is where the Secret for notices is mounted."""
    named = [*_named(policy), *_of_alerts(policy, secrets)]
    return tuple(SecretFile(path=path, purpose=purpose, problem=_unreadable(path)) for path, purpose in named)


async def channels(policy: Policy) -> tuple[Channel, ...]:
    """Each webhook and the address of tickets, and whether its host takes a connection."""
    return tuple(await asyncio.gather(*(_channel(hook) for hook in _hooks(policy))))


def only_inside(address: str) -> bool:
    """Whether an address is one that only a cluster's own name service knows, as `http://prometheus.monitoring.svc`."""
    return proxies.inside(urlsplit(address).hostname or "")


def _named(policy: Policy) -> Iterator[tuple[str, str]]:
    auth = policy.metrics.auth
    yield from (
        (path, purpose)
        for path, purpose in (
            (auth.bearer_token_file, "the metrics store's token"),
            (auth.password_file, "the metrics store's password"),
            (auth.ca_file, "the metrics store's certificate authority"),
            (auth.certificate_file, "the certificate for the metrics store"),
            (auth.key_file, "the key for the metrics store"),
        )
        if path
    )
    yield from (
        (hook.hmac_key_file, f"the key of channel {hook.name}") for hook in _hooks(policy) if hook.hmac_key_file
    )


def _of_alerts(policy: Policy, secrets: Path) -> Iterator[tuple[str, str]]:
    """Without it the guard takes no alerts."""
    if policy.takes_alerts:
        yield str(secrets / SecretKey.ALERTMANAGER_WEBHOOK_TOKEN), "the token by which Alertmanager is known"


def _hooks(policy: Policy) -> tuple[WebhookChannel, ...]:
    return (*policy.webhooks, *((policy.tickets.channel,) if policy.tickets is not None else ()))


def _unreadable(path: str) -> str:
    """Why the file cannot be used, empty where it can. What it holds is not looked at."""
    try:
        with Path(path).open("rb") as file:
            return "" if file.read(1) else "it is empty"
    except OSError as problem:
        return problem.strerror or type(problem).__name__


async def _channel(hook: WebhookChannel) -> Channel:
    """Only the host is named: the path of a webhook may be its secret. Where a proxy leads there, that is tried."""
    proxy = proxies.present().to(hook.url)
    parts = urlsplit(proxy or hook.url)
    problem = await _refused(parts.hostname or "", parts.port or PORTS.get(parts.scheme, 443))
    where = "the proxy on the way there: " if proxy and problem else ""
    return Channel(name=hook.name, host=urlsplit(hook.url).hostname or "", problem=f"{where}{problem}")


async def _refused(host: str, port: int) -> str:
    try:
        async with asyncio.timeout(CONNECT_S):
            _reader, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"port {port} took no connection within {CONNECT_S:g} s"
    except socket.gaierror as problem:
        return f"the name does not resolve: {problem.strerror}"
    except OSError as problem:
        return f"port {port} took no connection: {problem.strerror or type(problem).__name__}"
    writer.close()
    return ""
