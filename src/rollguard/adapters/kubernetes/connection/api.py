"""Requests to the API server: declared rights, separate budgets, honest outcomes. Ignores the environment."""

from __future__ import annotations

import asyncio
import email.utils
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from statistics import median

import httpx2
import msgspec

from rollguard.adapters.kubernetes.connection.credentials import credentials
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.adapters.kubernetes.connection.rights import Right
from rollguard.adapters.numbers import whole_number
from rollguard.model.action import FIELD_MANAGER
from rollguard.ports import Clock

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
MANAGER = FIELD_MANAGER
DEFAULT_TIMEOUT_S = 10.0


class Lane(Enum):
    """Budgets that cannot starve each other; the value is how many requests may be under way at once."""

    ACTING = 32
    READING = 16
    WATCHING = 1024


class NoAnswer(Exception):
    """No complete answer: the request may have had its effect, now or later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The server's complete answer."""

    status: int
    body: bytes
    retry_after: float | None

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return 200 <= self.status < 300

    def message(self) -> str:
        """The server's own words for a refusal, with the status."""
        return f"{self.status} {_words(self.body)}"


class _Status(msgspec.Struct):
    message: str = ""


class Api:
    """A client of one API server. Close it after use."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._clock = clock
        self._offsets: deque[float] = deque(maxlen=15)
        self.namespace = connection.namespace
        self.namespace_chosen = connection.namespace_chosen
        self.server = connection.server
        auth = credentials(connection, clock)
        self._clients = {
            lane: httpx2.AsyncClient(
                base_url=connection.server,
                auth=auth,
                verify=connection.tls,
                proxy=connection.proxy,
                trust_env=False,
                timeout=None,  # every request runs under its own deadline
                headers={"User-Agent": MANAGER},
                limits=httpx2.Limits(max_connections=lane.value, max_keepalive_connections=min(lane.value, 32)),
            )
            for lane in Lane
        }

    async def close(self) -> None:
        """Ends all connections."""
        for client in self._clients.values():
            await client.aclose()

    async def send(
        self,
        right: Right,
        namespace: str,
        name: str = "",
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
        content_type: str = JSON,
        timeout: float = DEFAULT_TIMEOUT_S,
        lane: Lane | None = None,
        accept: str = JSON,
    ) -> Reply:
        """One request, within `timeout` seconds in all. Raises NoAnswer for timeouts, resets, broken encodings."""
        client = self._clients[lane or (Lane.ACTING if right.mutates else Lane.READING)]
        began, began_mono = self._clock.now(), self._clock.mono()
        try:
            async with asyncio.timeout(timeout):
                response = await client.request(
                    right.method,
                    right.path(namespace, name),
                    params=dict(params or {}),
                    content=body.encode() if isinstance(body, str) else body,
                    headers={"Accept": accept} | ({"Content-Type": content_type} if body is not None else {}),
                )
        except TimeoutError:
            raise NoAnswer(f"no answer from {self.server} within {timeout:g} s") from None
        except (httpx2.RequestError, httpx2.InvalidURL, OSError) as error:  # a TLS alert comes as a bare OSError
            raise NoAnswer(f"{self.server}: {type(error).__name__}: {error}") from error
        self._note_date(response, began.plus(self._clock.mono().since(began_mono) / 2).seconds)
        retry = whole_number(response.headers.get("Retry-After", ""))
        return Reply(
            status=response.status_code,
            body=response.content,
            retry_after=float(retry) if retry is not None else None,
        )

    @asynccontextmanager
    async def stream(
        self, right: Right, namespace: str, params: Mapping[str, str], *, stall: float, accept: str = JSON
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The lines of a watch. Raises NoAnswer, also where nothing comes for `stall` seconds, or Refusal."""
        timeout = httpx2.Timeout(DEFAULT_TIMEOUT_S, read=stall)
        client = self._clients[Lane.WATCHING]
        try:
            async with client.stream(
                right.method,
                right.path(namespace),
                params=dict(params),
                headers={"Accept": accept},
                timeout=timeout,
            ) as response:
                if response.status_code != 200:
                    body = await response.aread()
                    raise Refusal(Reply(status=response.status_code, body=body, retry_after=None))
                yield _lines(response)
        except (httpx2.RequestError, OSError) as error:
            raise NoAnswer(f"{self.server}: {type(error).__name__}: {error}") from error

    def clock_offset(self) -> float | None:
        """Seconds by which the server's clock is ahead of ours: the median of its last answers' Date headers."""
        return median(self._offsets) if self._offsets else None

    def _note_date(self, response: httpx2.Response, halfway: float) -> None:
        moment = email.utils.parsedate_tz(response.headers.get("Date", ""))
        if moment is not None:
            # The header has whole seconds, cut off: on average half a second is missing.
            self._offsets.append(email.utils.mktime_tz(moment) + 0.5 - halfway)


class Refusal(Exception):
    """The server answered a watch or a list with something else than success."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.message())
        self.reply = reply


async def _lines(response: httpx2.Response) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in response.aiter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line:
                yield line


def _words(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Status).message[:1000]
    except msgspec.MsgspecError:
        return body[:200].decode(errors="replace")
