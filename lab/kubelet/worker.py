"""One pod on this node, from its binding to its removal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from lab.api import Api, ApiError
from lab.kubelet.addresses import loopback
from lab.kubelet.container import Container
from lab.kubelet.program import is_product
from lab.kubelet.program_container import ProgramContainer
from lab.kubelet.runtime import Runtime
from lab.kubelet.status import conditions, phase, with_times
from lab.kubelet.timestamps import rfc3339

_NODE_ADDRESS = "127.0.0.1"
_DEFAULT_PORT = 8080


class Worker:
    """Runs the containers of one pod and reports their status with strategic-merge patches."""

    def __init__(self, api: Api, runtime: Runtime, pod: Any) -> None:
        self.pod = pod
        self._api = api
        self._runtime = runtime
        self._path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
        self._ip = ""
        self._started_at = runtime.clock()
        self._dirty = asyncio.Event()
        self._sent: dict[str, Any] = {}
        self._conditions: list[dict[str, Any]] = list(pod.get("status", {}).get("conditions") or ())
        self._seed = runtime.pod_seed(pod["metadata"]["namespace"])
        policy = pod["spec"].get("restartPolicy", "Always")
        self._policy: str = policy
        self.init_containers = [
            self._container(spec, "spec.initContainers", spec.get("restartPolicy", "OnInit"))
            for spec in pod["spec"].get("initContainers") or ()
        ]
        self.containers = [self._container(spec, "spec.containers", policy) for spec in pod["spec"]["containers"]]
        for shown in pod.get("status", {}).get("containerStatuses") or ():
            container = self.container(shown["name"])
            if container is not None:
                container.resume(shown)
        self._runs: list[asyncio.Task[None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._ending: asyncio.Task[None] | None = None

    @property
    def uid(self) -> str:
        return str(self.pod["metadata"]["uid"])

    @property
    def pod_ip(self) -> str:
        return self._ip

    def start(self) -> None:
        self._ip = self._runtime.addresses.take(self.pod.get("status", {}).get("podIP", ""))
        self._tasks = [asyncio.create_task(self._report()), asyncio.create_task(self._run())]
        self._dirty.set()

    def update(self, pod: Any) -> None:
        """Takes in a newer version of the pod; a deletion begins to end it."""
        self.pod = pod
        if pod["metadata"].get("deletionTimestamp") and self._ending is None:
            grace = pod["metadata"].get("deletionGracePeriodSeconds")
            self._ending = asyncio.create_task(self._end(float(30 if grace is None else grace)))

    def container(self, name: str) -> Container | None:
        return next((each for each in (*self.containers, *self.init_containers) if each.name == name), None)

    async def abandon(self) -> None:
        """The pod is gone from the API, or this process ends: everything stops at once."""
        tasks = [*self._runs, *self._tasks, *([self._ending] if self._ending else [])]
        current = asyncio.current_task()
        for task in tasks:
            if task is not current:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task is not current), return_exceptions=True)
        self._runtime.addresses.release(self._ip)

    def failure(self) -> BaseException | None:
        """The error that ended one of this pod's own tasks, if any."""
        for task in (*self._runs, *self._tasks, *([self._ending] if self._ending else [])):
            if task.done() and not task.cancelled() and task.exception() is not None:
                return task.exception()
        return None

    def _container(self, spec: Mapping[str, Any], field_path: str, policy: str) -> Container:
        init = field_path == "spec.initContainers"
        job = policy != "Always"
        if init and policy == "OnInit":
            policy = "Never" if self._policy == "Never" else "OnFailure"
        product = self._runtime.programs is not None and is_product(spec["image"])
        container = (ProgramContainer if product else Container)(
            self._runtime, self.pod, spec, field_path=field_path, restart_policy=policy, job=job, seed=self._seed
        )
        container.changed = self._dirty.set
        return container

    async def _run(self) -> None:
        for container in self.init_containers:
            run = asyncio.create_task(container.run(None))
            self._runs.append(run)
            if container.spec.get("restartPolicy") == "Always":
                await container.has_started.wait()
                continue
            await run
            if not container.succeeded:
                return
        self._dirty.set()
        serving = self._serving()
        for container in self.containers:
            listen = (loopback(self._ip), _port(container.spec)) if container is serving else None
            self._runs.append(asyncio.create_task(container.run(listen)))

    def _serving(self) -> Container | None:
        """The first container with a port, or the first of all: the one whose app listens."""
        return next((each for each in self.containers if each.spec.get("ports")), self.containers[0])

    async def _end(self, grace_s: float) -> None:
        for run in self._tasks[1:]:
            run.cancel()
        everything = (*self.containers, *self.init_containers)
        if grace_s > 0:
            await asyncio.gather(*(container.stop(grace_s) for container in everything))
            await asyncio.sleep(0)
        self._dirty.set()
        await self._patch()
        try:
            await self._api.delete(self._path, grace_s=0, uid=self.uid)
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    async def _report(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            if not await self._patch():
                return

    async def _patch(self) -> bool:
        """Sends the status if it has changed; false when the pod is gone."""
        status = self._status()
        if status == self._sent:
            return True
        body = {"metadata": {"uid": self.uid}, "status": status}
        try:
            await self._api.patch(f"{self._path}/status", body)
        except ApiError as error:
            if error.status in (404, 409):
                return False
            raise
        self._sent = status
        return True

    def _status(self) -> dict[str, Any]:
        containers = [container.status() for container in self.containers]
        inits = [container.status() for container in self.init_containers]
        waiting = [each.name for each in self.init_containers if not _initialised(each)]
        if waiting:
            for status in containers:
                if "waiting" in status["state"]:
                    status["state"] = {"waiting": {"reason": "PodInitializing"}}
        for container, status in zip(self.init_containers, inits, strict=True):
            status["ready"] = _initialised(container)
        now_phase = phase(containers, self._policy, not waiting)
        if waiting and any(each.finished and not each.succeeded for each in self.init_containers):
            now_phase = "Failed"
        fresh = conditions(containers, waiting, now_phase, sandbox=True)
        self._conditions = with_times(fresh, self._conditions, self._runtime.clock())
        status = {
            "phase": now_phase,
            "conditions": self._conditions,
            "hostIP": _NODE_ADDRESS,
            "hostIPs": [{"ip": _NODE_ADDRESS}],
            "podIP": self._ip,
            "podIPs": [{"$patch": "replace"}, {"ip": self._ip}],
            "startTime": rfc3339(self._started_at),
            "containerStatuses": containers,
        }
        if inits:
            status["initContainerStatuses"] = inits
        return status


def _initialised(container: Container) -> bool:
    return container.started if container.spec.get("restartPolicy") == "Always" else container.succeeded


def _port(spec: Mapping[str, Any]) -> int:
    ports = spec.get("ports") or ()
    return int(ports[0]["containerPort"]) if ports else _DEFAULT_PORT
