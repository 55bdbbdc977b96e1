"""Keeps a copy of a collection: paged list, then a watch that goes on where it ended. Losing nothing is its promise.

After a 410 the copy is compared whole with a fresh list, so that deletions during the gap are seen as well.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from rollguard.adapters.kubernetes.connection.api import JSON, Api, Lane, NoAnswer, Refusal
from rollguard.adapters.kubernetes.connection.rights import Right
from rollguard.adapters.kubernetes.objects.wire import OnlyMeta, Page, Status, Watched
from rollguard.model.time import Instant
from rollguard.ports import Clock

T = TypeVar("T")
Key = tuple[str, str]

PAGE = 500
LIST_TIMEOUT_S = 60.0
WATCH_S = (240, 300)
STALL_S = 90.0
"""Bookmarks come every minute: a watch that is silent for longer is dead, whatever its connection says."""
BACK_OFF_S = (0.2, 30.0)
FORBIDDEN, GONE = 403, 410
UNREADABLE = (msgspec.MsgspecError, ValueError, TypeError, AttributeError, LookupError)
"""What an object of a shape that no API server sends makes a conversion raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection(Generic[T]):
    """What is copied. `convert` turns an object's JSON into what is kept; None passes the object over."""

    name: str
    list_right: Right
    watch_right: Right
    namespace: str
    convert: Callable[[msgspec.Raw], T | None]
    field_selector: str = ""
    label_selector: str = ""
    metadata_only: bool = False
    """Asks for the objects' metadata alone: the rest never leaves the server."""
    page: int = PAGE

    @property
    def selectors(self) -> dict[str, str]:
        """As the server's query has them."""
        named = (("fieldSelector", self.field_selector), ("labelSelector", self.label_selector))
        return {name: value for name, value in named if value}

    def accept(self, kind: str) -> str:
        """The form of the answer that is asked for: of an object's metadata, or of their list."""
        return f"application/json;as={kind};g=meta.k8s.io;v=v1" if self.metadata_only else JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Generic[T]):
    """One difference: `old` is None for what is new, `new` for what is gone."""

    key: Key
    old: T | None
    new: T | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read(Generic[T]):
    """A version of an object that the copy lacks: converted (None where it is passed over), or why it cannot be."""

    version: str
    new: T | None = None
    problem: str = ""


