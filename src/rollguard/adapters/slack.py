"""Slack: a bot's token for all channels, with a thread for each rollout, or an incoming webhook for one channel.

Of what Slack answers only its codes are kept: in anything else the secret address may be repeated.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

import httpx2
import msgspec

from rollguard.adapters.answers import PAUSE_S, TOO_MANY_REQUESTS, passing, pause, words
from rollguard.adapters.client import client
from rollguard.adapters.secrets import Secrets
from rollguard.adapters.unreached import unreached
from rollguard.model.channels import OWN_WEBHOOKS, SecretKey
from rollguard.model.destinations import SlackChannels
from rollguard.model.documents import Json
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.records import RolloutRecord
from rollguard.model.time import Mono
from rollguard.notify.slack_blocks import message
from rollguard.ports import Accepted, Clock, NotConfigured, Refused, Retry

PACE_SECONDS = 1.0
"""After a pause: Slack takes about one message a second in a channel, and bears with bursts before it."""
SAID_MAX = 200
TIMESTAMP = re.compile(r"\d+\.\d{6}", re.ASCII)
CODE = re.compile(r"[a-z_]{2,64}", re.ASCII)
HOST = re.compile(r"[A-Za-z0-9.-]+", re.ASCII)
NO_TOKEN = "expected a bot's token, which begins with xoxb-"  # noqa: S105 (words)
LOOPBACK = ("127.0.0.1", "::1", "localhost")

LIMITED = frozenset({"ratelimited", "rate_limited"})
PASSING = LIMITED | {
    "fatal_error",
    "internal_error",
    "message_limit_exceeded",
    "org_login_required",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
}
"""Codes of the API that say nothing against the message. After some of them it may have arrived all the same."""
NO_THREAD = frozenset(
    {
        "cannot_reply_to_message",
        "restricted_action_non_threadable_channel",
        "restricted_action_thread_locked",
        "thread_not_found",
    }
)
"""Codes that are against the thread alone."""
_NEW_TOKEN = "put the Bot User OAuth Token of an installed app into slack-bot-token"  # noqa: S105 (words)
_NEW_HOOK = "the webhook was revoked or never was: put the address of a new one into {key}"
_ADMINISTRATOR = "an administrator of the workspace keeps apps from writing to {channel}"
WHAT_TO_DO = {
    "account_inactive": _NEW_TOKEN,
    "invalid_auth": _NEW_TOKEN,
    "not_allowed_token_type": _NEW_TOKEN,
    "not_authed": _NEW_TOKEN,
    "token_expired": _NEW_TOKEN,
    "token_revoked": _NEW_TOKEN,
    "missing_scope": "give the app the scope chat:write, and install it again",
    "no_permission": "invite the app to {channel}",
    "not_in_channel": "invite the app to {channel}, or give it the scope chat:write.public",
    "channel_not_found": "there is no {channel} that the app may see: create it, or invite the app to it",
    "channel_is_archived": "the channel is archived",
    "is_archived": "{channel} is archived",
    "team_not_found": "an organisation's token needs the channel's id in the policy, not its name",
    "ekm_access_denied": _ADMINISTRATOR,
    "restricted_action": _ADMINISTRATOR,
    "restricted_action_read_only_channel": _ADMINISTRATOR,
    "restricted_action_thread_only_channel": _ADMINISTRATOR,
    "action_prohibited": "an administrator of the workspace keeps webhooks from writing to that channel",
    "invalid_token": _NEW_HOOK,
    "no_active_hooks": _NEW_HOOK,
    "no_service": _NEW_HOOK,
    "no_service_id": _NEW_HOOK,
    "no_team": _NEW_HOOK,
}
"""By what Slack answers."""

Outcome = Accepted | Refused | Retry | NotConfigured


class _Message(msgspec.Struct):
    thread_ts: str = ""


class _More(msgspec.Struct):
    messages: list[str] = []


class _Answer(msgspec.Struct):
    """What the API says, as far as it is of use."""

    ok: bool
    error: str = ""
    ts: str = ""
    message: _Message = msgspec.field(default_factory=_Message)
    response_metadata: _More = msgspec.field(default_factory=_More)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """Where a message goes now, and by which secret."""

    url: httpx2.URL
    key: SecretKey
    token: str = ""
    """Empty for a webhook."""


class Slack:
    """A `Notifier` of one channel. Secrets are read at each send: they may come, and change, at any time."""

    def __init__(
        self,
        name: str,
        channels: SlackChannels,
        *,
        secrets: Secrets,
        clock: Clock,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """`name`: one of the three of Slack, or a team's; `channels`: which channel that is, and where a bot posts."""
        self._name = name
        self._channel = channels.named(name)
        self._api = httpx2.URL(channels.post_message)
        self._secrets = secrets
        self._clock = clock
        self._paused = self._turn = clock.mono()
        self._client = client(transport)

    @property
    def name(self) -> str:
        """The channel's name for routes and records."""
        return self._name

    async def send(self, notice: Notice, rollout: RolloutRecord | None, *, timeout: float) -> Outcome:
        """Posts the notice: below the rollout's first message where a bot may, and where it is a page in the channel
        too. The reference of an answer is the message's `ts`; a webhook has none."""
        deadline = self._clock.mono().plus(timeout)
        if (wait := await self._wait(deadline)) > 0:
            return Retry(after=wait, detail="Slack asked to wait")
        way = self._way()
        if isinstance(way, NotConfigured):
            return way
        body = message(notice, rollout)
        if not way.token:
            outcome = await self._post(way, body, deadline.since(self._clock.mono()))
            return replace(outcome, detail=f"{outcome.detail}{self._passed_over(way)}")
        body["channel"] = self._channel
        thread = self._thread(notice, rollout)
        outcome = await self._post(way, {**body, **thread}, deadline.since(self._clock.mono()))
        left = deadline.since(self._clock.mono())
        if isinstance(outcome, Refused) and thread and outcome.detail.partition(":")[0] in NO_THREAD and left > 0:
            return await self._post(way, body, left)
        return outcome

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def _wait(self, deadline: Mono) -> float:
        """Waits for the end of a pause that Slack asked for, one after the other; where that is not before the
        deadline, returns at once how many seconds are left of it."""
        while (now := self._clock.mono()) < self._paused:
            mine = max(self._paused, self._turn)
            if mine >= deadline:
                return mine.since(now)
            self._turn = mine.plus(PACE_SECONDS)
            await self._clock.sleep_until(mine)
        return 0.0

    def _thread(self, notice: Notice, rollout: RolloutRecord | None) -> dict[str, Json]:
        first = rollout.reference(self._name) if rollout is not None else ""
        if not TIMESTAMP.fullmatch(first):
            return {}
        return {"thread_ts": first, **({"reply_broadcast": True} if notice.class_ is NoticeClass.PAGE else {})}

    def _way(self) -> _Way | NotConfigured:
        key = self._secrets.slack(self._name)
        value = self._secrets.read(key) if key is not None else None
        if key is None or value is None:
            if self._name not in OWN_WEBHOOKS:
                return NotConfigured(detail=self._secrets.missing(SecretKey.SLACK_BOT_TOKEN))
            keys = (SecretKey.SLACK_BOT_TOKEN, OWN_WEBHOOKS[self._name], SecretKey.SLACK_WEBHOOK_URL)
            return NotConfigured(detail=f"there is no {self._secrets.needed(*keys)}")
        if key is SecretKey.SLACK_BOT_TOKEN:
            if not self._secrets.is_bot():
                return NotConfigured(detail=f"{key}: {NO_TOKEN}")
            return _Way(url=self._api, key=key, token=value)
        url = _address(value)
        if url is None:
            return NotConfigured(detail=f"{key}: expected the address of an incoming webhook, https://...")
        return _Way(url=url, key=key)

    def _passed_over(self, way: _Way) -> str:
        """In words, where a webhook is used though a bot's token was given: it is none."""
        key = SecretKey.SLACK_BOT_TOKEN
        return f"; by {way.key}, for {key}: {NO_TOKEN}" if self._secrets.read(key) is not None else ""

    async def _post(self, way: _Way, body: dict[str, Json], timeout: float) -> Outcome:
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if way.token:
            headers["Authorization"] = f"Bearer {way.token}"
        try:
            content = json.dumps(body).encode()
            response = await self._client.post(way.url, content=content, headers=headers, timeout=timeout)
        except httpx2.HTTPError as problem:
            return Retry(after=PAUSE_S, detail=f"by {way.key}: {unreached(str(way.url), problem)}")
        return self._by_api(response, way) if way.token else self._by_webhook(response, way)

    def _by_webhook(self, response: httpx2.Response, way: _Way) -> Outcome:
        said = words(response).strip()
        if response.status_code == httpx2.codes.OK:
            if said == "ok":
                return Accepted(detail="HTTP 200 ok")
            return Retry(after=PAUSE_S, detail="HTTP 200, but not Slack's answer")
        code = said if CODE.fullmatch(said) else ""
        return self._not_taken(response, code, way)

    def _by_api(self, response: httpx2.Response, way: _Way) -> Outcome:
        try:
            answer = msgspec.json.decode(response.content, type=_Answer)
        except msgspec.DecodeError:
            if response.status_code == httpx2.codes.OK:
                return Retry(after=PAUSE_S, detail="HTTP 200, but not Slack's answer")
            return self._not_taken(response, "", way)
        if answer.ok and response.is_success:
            # Slack leaves the thread's message out where it put a reply into the channel itself.
            return Accepted(detail="HTTP 200 ok", reference=answer.message.thread_ts or answer.ts)
        code = answer.error if CODE.fullmatch(answer.error) else ""
        more = self._secrets.redact(" ".join(answer.response_metadata.messages))[:SAID_MAX]
        return self._not_taken(response, code, way, more)

    def _not_taken(self, response: httpx2.Response, code: str, way: _Way, more: str = "") -> Outcome:
        known = WHAT_TO_DO.get(code, "").format(channel=self._channel, key=way.key)
        detail = ": ".join(part for part in (code or f"HTTP {response.status_code}", known or more) if part)
        if code in LIMITED or response.status_code == TOO_MANY_REQUESTS:
            self._paused = max(self._paused, self._clock.mono().plus(pause(response)))
        if code in PASSING or passing(response):
            return Retry(after=pause(response), detail=detail)
        return Refused(detail=detail)


def _address(text: str) -> httpx2.URL | None:
    """The address; None where it is none, or one that would carry the secret in plain sight."""
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        return None
    secure = url.scheme == "https" or (url.scheme == "http" and url.host in LOOPBACK)
    return url if secure and (HOST.fullmatch(url.host) or url.host in LOOPBACK) else None
