"""A webhook receiver: keeps every notice that it was sent, repeats included."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from lab.faults.serving import serving


@dataclass(slots=True, kw_only=True)
class Receiver:
    """What arrived, in order, each with its time (`arrived`, seconds since the epoch)."""

    url: str = ""
    key: str = ""
    """What each body has to be signed with; empty: nothing is asked."""
    says: dict[str, str] = field(default_factory=dict)
    """Topic -> the words with which its notices are refused for good."""
    notices: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Why, of each that was not taken."""

    def times(self) -> Counter[str]:
        """How often each notice arrived, by its id."""
        return Counter(str(notice["id"]) for notice in self.notices)

    def of_topic(self, topic: str) -> list[dict[str, Any]]:
        """The notices about one thing, each once."""
        return list({n["id"]: n for n in self.notices if n["topic"] == topic}.values())

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        signature = "sha256=" + hmac.new(self.key.encode(), body, hashlib.sha256).hexdigest()
        if self.key and request.headers.get("X-Rollguard-Signature") != signature:
            self.refused.append("another signature, or none")
            return PlainTextResponse(self.refused[-1], 401)
        notice = json.loads(body)
        if notice["topic"] in self.says:
            self.refused.append(self.says[notice["topic"]])
            return PlainTextResponse(self.refused[-1], 400)
        self.notices.append({**notice, "id": request.headers["Idempotency-Key"], "arrived": time.time()})
        return JSONResponse({})


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver for the length of the block."""
    receiver = Receiver()
    app = Starlette(routes=[Route("/", receiver._take, methods=["POST"])])
    async with serving(app) as url:
        receiver.url = f"{url}/"
        yield receiver
