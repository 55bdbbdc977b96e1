"""`ports.PolicySource` by a GuardPolicy object, which is watched."""

from __future__ import annotations

import asyncio
import random
from types import TracebackType
from typing import Self

import msgspec

from rollguard import policy as policies
from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.connection.api import MERGE_PATCH, Api, NoAnswer
from rollguard.adapters.kubernetes.objects.wire import OnlyMeta
from rollguard.adapters.kubernetes.watching.reflector import STALL_S, Change, Collection, Reflector
from rollguard.model.action import Unknown
from rollguard.model.policy import Policy
from rollguard.model.records import PolicyStatus
from rollguard.ports import Clock, PolicyReading
from rollguard.record import to_json


class KubernetesPolicy:
    """The object NAMESPACE/NAME. Use as an async context manager."""

    def __init__(self, api: Api, clock: Clock, rng: random.Random, namespace: str, name: str) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self._missing = PolicyReading(policy=None, mistakes=(f"{namespace}/{name}: there is no such GuardPolicy",))
        self._reading = self._missing
        self._seen = ("", 0)
        """Uid and generation of what was read: a write of the status moves neither."""
        collection = Collection(
            name=f"GuardPolicies in {namespace}",
            list_right=rights.LIST_POLICIES,
            watch_right=rights.WATCH_POLICIES,
            namespace=namespace,
            convert=bytes,
            field_selector=f"metadata.name={name}",
        )
        self._copy = Reflector(api, collection, clock, rng, self._changed, stall=STALL_S)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._copy.run(), name=self._copy.collection.name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def first(self, *, timeout: float) -> PolicyReading | Unknown:
        """The object as it is at the start."""
        try:
            async with asyncio.timeout(timeout):
                await self._copy.listed.wait()
        except TimeoutError:
            return Unknown(detail=self._copy.last_error or f"no answer within {timeout:g} s")
        return self._reading

    def latest(self) -> PolicyReading:
        """As it was seen last; one that is deleted is a mistake."""
        return self._reading

    async def report(self, status: PolicyStatus, *, timeout: float) -> Unknown | None:
        """Writes the object's status; one that is gone has none."""
        body = msgspec.json.encode({"status": {**_plain(status), "mistakes": list(status.mistakes)}})
        try:
            reply = await self._api.send(
                rights.PATCH_POLICY,
                self._namespace,
                self._name,
                body=body,
                content_type=MERGE_PATCH,
                timeout=timeout,
            )
        except NoAnswer as error:
            return Unknown(detail=str(error))
        return None if reply.ok or reply.status == 404 else Unknown(detail=reply.message())

    def _changed(self, change: Change[bytes]) -> None:
        if change.new is None:
            self._reading, self._seen = self._missing, ("", 0)
            return
        meta = msgspec.json.decode(change.new, type=OnlyMeta).metadata
        generation = meta.generation
        if (meta.uid, generation) == self._seen:
            return
        self._seen = (meta.uid, generation)
        loaded = policies.load_object(change.new)
        if isinstance(loaded, Policy):
            self._reading = PolicyReading(policy=loaded, generation=generation)
        else:
            mistakes = tuple(str(mistake) for mistake in loaded)
            self._reading = PolicyReading(policy=None, mistakes=mistakes, generation=generation)


def _plain(status: PolicyStatus) -> dict[str, object]:
    found = to_json(status)
    return dict(found) if isinstance(found, dict) else {}
