"""All pods of one node."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from lab.api import Api
from lab.kubelet.runtime import Runtime
from lab.kubelet.worker import Worker


class Pods:
    """Starts, updates and removes workers as the pods bound to this node change."""

    def __init__(self, api: Api, runtime: Runtime) -> None:
        self._api = api
        self._runtime = runtime
        self._workers: dict[str, Worker] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def on_pod(self, kind: str, pod: Any) -> None:
        """Listener of a Mirror of this node's pods."""
        uid = pod["metadata"]["uid"]
        worker = self._workers.get(uid)
        if kind == "DELETED":
            if worker is not None:
                del self._workers[uid]
                task = asyncio.create_task(worker.abandon())
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)
            return
        if worker is None:
            if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
                return
            worker = self._workers[uid] = Worker(self._api, self._runtime, pod)
            worker.start()
        worker.update(pod)

    def all(self) -> Iterable[Worker]:
        return tuple(self._workers.values())

    def find(self, namespace: str, name: str) -> Worker | None:
        """The newest worker of the pod of this name."""
        for worker in reversed(tuple(self._workers.values())):
            metadata = worker.pod["metadata"]
            if (metadata["namespace"], metadata["name"]) == (namespace, name):
                return worker
        return None

    def restart_all(self, namespace: str, code: int) -> int:
        """Ends every running container of the node (of one namespace, if given), as a node that restarts does."""
        count = 0
        for worker in self._workers.values():
            if namespace in ("", worker.pod["metadata"]["namespace"]):
                for container in worker.containers:
                    container.kill(code)
                    count += 1
        return count

    async def check(self) -> None:
        """Raises the error of a worker's task, so that a bug of the lab ends the process loudly."""
        while True:
            for worker in self._workers.values():
                error = worker.failure()
                if error is not None:
                    raise RuntimeError(f"pod {worker.pod['metadata']['name']}") from error
            await asyncio.sleep(0.5)

    async def close(self) -> None:
        await asyncio.gather(*(worker.abandon() for worker in self._workers.values()))
