"""Kubernetes Events of the lab's kubelet and scheduler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from lab.api import Api, ApiError
from lab.kubelet.timestamps import rfc3339


class Events:
    """Writes events in order, in the background; repeats of one event raise its count, as in the kubelet."""

    def __init__(self, api: Api, component: str, host: str, clock: Callable[[], float]) -> None:
        self._api = api
        self._source = {"component": component, "host": host}
        self._clock = clock
        self._queue: asyncio.Queue[tuple[Any, str, str, str, str]] = asyncio.Queue()
        self._written: dict[tuple[str, str, str, str], tuple[str, int]] = {}
        self._number = 0

    def record(self, pod: Any, kind: str, reason: str, message: str, field_path: str = "") -> None:
        """`kind` is Normal or Warning; `field_path` such as `spec.containers{app}`."""
        self._queue.put_nowait((pod, kind, reason, message, field_path))

    async def run(self) -> None:
        while True:
            pod, kind, reason, message, field_path = await self._queue.get()
            try:
                await self._write(pod, kind, reason, message, field_path)
            except ApiError as error:
                if error.status not in (403, 404, 409):  # the namespace or the event is gone
                    raise

    async def _write(self, pod: Any, kind: str, reason: str, message: str, field_path: str) -> None:
        metadata = pod["metadata"]
        key = (metadata["uid"], reason, message, field_path)
        now = rfc3339(self._clock())
        path = f"/api/v1/namespaces/{metadata['namespace']}/events"
        if key in self._written:
            name, count = self._written[key]
            self._written[key] = (name, count + 1)
            await self._api.patch(f"{path}/{name}", {"count": count + 1, "lastTimestamp": now})
            return
        self._number += 1
        name = f"{metadata['name']}.{metadata['uid'][:8]}{self._number:08x}"
        self._written[key] = (name, 1)
        await self._api.create(path, self._event(metadata, name, kind, reason, message, field_path, now))

    def _event(
        self, metadata: Any, name: str, kind: str, reason: str, message: str, field_path: str, now: str
    ) -> dict[str, Any]:
        involved = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        }
        if field_path:
            involved["fieldPath"] = field_path
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": metadata["namespace"]},
            "involvedObject": involved,
            "type": kind,
            "reason": reason,
            "message": message,
            "source": self._source,
            "reportingComponent": self._source["component"],
            "reportingInstance": self._source["host"],
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
