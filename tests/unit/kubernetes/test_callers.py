"""Who may have what we serve: the API server is asked about a token, seldom and never all at once."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from rollguard.adapters.kubernetes.connection import callers
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.connection.callers import AT_ONCE, KEPT, KEPT_S, WAITING, Access, Callers
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.cli import serve
from rollguard.model.action import Unknown
from rollguard.model.time import Instant, Mono
from tests.unit.kubernetes.server import Conversation, Server, serving

IS = {"uid": "u", "groups": ["g"], "extra": {"k": ["v"]}}


class Stopped:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> Instant:
        return Instant(self.seconds)

    def mono(self) -> Mono:
        return Mono(self.seconds)

    async def sleep_until(self, until: Mono) -> None:
        raise AssertionError(f"nothing waits here, until {until}")


def said(token: str) -> dict[str, Any]:
    """What the API server says to a TokenReview: whose token it is, is called after it."""
    known = {"authenticated": True, "user": {"username": f"of-{token}", **IS}}
    return {"status": known if token.startswith("known") else {}}


async def answer(on: Conversation) -> None:
    """Knows tokens that begin with `known`, and allows those that end with `allowed`."""
    spec = json.loads(on.asked.body)["spec"]
    if on.asked.path.endswith("tokenreviews"):
        await on.answer(said(spec["token"]), 201)
        return
    await on.answer({"status": {"allowed": spec["user"].endswith("allowed")}}, 201)


@asynccontextmanager
async def asking(script: Callable[[Conversation], Any] = answer) -> AsyncIterator[tuple[Callers, Stopped, Server]]:
    clock = Stopped()
    async with serving(script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="m"), clock)
        try:
            yield Callers(api, clock, path="/metrics"), clock, server
        finally:
            await api.close()


async def test_the_token_is_reviewed_and_then_the_right_of_its_account_with_all_that_it_is() -> None:
    async with asking() as (asked, _, server):
        assert await asked.access("known-allowed") is Access.ALLOWED
    token, right = (json.loads(each.body) for each in server.asked)
    assert (token["kind"], token["spec"]) == ("TokenReview", {"token": "known-allowed"})
    assert right["kind"] == "SubjectAccessReview"
    attributes = {"path": "/metrics", "verb": "get"}
    assert right["spec"] == {"user": "of-known-allowed", **IS, "nonResourceAttributes": attributes}


async def test_a_stranger_and_an_account_without_the_right_are_told_apart() -> None:
    async with asking() as (asked, _, server):
        assert await asked.access("made-up") is Access.STRANGER
        assert len(server.asked) == 1, "of a stranger no right is asked"
        assert await asked.access("known-but-not-more") is Access.REFUSED


async def test_an_answer_counts_for_half_a_minute_and_is_never_that_of_another_token() -> None:
    async with asking() as (asked, clock, server):
        assert await asked.access("known-allowed") is Access.ALLOWED
        clock.seconds += KEPT_S - 1
        assert await asked.access("known-allowed") is Access.ALLOWED
        assert len(server.asked) == 2
        assert await asked.access("known-") is Access.REFUSED
        clock.seconds += 1
        await asked.access("known-allowed")
        assert len(server.asked) == 6


async def test_no_answer_is_no_permission_and_is_asked_again() -> None:
    async def broken(on: Conversation) -> None:
        await on.answer({"message": "you cannot create tokenreviews"}, 403)

    async with asking(broken) as (asked, _, server):
        for _ in range(2):
            found = await asked.access("known-allowed")
            assert isinstance(found, Unknown)
            assert "you cannot create tokenreviews" in found.detail
        assert len(server.asked) == 2

    async def another_shape(on: Conversation) -> None:
        await on.answer({"status": "yes"}, 201)

    async with asking(another_shape) as (asked, _, server):
        assert isinstance(await asked.access("known-allowed"), Unknown)

    async def reset(on: Conversation) -> None:
        on.reset()

    async with asking(reset) as (asked, _, server):
        assert isinstance(await asked.access("known-allowed"), Unknown)


async def test_strangers_neither_fill_the_memory_nor_the_line_to_the_api_server() -> None:
    at_once, most = 0, 0
    full, go = asyncio.Event(), asyncio.Event()

    async def slow(on: Conversation) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        if at_once == AT_ONCE:
            full.set()
        await go.wait()
        at_once -= 1
        await on.answer({"status": {}}, 201)

    async with asking(slow) as (asked, _, _server):
        waiting = [asyncio.create_task(asked.access(f"made-up-{n}")) for n in range(WAITING)]
        await full.wait()
        assert isinstance(await asked.access("one more"), Unknown)
        go.set()
        assert set(await asyncio.gather(*waiting)) == {Access.STRANGER}
        assert most == AT_ONCE
        for n in range(KEPT + 10):
            await asked.access(f"another-{n}")
        assert len(asked._kept) == KEPT


@asynccontextmanager
async def served(access: Access | Unknown, told: list[Any]) -> AsyncIterator[httpx2.AsyncClient]:
    """The metrics at an address of their own, and a client that asks there."""
    asked: list[str] = []

    async def of(token: str) -> Access | Unknown:
        asked.append(token)
        return access

    health = serve.Health(alive=lambda: "", ready=lambda: "", exposition=lambda: "rollguard_leading 1.0\n")
    app = serve.for_callers(health, of, lambda event, fields: told.append((event, fields)))
    async with (
        serve.serving(app, "127.0.0.1", 0) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("access", "status", "words"),
    [
        (Access.ALLOWED, 200, "rollguard_leading 1.0"),
        (Access.STRANGER, 401, "does not know this token"),
        (Access.REFUSED, 403, "get on the nonResourceURL /metrics"),
        (Unknown(detail="no answer from secret.example.com"), 503, "cannot be found out"),
    ],
)
async def test_each_answer_has_its_status_and_only_the_allowed_see_metrics(
    access: Access | Unknown, status: int, words: str
) -> None:
    told: list[Any] = []
    async with served(access, told) as client:
        for _ in range(2):
            got = await client.get("/metrics", headers={"Authorization": "Bearer t"})
            assert (got.status_code, words in got.text) == (status, True), got.text
            assert ("rollguard_leading" in got.text) == (access is Access.ALLOWED)
            assert "secret.example.com" not in got.text
    assert len(told) == isinstance(access, Unknown), "the same trouble is logged once"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic dTpw", "t"])
async def test_without_a_bearer_token_nobody_is_asked(header: str | None) -> None:
    async with served(Access.ALLOWED, []) as client:
        got = await client.get("/metrics", headers={} if header is None else {"Authorization": header})
        assert (got.status_code, got.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "rollguard_leading" not in got.text
        assert (await client.get("/healthz")).status_code == 404, "nothing else is there"


def test_an_answer_is_kept_for_a_short_time() -> None:
    assert callers.KEPT_S <= 60
