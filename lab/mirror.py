"""A local copy of one collection of the API server, kept by list and watch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2

from lab.api import Api, ApiError

Key = tuple[str, str]
Listener = Callable[[str, Any], None]
"""Called with ADDED, MODIFIED or DELETED and the object."""

_RETRY_S = 0.2


class Mirror:
    """`objects` by (namespace, name). After a lost watch the fresh list is compared with the copy,
    so that no deletion is lost."""

    def __init__(self, api: Api, path: str, **selectors: str) -> None:
        self.objects: dict[Key, Any] = {}
        self.synced = asyncio.Event()
        self._api = api
        self._path = path
        self._selectors = selectors
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def run(self) -> None:
        """Follows the collection until cancelled; an API server that is away is asked again."""
        while True:
            try:
                version = await self._relist()
                while True:
                    version = await self._follow(version)
            except ApiError as error:
                if error.status in (400, 401, 403, 404):
                    raise
            except httpx2.TransportError:
                pass
            await asyncio.sleep(_RETRY_S)

    async def _relist(self) -> str:
        answer = await self._api.get(self._path, **self._selectors)
        fresh = {key_of(item): item for item in answer.get("items") or ()}
        for key in [key for key in self.objects if key not in fresh]:
            self._tell("DELETED", self.objects.pop(key))
        for key, item in fresh.items():
            old = self.objects.get(key)
            self.objects[key] = item
            if old is None:
                self._tell("ADDED", item)
            elif old["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
                self._tell("MODIFIED", item)
        self.synced.set()
        return str(answer["metadata"]["resourceVersion"])

    async def _follow(self, version: str) -> str:
        async for event in self._api.watch(self._path, version, **self._selectors):
            item = event["object"]
            version = item["metadata"]["resourceVersion"]
            if event["type"] == "BOOKMARK":
                continue
            if event["type"] == "DELETED":
                self.objects.pop(key_of(item), None)
            else:
                self.objects[key_of(item)] = item
            self._tell(event["type"], item)
        return version

    def _tell(self, kind: str, item: Any) -> None:
        for listener in self._listeners:
            listener(kind, item)


def key_of(item: Any) -> Key:
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
