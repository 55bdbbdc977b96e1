"""A copy loses nothing: not over pages, a 410, a reset, a silent connection."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lab import pki
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.connection.api import Api, NoAnswer
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.adapters.kubernetes.objects.wire import OnlyMeta
from rollguard.adapters.kubernetes.watching.reflector import Change, Collection, Reflector
from tests.unit.kubernetes.server import Conversation, Script, Server, serving, until

Copy = Reflector[str]
CLOCK = SystemClock()


def thing(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "n", "resourceVersion": str(version)}}


def page(version: int, *things: Any, more: str = "") -> dict[str, Any]:
    return {"metadata": {"resourceVersion": str(version), "continue": more}, "items": list(things)}


def version_of(raw: msgspec.Raw) -> str:
    return msgspec.json.decode(raw, type=OnlyMeta).metadata.resource_version


@asynccontextmanager
async def copying(
    script: Script, *, stall: float = 5.0, convert: Callable[[msgspec.Raw], str] = version_of
) -> AsyncIterator[tuple[Copy, Server, list[Change[str]]]]:
    """A reflector that runs against the scripted server, with the changes that it tells."""
    changes: list[Change[str]] = []
    async with serving(script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="n"), CLOCK)
        collection = Collection(
            name="pods",
            list_right=rights.LIST_PODS,
            watch_right=rights.WATCH_PODS,
            namespace="n",
            convert=convert,
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


async def test_each_page_is_converted_before_the_next_is_asked_for_and_a_part_never_passes_for_the_whole() -> None:
    converted: list[str] = []
    broken = asyncio.Event()

    def convert(raw: msgspec.Raw) -> str:
        converted.append(version_of(raw))
        return converted[-1]

    async def script(on: Conversation) -> None:
        if "watch" in on.asked.query:
            await on.stream()
            await forever()
        elif "continue" not in on.asked.query:
            await on.answer(page(7, thing("a", 1), thing("b", 2), more="token"))
        elif not broken.is_set():
            held.append(list(converted))
            broken.set()
            on.reset()
        else:
            await on.answer(page(7, thing("c", 3)))

    held: list[list[str]] = []
    async with copying(script, convert=convert) as (copy, _, changes):
        await broken.wait()
        assert held == [["1", "2"]]
        await until(lambda: copy.errors > 0)
        assert not copy.items and not changes and not copy.listed.is_set()
        await until(lambda: copy.in_sync)
        assert copy.items == {("n", "a"): "1", ("n", "b"): "2", ("n", "c"): "3"}
        assert [change.new for change in changes] == ["1", "2", "3"]


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


async def test_a_line_that_is_no_json_costs_a_fresh_list_and_not_the_watch() -> None:
    async def script(on: Conversation) -> None:
        lists = sum(1 for each in server.asked if "watch" not in each.query)
        if "watch" not in on.asked.query:
            await on.answer(page(5, thing("a", 1)) if lists == 1 else page(9, thing("b", 8)))
            return
        await on.stream()
        if lists == 1:
            line = b"<html>upstream connect error</html>\n"
            on.writer.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            await on.writer.drain()
        await forever()

    async with copying(script) as (copy, server, _):
        await until(lambda: names(copy) == {"b"} and copy.in_sync)
        assert copy.relists == 2


async def test_an_answer_in_a_broken_encoding_is_no_answer_and_ends_nothing() -> None:
    broken = True

    async def script(on: Conversation) -> None:
        nonlocal broken
        if on.asked.query.get("watch"):
            await on.stream()
            await forever()
        elif broken:
            broken = False
            await on.answer(b"this is no gzip", Content_Encoding="gzip")
        else:
            await on.answer({"metadata": {"resourceVersion": "1"}, "items": []})

    async with copying(script) as (copy, _, _changes):
        await until(lambda: copy.in_sync)
        assert "DecodingError" in copy.last_error


async def test_an_object_that_cannot_be_read_hides_no_other_and_is_not_taken_for_gone() -> None:
    torn = {**thing("torn", 2), "spec": "nonsense"}

    async def script(on: Conversation) -> None:
        if "watch" not in on.asked.query:
            await on.answer(page(5, thing("a", 1), torn, thing("b", 3)))
            return
        await on.stream()
        await mend.wait()
        await on.event("MODIFIED", thing("torn", 7))
        await forever()

    def convert(raw: msgspec.Raw) -> str:
        if "nonsense" in bytes(raw).decode():
            raise ValueError("no time zone")
        return msgspec.json.decode(raw, type=OnlyMeta).metadata.resource_version

    mend = asyncio.Event()
    async with copying(script, convert=convert) as (copy, _, _changes):
        await until(lambda: copy.in_sync)
        assert names(copy) == {"a", "b"}
        assert copy.unreadable == {("n", "torn"): "torn cannot be read (ValueError: no time zone)"}
        mend.set()
        await until(lambda: names(copy) == {"a", "b", "torn"})
        assert copy.unreadable == {}


async def test_a_tls_alert_after_the_handshake_is_no_answer_and_ends_nothing(tmp_path: Path) -> None:
    keys = pki.create(tmp_path)
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    strict.load_cert_chain(keys.certificate, keys.key)
    strict.verify_mode = ssl.CERT_REQUIRED
    strict.load_verify_locations(keys.certificate)

    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listener = await asyncio.start_server(refuse, "127.0.0.1", 0, ssl=strict)
    port = listener.sockets[0].getsockname()[1]
    client = ssl.create_default_context(cafile=str(keys.certificate))
    api = Api(Connection(server=f"https://127.0.0.1:{port}", tls=client, namespace="n"), CLOCK)
    with pytest.raises(NoAnswer):
        await api.send(rights.LIST_PODS, "n")
    await api.close()
    listener.close()
