"""Slack: incoming webhooks, and `chat.postMessage` with a bot's token."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from lab.faults.serving import serving
from lab.standins.slack_rules import RefusedError, check

STATUS = {"action_prohibited": 403, "no_service": 404, "channel_not_found": 404, "channel_is_archived": 410}
"""Of a webhook's refusals; the others are 400."""
BOT_TOKEN = "xoxb-"
CHARSETS = ("", "utf-8", "iso-8859-1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A message that was taken, in the channel where people see it."""

    channel: str
    message: dict[str, Any]
    ts: str
    thread: str = ""
    """`ts` of the message that it stands below; empty where it stands in the channel itself."""

    @property
    def seen(self) -> bool:
        """Whether people see it in the channel, not only in its thread."""
        return not self.thread or self.message.get("reply_broadcast") is True

    @property
    def attachment(self) -> dict[str, Any]:
        """Its one attachment."""
        (found,) = self.message["attachments"]
        assert isinstance(found, dict)
        return found


@dataclass(slots=True, kw_only=True)
class Slack:
    """A workspace. A webhook is one channel's, whatever channel a message asks for."""

    token: str
    webhooks: dict[str, str]
    """Channel by the last part of a webhook's address."""
    channels: tuple[str, ...]
    url: str = ""
    posted: list[Posted] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    limited: int = 0
    """So many of the next requests are answered 429."""
    retry_after: int = 1
    failing: list[str] = field(default_factory=list)
    """Codes that the next requests are answered with: of a webhook by HTTP 500, of the API as `ok: false`."""
    archived: tuple[str, ...] = ()
    """Channels that take no messages any more."""
    foreign: tuple[str, ...] = ()
    """Channels that the app is no member of, without the scope `chat:write.public`."""
    read_only: tuple[str, ...] = ()
    """Channels that an administrator lets no app write to."""
    unthreaded: tuple[str, ...] = ()
    """Channels without threads."""
    scopes: tuple[str, ...] = ("chat:write",)

    def webhook(self, name: str) -> str:
        """The address of a webhook."""
        return f"{self.url}/services/{name}"

    @property
    def api(self) -> str:
        """The address of `chat.postMessage`."""
        return f"{self.url}/api/chat.postMessage"

    def in_channel(self, channel: str) -> list[Posted]:
        """What people see there."""
        return [each for each in self.posted if each.channel == channel]

    async def _hook(self, request: Request) -> Response:
        if (limited := self._limit()) is not None:
            return limited
        if self.failing:
            return PlainTextResponse(self.failing.pop(0), 500)
        try:
            name = request.path_params["name"]
            if name not in self.webhooks:
                raise RefusedError("no_service", "no such webhook")
            channel = self.webhooks[name]
            if channel in self.archived:
                raise RefusedError("channel_is_archived", channel)
            if channel in self.read_only:
                raise RefusedError("action_prohibited", channel)
            message = await self._message(request)
            if "thread_ts" in message:
                raise RefusedError("invalid_payload", "a webhook knows no threads")
        except RefusedError as error:
            self.refused.append(str(error))
            return PlainTextResponse(error.code, STATUS.get(error.code, 400))
        self._keep(channel, message)
        return PlainTextResponse("ok")

    async def _post_message(self, request: Request) -> Response:
        if (limited := self._limit()) is not None:
            return limited
        if self.failing:
            return JSONResponse({"ok": False, "error": self.failing.pop(0)})
        try:
            self._check_token(request.headers.get("Authorization", ""))
            message = await self._message(request)
            if "token" in message:
                raise RefusedError("invalid_arguments", "the token belongs into a header")
            channel = self._channel(message.get("channel"))
            thread = self._thread(channel, message.get("thread_ts", ""))
        except RefusedError as error:
            # As the API does: a refusal is a success of HTTP, and says more than its code only of blocks.
            self.refused.append(str(error))
            more = {"response_metadata": {"messages": [f"[ERROR] {error}"]}} if "blocks" in error.code else {}
            return JSONResponse({"ok": False, "error": error.code, **more})
        posted = self._keep(channel, message, thread)
        told = {"text": message.get("text", ""), "ts": posted.ts} | ({"thread_ts": thread} if thread else {})
        return JSONResponse({"ok": True, "channel": channel, "ts": posted.ts, "message": told})

    def _check_token(self, given: str) -> None:
        if not given:
            raise RefusedError("not_authed", "no token")
        if not given.startswith(f"Bearer {BOT_TOKEN}"):
            raise RefusedError("not_allowed_token_type", "not the token of a bot")
        if given != f"Bearer {self.token}":
            raise RefusedError("invalid_auth", "another token")
        if "chat:write" not in self.scopes:
            raise RefusedError("missing_scope", "chat:write")

    def _channel(self, channel: Any) -> str:
        if not isinstance(channel, str) or channel not in self.channels:
            raise RefusedError("channel_not_found", f"no channel {channel!r}")
        if channel in self.archived:
            raise RefusedError("is_archived", channel)
        if channel in self.read_only:
            raise RefusedError("restricted_action_read_only_channel", channel)
        if channel in self.foreign and "chat:write.public" not in self.scopes:
            raise RefusedError("not_in_channel", channel)
        return channel

    def _thread(self, channel: str, asked: str) -> str:
        """The thread that a message gets. Below a message that is not there it stands in the channel itself: Slack
        refuses nothing then."""
        if asked and channel in self.unthreaded:
            raise RefusedError("restricted_action_non_threadable_channel", channel)
        parent = next((each for each in self.posted if each.channel == channel and each.ts == asked), None)
        if parent is not None and parent.thread:
            raise RefusedError("cannot_reply_to_message", "a reply has no thread of its own")
        return asked if parent is not None else ""

    def _keep(self, channel: str, message: dict[str, Any], thread: str = "") -> Posted:
        ts = f"{1700000001 + len(self.posted)}.000100"
        self.posted.append(Posted(channel=channel, message=message, ts=ts, thread=thread))
        return self.posted[-1]

    def _limit(self) -> Response | None:
        if not self.limited:
            return None
        self.limited -= 1
        headers = {"Retry-After": str(self.retry_after)}
        return JSONResponse({"ok": False, "error": "ratelimited"}, 429, headers)

    async def _message(self, request: Request) -> dict[str, Any]:
        kind, _, rest = request.headers.get("Content-Type", "").partition(";")
        if not kind:
            raise RefusedError("missing_post_type", "no Content-Type")
        if kind != "application/json":
            raise RefusedError("invalid_post_type", f"the body is said to be {kind}")
        if rest.strip().removeprefix("charset=").lower() not in CHARSETS:
            raise RefusedError("invalid_charset", rest.strip())
        try:
            message = json.loads(await request.body())
        except ValueError as error:
            raise RefusedError("invalid_payload", "the body is no JSON") from error
        check(message)
        assert isinstance(message, dict)
        return message


@asynccontextmanager
async def slack(slack_: Slack) -> AsyncIterator[Slack]:
    """The workspace, reachable for the length of the block."""
    app = Starlette(
        routes=[
            Route("/services/{name:path}", slack_._hook, methods=["POST"]),
            Route("/api/chat.postMessage", slack_._post_message, methods=["POST"]),
        ]
    )
    async with serving(app) as url:
        slack_.url = url
        yield slack_