class Reflector(Generic[T]):
    """A copy of one collection. `run` keeps it; reading it never waits."""

    def __init__(
        self,
        api: Api,
        collection: Collection[T],
        clock: Clock,
        rng: random.Random,
        on_change: Callable[[Change[T]], None],
        *,
        stall: float = STALL_S,
        on_failure: Callable[[str], None] = lambda _detail: None,
    ) -> None:
        self.collection = collection
        self.items: dict[Key, T] = {}
        self.unreadable: dict[Key, str] = {}
        """Objects that exist and cannot be read, and why: the copy lacks them, or has them as they were."""
        self.refused = False
        """The server's last answer was a refusal: no list is to be waited for."""
        self._forbidden = False
        self.in_sync = False
        self.last_sync: Instant | None = None
        self.since: Instant | None = None
        """When the last full list was complete, by the server's clock: nothing has been missed since."""
        self.listed = asyncio.Event()
        self.errors = 0
        self.last_error = ""
        self.relists = 0
        self._api = api
        self._clock = clock
        self._rng = rng
        self._on_change = on_change
        self._on_failure = on_failure
        self._stall = stall
        self._versions: dict[Key, str] = {}
        self._version = ""
        self._failures = 0

    @property
    def denied(self) -> bool:
        """Whether a right is missing, by the server's last answer: any other failure may be over in a moment."""
        return self._forbidden and not self.in_sync

    async def run(self) -> None:
        """Lists and watches until cancelled."""
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except Refusal as refusal:
                self._failed(str(refusal), status=refusal.reply.status)
                if refusal.reply.status == GONE:
                    self._version = ""
            except NoAnswer as error:
                self._failed(str(error))
            except msgspec.MsgspecError as error:
                self._failed(f"no answer of an API server: {error}")
                self._version = ""
            await asyncio.sleep(self._back_off())

    def _failed(self, text: str, *, status: int | None = None) -> None:
        self._lost_sync()
        self.refused = status is not None
        self._forbidden = status == FORBIDDEN
        self.errors += 1
        self._failures += 1
        self.last_error = text
        self._on_failure(f"{self.collection.name}: {text}")

    def _lost_sync(self) -> None:
        if self.in_sync:
            self.last_sync = self._clock.now()
        self.in_sync = False

    def _back_off(self) -> float:
        low, high = BACK_OFF_S
        # Also after a watch that ended well: a server that ends each at once must not be asked in a tight loop.
        return min(high, low * 2.0 ** min(max(self._failures - 1, 0), 10)) * self._rng.uniform(0.5, 1.0)

    async def _list(self) -> None:
        """Each page is converted before the next is asked for, and all are taken in at once when the last is there: a
        part of a list never passes for the whole."""
        self.relists += 1
        listed: dict[Key, _Read[T] | None] = {}
        token, version = await self._read_page("", listed)
        while token:
            token, version = await self._read_page(token, listed)
        self._replace(listed)
        self._version = version
        self.since = self._clock.now().plus(self._api.clock_offset() or 0.0)
        self.in_sync = True
        self.listed.set()

    async def _read_page(self, token: str, listed: dict[Key, _Read[T] | None]) -> tuple[str, str]:
        """Adds what the page holds, None for what the copy has already; where the list goes on, and its version."""
        page = await self._page(token)
        for raw in page.items or []:
            key, read = self._read(raw)
            listed[key] = read
        return page.metadata.continue_, page.metadata.resource_version

    async def _page(self, token: str) -> Page:
        params = {"limit": str(self.collection.page), **self.collection.selectors}
        if token:
            params["continue"] = token
        reply = await self._api.send(
            self.collection.list_right,
            self.collection.namespace,
            params=params,
            timeout=LIST_TIMEOUT_S,
            lane=Lane.READING,
            accept=self.collection.accept("PartialObjectMetadataList"),
        )
        if not reply.ok:
            raise Refusal(reply)
        return msgspec.json.decode(reply.body, type=Page)

    def _replace(self, listed: dict[Key, _Read[T] | None]) -> None:
        """The full comparison: what the fresh list lacks is gone."""
        for key, read in listed.items():
            if read is not None:
                self._take(key, read)
        for key in [key for key in self._versions if key not in listed]:
            self._drop(key)

    async def _watch(self) -> None:
        params = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(self._rng.randint(*WATCH_S)),
            **self.collection.selectors,
        }
        right, namespace = self.collection.watch_right, self.collection.namespace
        accept = self.collection.accept("PartialObjectMetadata")
        async with self._api.stream(right, namespace, params, stall=self._stall, accept=accept) as lines:
            self.in_sync = True
            async for line in lines:
                self._event(msgspec.json.decode(line, type=Watched))
                self._failures = 0

    def _event(self, event: Watched) -> None:
        if event.type == "ERROR":
            status = msgspec.json.decode(event.object, type=Status)
            if status.code == GONE:
                self._version = ""
            raise NoAnswer(f"watch of {self.collection.name}: {status.code} {status.message}")
        meta = msgspec.json.decode(event.object, type=OnlyMeta).metadata
        if event.type == "DELETED":
            self._drop((meta.namespace, meta.name))
        elif event.type != "BOOKMARK":
            key, read = self._read(event.object)
            if read is not None:
                self._take(key, read)
        self._version = meta.resource_version

    def _read(self, raw: msgspec.Raw) -> tuple[Key, _Read[T] | None]:
        """The object, converted; None where the copy has this version of it."""
        meta = msgspec.json.decode(raw, type=OnlyMeta).metadata
        key = (meta.namespace, meta.name)
        if self._versions.get(key) == meta.resource_version:
            return key, None
        try:
            return key, _Read(version=meta.resource_version, new=self.collection.convert(raw))
        except UNREADABLE as error:
            # It must neither end the copy of all others nor pass for an object that is not there.
            problem = f"{meta.name} cannot be read ({type(error).__name__}: {error})"
            return key, _Read(version=meta.resource_version, problem=problem)

    def _take(self, key: Key, read: _Read[T]) -> None:
        self._versions[key] = read.version
        if read.problem:
            self.unreadable[key] = read.problem
            self._on_failure(f"{self.collection.name}: {read.problem}")
            return
        self.unreadable.pop(key, None)
        old, new = self.items.get(key), read.new
        if new is None:
            self.items.pop(key, None)
        else:
            self.items[key] = new
        if old is not None or new is not None:
            self._on_change(Change(key=key, old=old, new=new))

    def _drop(self, key: Key) -> None:
        self._versions.pop(key, None)
        self.unreadable.pop(key, None)
        old = self.items.pop(key, None)
        if old is not None:
            self._on_change(Change(key=key, old=old, new=None))
