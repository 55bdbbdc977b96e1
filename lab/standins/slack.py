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

STATUS = {"no_service": 404, "channel_not_found": 404}
"""Of a webhook's refusals; the others are 400."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A message that was taken, in the channel where people see it."""

    channel: str
    message: dict[str, Any]

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
        try:
            name = request.path_params["name"]
            if name not in self.webhooks:
                raise RefusedError("no_service", "no such webhook")
            message = await self._message(request)
            if "thread_ts" in message:
                raise RefusedError("invalid_payload", "a webhook knows no threads")
        except RefusedError as error:
            self.refused.append(str(error))
            return PlainTextResponse(error.code, STATUS.get(error.code, 400))
        self.posted.append(Posted(channel=self.webhooks[name], message=message))
        return PlainTextResponse("ok")

    async def _post_message(self, request: Request) -> Response:
        if (limited := self._limit()) is not None:
            return limited
        try:
            given = request.headers.get("Authorization", "")
            if not given:
                raise RefusedError("not_authed", "no token")
            if given != f"Bearer {self.token}":
                raise RefusedError("invalid_auth", "another token")
            message = await self._message(request)
            channel = message.get("channel")
            if channel not in self.channels:
                raise RefusedError("channel_not_found", f"no channel {channel!r}")
        except RefusedError as error:
            # As the API does: a refusal is a success of HTTP.
            self.refused.append(str(error))
            return JSONResponse({"ok": False, "error": error.code})
        self.posted.append(Posted(channel=channel, message=message))
        return JSONResponse({"ok": True, "channel": channel, "ts": f"{1700000000 + len(self.posted)}.000100"})

    def _limit(self) -> Response | None:
        if not self.limited:
            return None
        self.limited -= 1
        headers = {"Retry-After": str(self.retry_after)}
        return JSONResponse({"ok": False, "error": "ratelimited"}, 429, headers)

    async def _message(self, request: Request) -> dict[str, Any]:
        if request.headers.get("Content-Type", "").partition(";")[0] != "application/json":
            raise RefusedError("invalid_payload", "the body is not said to be JSON")
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
