"""A copy loses nothing: not over pages, a 410, a reset, a silent connection."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import rights
from rollguard.adapters.kubernetes.api import Api
from rollguard.adapters.kubernetes.kubeconfig import Connection
from rollguard.adapters.kubernetes.reflector import Change, Collection, Reflector
from rollguard.adapters.kubernetes.wire import OnlyMeta
from tests.unit.kubernetes.server import Conversation, Script, Server, serving, until

Copy = Reflector[str]
CLOCK = SystemClock()


def thing(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "n", "resourceVersion": str(version)}}


def page(version: int, *things: Any, more: str = "") -> dict[str, Any]:
    return {"metadata": {"resourceVersion": str(version), "continue": more}, "items": list(things)}


@asynccontextmanager
async def copying(script: Script, *, stall: float = 5.0) -> AsyncIterator[tuple[Copy, Server, list[Change[str]]]]:
    """A reflector that runs against the scripted server, with the changes that it tells."""
    changes: list[Change[str]] = []
    async with serving(script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="n"), CLOCK)
        collection = Collection(
            name="pods",
            list_right=rights.LIST_PODS,
            watch_right=rights.WATCH_PODS,
            namespace="n",
            convert=lambda raw: msgspec.json.decode(raw, type=OnlyMeta).metadata.resource_version,
        )
        copy = Reflector(api, collection, CLOCK, random.Random(1), changes.append, stall=stall)
        task = asyncio.create_task(copy.run())
        try:
            yield copy, server, changes
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await api.close()


def names(copy: Copy) -> set[str]:
    return {name for _, name in copy.items}


async def forever() -> None:
    await asyncio.sleep(60)


async def test_pages_are_read_to_the_end_before_the_copy_is_in_sync() -> None:
    second_page = asyncio.Event()

    async def script(on: Conversation) -> None:
        if "watch" in on.asked.query:
            await on.stream()
            await forever()
        elif "continue" in on.asked.query:
            await second_page.wait()
            await on.answer(page(7, thing("b", 2)))
        else:
            assert on.asked.query["limit"] == "500"
            await on.answer(page(7, thing("a", 1), more="token"))

    async with copying(script) as (copy, server, _):
        await until(lambda: len(server.asked) == 2)
        assert not copy.in_sync
        assert names(copy) == set()
        second_page.set()
        await until(lambda: copy.in_sync and names(copy) == {"a", "b"})
        await until(lambda: len(server.asked) == 3)
        assert server.asked[2].query["resourceVersion"] == "7"
        assert server.asked[2].query["allowWatchBookmarks"] == "true"
        assert int(server.asked[2].query["timeoutSeconds"]) >= 240


async def test_after_a_410_the_fresh_list_is_compared_whole_so_that_no_deletion_is_lost() -> None:
    lists = iter([page(5, thing("stays", 1), thing("goes", 2), thing("changes", 3))])
    fresh = page(90, thing("stays", 1), thing("changes", 80), thing("comes", 81))

    async def script(on: Conversation) -> None:
        if "watch" not in on.asked.query:
            await on.answer(next(lists, fresh))
        elif on.asked.query["resourceVersion"] == "5":
            await on.stream()
            await on.event("ERROR", {"code": 410, "message": "too old"})
        else:
            await on.stream()
            await forever()

    async with copying(script) as (copy, _, changes):
        await until(lambda: copy.in_sync and "comes" in names(copy))
        assert copy.items == {("n", "stays"): "1", ("n", "changes"): "80", ("n", "comes"): "81"}
        told = [(change.key[1], change.old, change.new) for change in changes[3:]]
        assert told == [("changes", "3", "80"), ("comes", None, "81"), ("goes", "2", None)]
        assert copy.errors == 1


async def test_a_410_in_answer_to_the_watch_itself_lists_again_too() -> None:
    lists = iter([page(5, thing("a", 1))])

    async def script(on: Conversation) -> None:
        if "watch" not in on.asked.query:
            await on.answer(next(lists, page(9)))
        elif on.asked.query["resourceVersion"] == "5":
            await on.answer({"message": "Expired"}, status=410)
        else:
            await on.stream()
            await forever()

    async with copying(script) as (copy, _, _changes):
        await until(lambda: copy.relists == 2 and copy.in_sync)
        assert names(copy) == set()


async def test_a_reset_watch_goes_on_from_the_last_bookmark_without_a_list() -> None:
    async def script(on: Conversation) -> None:
        version = on.asked.query.get("resourceVersion")
        if "watch" not in on.asked.query:
            await on.answer(page(5, thing("a", 1)))
        elif version == "5":
            await on.stream()
            await on.event("MODIFIED", thing("a", 6))
            await on.event("BOOKMARK", {"metadata": {"resourceVersion": "40"}})
            on.reset()
        else:
            assert version == "40"
            await on.stream()
            await on.event("DELETED", thing("a", 41))
            await forever()

    async with copying(script) as (copy, _, _changes):
        await until(lambda: names(copy) == set() and copy.relists == 1 and copy.in_sync)
        assert copy.errors == 1
        assert copy.last_sync is not None


async def test_a_silent_connection_is_given_up_and_the_copy_says_that_it_is_behind() -> None:
    again = asyncio.Event()

    async def script(on: Conversation) -> None:
        if "watch" not in on.asked.query:
            await on.answer(page(5, thing("a", 1)))
            return
        watches = sum(1 for each in server.asked if "watch" in each.query)
        if watches == 1:
            await on.stream()
            await forever()
        await again.wait()
        await on.stream()
        await on.event("ADDED", thing("b", 6))
        await forever()

    async with copying(script, stall=0.3) as (copy, server, _):
        await until(lambda: copy.in_sync)
        await until(lambda: not copy.in_sync)
        assert "ReadTimeout" in copy.last_error
        again.set()
        await until(lambda: names(copy) == {"a", "b"})


async def test_a_refused_list_is_tried_again_slower_each_time_and_never_in_sync() -> None:
    async def script(on: Conversation) -> None:
        await on.answer({"message": "pods is forbidden"}, status=403)

    async with copying(script) as (copy, server, _):
        await until(lambda: copy.errors >= 3)
        assert not copy.in_sync
        assert not copy.listed.is_set()
        assert "pods is forbidden" in copy.last_error
        assert len(server.asked) <= 4
