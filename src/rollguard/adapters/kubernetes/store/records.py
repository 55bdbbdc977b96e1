"""The Records port: GuardedUnit and GuardedRollout objects, every write a compare-and-swap on resourceVersion."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.connection.api import Api, Lane, NoAnswer, Reply
from rollguard.adapters.kubernetes.connection.rights import Right
from rollguard.adapters.kubernetes.objects.wire import OnlyMeta, Page
from rollguard.adapters.kubernetes.watching.reflector import STALL_S, Change, Collection, Reflector
from rollguard.adapters.kubernetes.watching.wakeups import Wakeups
from rollguard.model.action import Absent, Unknown
from rollguard.model.names import RolloutId, UnitName
from rollguard.model.records import Exists, RolloutRecord, Stale, StoredRollout, StoredUnit, UnitRecord
from rollguard.model.time import Mono
from rollguard.ports import Clock
from rollguard.record import Unreadable, rollout_from_json, rollout_to_json, unit_from_json, unit_to_json

PAGE = "500"
TIMEOUT_S = 5.0
LIST_TIMEOUT_S = 30.0
PORTION = 20
"""Records that are read in one go before others may run."""
S = TypeVar("S")
MISSING = "install the definitions by `rollguard install --definitions-only --apply`"


class KubernetesRecords:
    """State in the cluster. `requests()` needs the context manager; the rest does not.

    An object that cannot be read (people may write GuardedUnits) is passed over in lists and said to `on_unreadable`,
    and Unknown by itself: it must not keep all others from being guarded.
    """

    def __init__(
        self,
        api: Api,
        clock: Clock,
        rng: random.Random,
        *,
        namespaces: tuple[str, ...] = (),
        timeout: float = TIMEOUT_S,
        stall: float = STALL_S,
        lane: Lane = Lane.ACTING,
        on_unreadable: Callable[[str], None] = lambda _detail: None,
    ) -> None:
        self._api = api
        self._clock = clock
        self._initial = frozenset(namespaces or ("",))
        self._rng = rng
        self._stall = stall
        self._timeout = timeout
        self._lane = lane
        self._on_unreadable = on_unreadable
        self._wakeups = Wakeups()
        self._copies: dict[str, Reflector[_Seen]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ended: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self.cover(self._initial)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cover(frozenset())
        await asyncio.gather(*self._ended, return_exceptions=True)

    def cover(self, namespaces: frozenset[str]) -> tuple[str, ...]:
        """The records of exactly these namespaces are listed from now on; which of them are passed over, and why.

        A new one joins once its first list is complete: one without rights must not hide all others.
        """
        for namespace in self._copies.keys() - namespaces:
            del self._copies[namespace]
            self._ended.append(self._tasks.pop(namespace))
            self._ended[-1].cancel()
        self._initial &= namespaces
        for namespace in sorted(namespaces - self._copies.keys()):
            copy = Reflector(self._api, _units(namespace), self._clock, self._rng, self._changed, stall=self._stall)
            self._copies[namespace] = copy
            self._tasks[namespace] = asyncio.create_task(copy.run(), name=copy.collection.name)
        return tuple(f"{each.collection.name}: {each.last_error}" for each in self._copies.values() if each.denied)

    async def list_units(self) -> tuple[StoredUnit, ...] | Unknown:
        """All units; Unknown unless every page of every namespace was read, save where there is no right to read."""
        raw = await self._list(rights.LIST_UNITS)
        return raw if isinstance(raw, Unknown) else tuple(await self._readable(unit_from_json, "GuardedUnit", raw))

    async def list_rollouts(self, *, open_only: bool) -> tuple[StoredRollout, ...] | Unknown:
        """All rollouts (or the open ones) whose creation was completed."""
        raw = await self._list(rights.LIST_ROLLOUTS)
        if isinstance(raw, Unknown):
            return raw
        wanted = [each for each in raw if not open_only or not _closed(each)]
        found = await self._readable(rollout_from_json, "GuardedRollout", wanted)
        return tuple(stored for stored in found if stored is not None)

    async def _readable(self, read: Callable[[bytes], S], kind: str, raw: list[msgspec.Raw]) -> list[S]:
        """In portions, for a record costs milliseconds: a renewal must not wait for thousands."""
        found: list[S] = []
        for index, each in enumerate(raw):
            if index % PORTION == PORTION - 1:
                await asyncio.sleep(0)
            try:
                found.append(read(bytes(each)))
            except Unreadable as error:
                meta = msgspec.json.decode(each, type=OnlyMeta).metadata
                self._on_unreadable(f"{kind} {meta.namespace}/{meta.name}: {error}")
        return found

    async def read_unit(self, name: UnitName) -> StoredUnit | Absent | Unknown:
        """A quorum read."""
        reply = await self._read(rights.GET_UNIT, name.namespace, name.object_name, self._deadline())
        return _read_as(unit_from_json, reply) if isinstance(reply, Reply) else reply

    async def read_rollout(self, unit: UnitName, id_: RolloutId) -> StoredRollout | Absent | Unknown:
        """A quorum read; Absent also for one whose creation was cut short, which creating it again completes."""
        reply = await self._read(rights.GET_ROLLOUT, unit.namespace, id_, self._deadline())
        if isinstance(reply, Reply):
            return _read_as(rollout_from_json, reply) or Absent()
        return reply

    async def create_unit(self, record: UnitRecord) -> StoredUnit | Exists | Unknown:
        """Creates the object, then writes its status (a creation cannot carry one), all within the timeout."""
        until = self._deadline()
        reply = await self._send(rights.CREATE_UNIT, record.name.namespace, "", unit_to_json(record), until)
        if isinstance(reply, Unknown):
            return reply
        if reply.status == 409:
            return Exists()
        if not reply.ok:
            return Unknown(detail=reply.message())
        created = _read_as(unit_from_json, reply)
        written = created if isinstance(created, Unknown) else await self._write_unit(created, record, until)
        # A human's request, or another replica, came between: the unit is known, and read as it is.
        return Exists() if isinstance(written, Stale | Absent) else written

    async def create_rollout(self, record: RolloutRecord) -> StoredRollout | Exists | Unknown:
        """Creates the object and writes its status, all within the timeout; one without status is completed."""
        namespace, until = record.unit.namespace, self._deadline()
        reply = await self._send(rights.CREATE_ROLLOUT, namespace, "", rollout_to_json(record), until)
        if isinstance(reply, Unknown):
            return reply
        if reply.status == 409:
            found = await self._read(rights.GET_ROLLOUT, namespace, record.id, until)
            if not isinstance(found, Reply):
                return Unknown(detail="gone again after it existed") if isinstance(found, Absent) else found
            known = _read_as(rollout_from_json, found)
            if known is not None:
                return known if isinstance(known, Unknown) else Exists()
            reply = found
        if not reply.ok:
            return Unknown(detail=reply.message())
        version = msgspec.json.decode(reply.body, type=OnlyMeta).metadata.resource_version
        written = await self._write_rollout(StoredRollout(record=record, version=version), record, until)
        return Exists() if isinstance(written, Stale | Absent) else written

    async def replace_unit(self, stored: StoredUnit, record: UnitRecord) -> StoredUnit | Stale | Absent | Unknown:
        """Writes the status, if the object is still at the stored version."""
        return await self._write_unit(stored, record, self._deadline())

    async def _write_unit(
        self, stored: StoredUnit, record: UnitRecord, until: Mono
    ) -> StoredUnit | Stale | Absent | Unknown:
        name, body = record.name, unit_to_json(record, version=stored.version)
        reply = await self._replace(rights.UPDATE_UNIT, name.namespace, name.object_name, body, until)
        return _read_as(unit_from_json, reply) if isinstance(reply, Reply) else reply

    async def replace_rollout(
        self, stored: StoredRollout, record: RolloutRecord
    ) -> StoredRollout | Stale | Absent | Unknown:
        """Writes the status, if the object is still at the stored version."""
        return await self._write_rollout(stored, record, self._deadline())

    async def _write_rollout(
        self, stored: StoredRollout, record: RolloutRecord, until: Mono
    ) -> StoredRollout | Stale | Absent | Unknown:
        body = rollout_to_json(record, version=stored.version)
        reply = await self._replace(rights.UPDATE_ROLLOUT, record.unit.namespace, record.id, body, until)
        if not isinstance(reply, Reply):
            return reply
        return _read_as(rollout_from_json, reply) or Unknown(detail="the server kept no status: is the CRD ours?")

    async def delete_rollout(self, stored: StoredRollout) -> Unknown | None:
        """Deletes its evidence, then exactly the version that was read, all within the timeout.

        What is gone or changed since is no error.
        """
        record, until = stored.record, self._deadline()
        namespace = record.unit.namespace
        for name in record.evidence:
            problem = await self._delete(rights.DELETE_CONFIGMAP, namespace, name, "", until)
            if problem is not None:
                return problem
        return await self._delete(rights.DELETE_ROLLOUT, namespace, record.id, stored.version, until)

    async def _delete(self, right: Right, namespace: str, name: str, version: str, until: Mono) -> Unknown | None:
        preconditions = {"preconditions": {"resourceVersion": version}} if version else {}
        body = msgspec.json.encode({"kind": "DeleteOptions", "apiVersion": "v1", **preconditions}).decode()
        reply = await self._send(right, namespace, name, body, until)
        if isinstance(reply, Unknown):
            return reply
        return None if reply.ok or reply.status in (404, 409) else Unknown(detail=reply.message())

    def requests(self) -> AsyncIterator[UnitName]:
        """Units whose `spec` or alerts changed, and those there are at the start; many changes wake once."""
        return self._wakeups

    def _changed(self, change: Change[_Seen]) -> None:
        # The generation moves with spec only: of status writes those wake us that any replica makes.
        if change.old != change.new:
            self._wakeups.add(UnitName(*change.key))

    async def _list(self, right: Right) -> list[msgspec.Raw] | Unknown:
        items: list[msgspec.Raw] = []
        joined = {namespace for namespace, copy in self._copies.items() if copy.listed.is_set()}
        # One without rights must not keep all others from being guarded. A rollout that is open there, and its epoch,
        # stay unknown: nothing can be written there either, each is read by itself before it is taken up, and no write
        # of ours lowers an epoch.
        shut = {namespace for namespace, copy in self._copies.items() if copy.denied}
        wanted = (self._initial | joined) - shut
        if not wanted:
            return Unknown(detail="; ".join(self._copies[each].last_error for each in sorted(shut)))
        for namespace in sorted(wanted):
            token = ""
            while True:
                page = await self._page(right, namespace, token)
                if isinstance(page, Unknown):
                    return page
                items += page.items or []
                token = page.metadata.continue_
                if not token:
                    break
        return items

    async def _page(self, right: Right, namespace: str, token: str) -> Page | Unknown:
        params = {"limit": PAGE, **({"continue": token} if token else {})}
        try:
            reply = await self._api.send(right, namespace, params=params, timeout=LIST_TIMEOUT_S)
        except NoAnswer as error:
            return Unknown(detail=str(error))
        if reply.status == 404:
            return Unknown(detail=f"the cluster does not know {right.resource}: {MISSING}", unserved=True)
        return msgspec.json.decode(reply.body, type=Page) if reply.ok else Unknown(detail=reply.message())

    async def _read(self, right: Right, namespace: str, name: str, until: Mono) -> Reply | Absent | Unknown:
        reply = await self._send(right, namespace, name, None, until)
        if isinstance(reply, Unknown):
            return reply
        if reply.status == 404:
            return Absent()
        return reply if reply.ok else Unknown(detail=reply.message())

    async def _replace(
        self, right: Right, namespace: str, name: str, body: str, until: Mono
    ) -> Reply | Stale | Absent | Unknown:
        reply = await self._send(right, namespace, name, body, until)
        if isinstance(reply, Unknown):
            return reply
        if reply.status == 404:
            return Absent()
        if reply.status == 409:
            return Stale()
        return reply if reply.ok else Unknown(detail=reply.message())

    def _deadline(self) -> Mono:
        """When what begins now must have ended, however many requests it takes."""
        return self._clock.mono().plus(self._timeout)

    async def _send(self, right: Right, namespace: str, name: str, body: str | None, until: Mono) -> Reply | Unknown:
        left = until.since(self._clock.mono())
        if left <= 0:
            return Unknown(detail=f"no time is left of {self._timeout:g} s")
        try:
            return await self._api.send(right, namespace, name, body=body, timeout=left, lane=self._lane)
        except NoAnswer as error:
            return Unknown(detail=str(error))


def _read_as(read: Callable[[bytes], S], reply: Reply) -> S | Unknown:
    try:
        return read(reply.body)
    except Unreadable as error:
        return Unknown(detail=f"the object cannot be read: {error}")


class _Alerts(msgspec.Struct):
    alerts: msgspec.Raw = msgspec.Raw()


class _MaybeAlerts(msgspec.Struct):
    status: _Alerts = msgspec.field(default_factory=_Alerts)


_Seen = tuple[int, bytes]
"""Of a unit: its generation, and its alerts as they stand there."""


def _seen(raw: msgspec.Raw) -> _Seen:
    try:
        alerts = bytes(msgspec.json.decode(raw, type=_MaybeAlerts).status.alerts)
    except msgspec.MsgspecError:
        alerts = b""  # what is wrong with it is said where it is read whole
    return msgspec.json.decode(raw, type=OnlyMeta).metadata.generation, alerts


def _units(namespace: str) -> Collection[_Seen]:
    return Collection(
        name=f"GuardedUnits in {namespace or 'all namespaces'}",
        list_right=rights.LIST_UNITS,
        watch_right=rights.WATCH_UNITS,
        namespace=namespace,
        convert=_seen,
    )


class _Closing(msgspec.Struct):
    closed: str | None = None


class _MaybeClosed(msgspec.Struct):
    status: _Closing = msgspec.field(default_factory=_Closing)


def _closed(raw: msgspec.Raw) -> bool:
    """Whether a GuardedRollout is closed, at a hundredth of the price of reading it whole."""
    try:
        return msgspec.json.decode(raw, type=_MaybeClosed).status.closed is not None
    except msgspec.MsgspecError:
        return False  # it is read whole, and what is wrong with it is said
