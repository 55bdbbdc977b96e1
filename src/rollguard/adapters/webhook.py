"""The generic webhook: every notice as signed JSON, at least once; the notice's id makes a repeat recognisable."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

import httpx2

from rollguard.adapters.answers import PAUSE_S, passing, pause, words
from rollguard.adapters.client import client
from rollguard.adapters.secrets import Secrets, Unusable
from rollguard.adapters.unreached import unreached
from rollguard.model.channels import SecretKey
from rollguard.model.destinations import WebhookChannel
from rollguard.model.notices import Notice
from rollguard.model.records import RolloutRecord
from rollguard.notify import payload
from rollguard.ports import Accepted, Refused, Retry

BODY_SHOWN = 200


class _NoKey(Exception):
    """The key that is to sign cannot be used; the text says which, and why."""


class Webhook:
    """A `Notifier` that posts to one address. The signature is `sha256=<hex HMAC of the body>`."""

    def __init__(
        self,
        channel: WebhookChannel,
        secrets: Secrets,
        transport: httpx2.AsyncBaseTransport | None = None,
        *,
        body: Callable[[Notice, RolloutRecord | None], str] = payload,
        keys: tuple[SecretKey, ...] = (SecretKey.WEBHOOK_HMAC_KEY,),
    ) -> None:
        """`keys` are those of the Secret that may sign where the channel names no key file: the first that is there."""
        self._channel = channel
        self._secrets = secrets
        self._keys = keys
        self._body = body
        self._client = client(transport)

    @property
    def name(self) -> str:
        """The channel's name in the policy."""
        return self._channel.name

    async def send(
        self, notice: Notice, rollout: RolloutRecord | None, *, timeout: float
    ) -> Accepted | Refused | Retry:
        """Posts the notice. 2xx is accepted; 408, 429, 5xx and no answer are to be tried again; the rest is refused."""
        body = self._body(notice, rollout).encode()
        try:
            headers = self._headers(notice, body)
        except _NoKey as problem:
            return Retry(after=PAUSE_S, detail=f"not sent, for it cannot be signed: {problem}", sent=False)
        try:
            response = await self._client.post(self._channel.url, content=body, headers=headers, timeout=timeout)
        except httpx2.HTTPError as problem:
            return Retry(after=PAUSE_S, detail=unreached(self._channel.url, problem))
        return _outcome(response, self._secrets)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    def _headers(self, notice: Notice, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Idempotency-Key": notice.id}
        key = self._key()
        if key is not None:
            headers["X-Rollguard-Signature"] = "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()
        return headers

    def _key(self) -> bytes | None:
        """Its own file's, else one of the Secret; None where there is neither. Raises _NoKey: one that is there and
        cannot be used is no leave to send unsigned, or under another."""
        if self._channel.hmac_key_file:
            return _own(Path(self._channel.hmac_key_file))
        for key in self._keys:
            try:
                value = self._secrets.signing(key)
            except Unusable as problem:
                raise _NoKey(f"the Secret's `{key}` {problem}") from None
            if value is not None:
                return value
        return None


def _own(file: Path) -> bytes:
    """The key in the file. Raises _NoKey, also where it is empty: what that signs anybody can sign."""
    try:
        key = file.read_bytes().strip()
    except OSError as problem:
        raise _NoKey(f"hmacKeyFile {file}: {problem.strerror}") from None
    if not key:
        raise _NoKey(f"hmacKeyFile {file}: it is empty")
    return key


def _outcome(response: httpx2.Response, secrets: Secrets) -> Accepted | Refused | Retry:
    detail = f"HTTP {response.status_code} {secrets.redact(words(response))[:BODY_SHOWN]}".strip()
    if response.is_success:
        return Accepted(detail=detail)
    if passing(response):
        return Retry(after=pause(response), detail=detail)
    return Refused(detail=detail)
