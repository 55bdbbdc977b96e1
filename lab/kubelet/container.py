"""One container of a pod: pulled, started, probed, ended, started again after a back-off."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.http_server import HttpServer
from lab.kubelet.app import App, Usage
from lab.kubelet.backoff import Backoff
from lab.kubelet.behaviour import PullFailure, parse_image
from lab.kubelet.chaos import Effect
from lab.kubelet.logs import SECRET_LINE, TRACEBACK, ContainerLog
from lab.kubelet.probe import Probe
from lab.kubelet.pull import Puller
from lab.kubelet.quantity import parse_quantity
from lab.kubelet.runtime import Runtime, environment, image_id
from lab.kubelet.timestamps import rfc3339

_CREATE_S = (0.05, 0.2)
_JOB_RUNS_S = 1.0
_MEMORY_LOOK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    code: int
    reason: str = "Error"


class Container:
    """Runs until it has ended for good. `state` and `last_state` are as in a ContainerStatus."""

    def __init__(
        self,
        runtime: Runtime,
        pod: Any,
        spec: Mapping[str, Any],
        *,
        field_path: str,
        restart_policy: str,
        job: bool,
        seed: str,
    ) -> None:
        self.name: str = spec["name"]
        self.spec = spec
        self.state: dict[str, Any] = {"waiting": {"reason": "ContainerCreating"}}
        self.last_state: dict[str, Any] = {}
        self.restart_count = 0
        self.ready = False
        self.started = False
        self.app: App | None = None
        self.log = ContainerLog()
        self._previous_log: ContainerLog | None = None
        self.has_started = asyncio.Event()
        self.changed: Callable[[], None] = lambda: None
        self._runtime = runtime
        self._pod = pod
        self._image: str = spec["image"]
        self._behaviour = parse_image(self._image)
        self._field_path = f"{field_path}{{{self.name}}}"
        self._restart_policy = restart_policy
        self._job = job
        self._seed = f"{seed}:{self.name}"
        self._random = random.Random(self._seed)
        self._exit: asyncio.Future[Exit] | None = None
        self._server: HttpServer | None = None
        self._container_id = ""
        self._effect = (-1, Effect())
        self._digest = ""
        self._puller = Puller(
            runtime,
            self._image,
            self._random,
            failure=self._pull_failure,
            event=self._event,
            wait=self._wait,
            retag=lambda: self.effect().retag,
        )
        self._stopping = False

    @property
    def finished(self) -> bool:
        """True when it ended and will not run again."""
        ended = self.state.get("terminated")
        return ended is not None and not self._restarts(ended["exitCode"])

    @property
    def succeeded(self) -> bool:
        return self.finished and self.state["terminated"]["exitCode"] == 0

    def status(self) -> dict[str, Any]:
        """The ContainerStatus now."""
        status = {
            "name": self.name,
            "image": self._image,
            "imageID": image_id(self._image, self._digest) if self._digest else "",
            "containerID": self._container_id,
            "state": self.state,
            "lastState": self.last_state,
            "restartCount": self.restart_count,
            "ready": self.ready,
            "started": self.started,
        }
        return {key: value for key, value in status.items() if value != "" or key in ("image", "imageID")}

    async def run(self, listen: tuple[str, int] | None) -> None:
        """Runs and restarts the container as its pod's policy says; `listen` is the app's address, if it has one."""
        backoff = Backoff(self._runtime.settings.backoff)
        while True:
            self._digest = await self._puller.pull(self.spec.get("imagePullPolicy") == "Always")
            started_at, ended = await self._run_once(listen)
            finished_at = self._runtime.clock()
            self._show_exit(ended, started_at, finished_at)
            if not self._restarts(ended.code):
                return
            await self._back_off(backoff.failed(finished_at - started_at))

    def resume(self, shown: Mapping[str, Any]) -> None:
        """Takes over what an earlier run of this node had reported: its processes ended with it."""
        self.restart_count = shown["restartCount"]
        self.last_state = dict(shown.get("lastState") or {})
        running = (shown.get("state") or {}).get("running")
        if running:
            self.restart_count += 1
            now = rfc3339(self._runtime.clock())
            exited = {"exitCode": 255, "reason": "Unknown", "startedAt": running["startedAt"], "finishedAt": now}
            self.last_state = {"terminated": exited}

    def kill(self, code: int, reason: str = "Error") -> None:
        """Ends a running container at once, as a signal would."""
        if self._exit is not None and not self._exit.done():
            self._exit.set_result(Exit(code=code, reason=reason))

    async def stop(self, grace_s: float) -> None:
        """What SIGTERM does: serve on for a moment, stop accepting, finish what runs, jobs too; SIGKILL after the
        grace."""
        self._stopping = True
        running = self._exit
        if running is None or running.done():
            return
        self._event("Normal", "Killing", f"Stopping container {self.name}")
        clean = True
        if self._server is not None and not self._behaviour.drains:
            self._server.abort()
        elif self._server is not None:
            linger = min(self._linger_s(), 0.8 * grace_s)
            jobs = self.app.jobs if self.app is not None else None
            if jobs is not None:
                jobs.stop()
            await asyncio.sleep(linger)
            if running.done():
                return  # it ended by itself meanwhile, or its node restarted it
            rest = max(0.0, grace_s - linger)
            clean = await self._server.drain(rest)
            if jobs is not None:
                clean = await jobs.ended(rest) and clean
        self.kill(0 if clean else 137, "Completed" if clean else "Error")

    def effect(self) -> Effect:
        """Chaos that applies to this pod now."""
        chaos = self._runtime.chaos
        if self._effect[0] != chaos.version:
            metadata = self._pod["metadata"]
            self._effect = (
                chaos.version,
                chaos.effect(metadata["namespace"], metadata.get("labels") or {}, self._image),
            )
        return self._effect[1]

    def log_of(self, *, previous: bool) -> ContainerLog | None:
        """The log of the current run; of the one before for `previous`. While waiting to start again, the run that
        ended last is both, as in the kubelet."""
        if previous and not ("waiting" in self.state and self._container_id):
            return self._previous_log
        return self.log

    def limit(self, resource: str) -> float | None:
        """The container's limit of `cpu` (cores) or `memory` (bytes)."""
        limits = (self.spec.get("resources") or {}).get("limits") or {}
        return parse_quantity(limits[resource]) if resource in limits else None

    def _restarts(self, code: int) -> bool:
        if self._stopping:
            return False
        return self._restart_policy == "Always" or (self._restart_policy == "OnFailure" and code != 0)

    async def _run_once(self, listen: tuple[str, int] | None) -> tuple[float, Exit]:
        await asyncio.sleep(self._random.uniform(*_CREATE_S))
        await self._prepare(listen)
        loop = asyncio.get_running_loop()
        self._exit = loop.create_future()
        self._begin()
        started_at = self._runtime.clock()
        work = self._work(listen)
        try:
            return started_at, await self._exit
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            if self._server is not None:
                self._server.abort()
                self._server = None

    async def _prepare(self, listen: tuple[str, int] | None) -> None:
        """What must be there before the container starts; an app needs nothing."""

    def _work(self, listen: tuple[str, int] | None) -> list[asyncio.Task[None]]:
        work = [asyncio.create_task(self._serve(listen)), asyncio.create_task(self._look_at_memory())]
        if self._behaviour.crash_after_s is not None:
            work.append(asyncio.create_task(self._crash(self._behaviour.crash_after_s)))
        elif self._job:
            work.append(asyncio.create_task(self._complete()))
        return work

    def _begin(self) -> None:
        now = self._runtime.clock()
        if self._container_id:
            # Not before the new run is there to show: a count of 1 beside the first run's end would tell of two ends.
            self.restart_count += 1
            self._previous_log, self.log = self.log, ContainerLog()
        identity = f"{self._pod['metadata']['uid']}:{self.name}:{self.restart_count}"
        self._container_id = "containerd://" + hashlib.sha256(identity.encode()).hexdigest()
        self.state = {"running": {"startedAt": rfc3339(now)}}
        self.app = self._new_app()
        self.started = True
        self.has_started.set()
        self._event("Normal", "Started", f"Started container {self.name}")
        self._greet()
        self.changed()

    def _greet(self) -> None:
        self._write(f"INFO starting {self._image}")
        self._write(SECRET_LINE)

    def _new_app(self) -> App | None:
        env = environment(self.spec)
        backend = env.get("BACKEND")
        namespace = self._pod["metadata"]["namespace"]
        services = self._runtime.services
        app = App(
            self._behaviour,
            seed=f"{self._seed}:{self.restart_count}",
            clock=self._runtime.clock,
            effect=self.effect,
            log=self._write,
            callee=(lambda: services.call(namespace, backend, "/")) if backend else None,
            usage=Usage(
                cpu_base_cores=float(env.get("LAB_CPU_BASE", 0.02)),
                cpu_per_request_s=float(env.get("LAB_CPU_PER_REQUEST", 0.002)),
            ),
        )
        if "LAB_QUEUES" in env:
            app.keep_queues()
        service, _, queue = env.get("LAB_JOBS", "").partition("/")
        if queue:
            app.work_off(queue, lambda path: services.get(namespace, service, path))
        return app

    async def _serve(self, listen: tuple[str, int] | None) -> None:
        assert self.app is not None
        app = self.app
        await asyncio.sleep(self._random.uniform(*self._runtime.settings.startup_s))
        if listen is not None:
            server = HttpServer(app.handle)
            try:
                await server.listen(*listen)
            except OSError as error:
                self._write(f"ERROR {error}")
                self.kill(1)
                return
            self._server = server
            self._write(f"INFO listening on port {listen[1]}")
        app.ready = self._behaviour.becomes_ready
        work = [self._show_readiness(Probe.of(self.spec, listen, lambda: app.ready))]
        if app.jobs is not None and app.ready:
            work.append(app.jobs.run())
        await asyncio.gather(*work)

    async def _show_readiness(self, probe: Probe) -> None:
        async for ready in probe.results():
            if ready != self.ready:
                self.ready = ready
                self.changed()

    async def _crash(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self._write(TRACEBACK)
        self.kill(1)

    async def _complete(self) -> None:
        await asyncio.sleep(float(environment(self.spec).get("LAB_JOB_SECONDS", _JOB_RUNS_S)))
        self._write("INFO done")
        self.kill(0, "Completed")

    async def _look_at_memory(self) -> None:
        limit = self.limit("memory")
        while limit is not None and self.app is not None:
            await asyncio.sleep(_MEMORY_LOOK_S)
            if self.app.memory_bytes() > limit:
                self.kill(137, "OOMKilled")

    def _show_exit(self, ended: Exit, started_at: float, finished_at: float) -> None:
        self.ready = self.started = False
        self.app = None
        terminated = {
            "exitCode": ended.code,
            "reason": ended.reason,
            "startedAt": rfc3339(started_at),
            "finishedAt": rfc3339(finished_at),
            "containerID": self._container_id,
        }
        self.state = {"terminated": terminated}
        self.changed()

    async def _back_off(self, wait_s: float) -> None:
        self.last_state = self.state
        if wait_s <= 0:
            return
        metadata = self._pod["metadata"]
        owner = f"{self.name} pod={metadata['name']}_{metadata['namespace']}({metadata['uid']})"
        message = f"back-off {wait_s:g}s restarting failed container={owner}"
        self._event("Warning", "BackOff", f"Back-off restarting failed container {owner}")
        self._wait("CrashLoopBackOff", message)
        await asyncio.sleep(wait_s)

    def _wait(self, reason: str, message: str) -> None:
        self.state = {"waiting": {"reason": reason, "message": message}}
        self.changed()

    def _linger_s(self) -> float:
        hook = ((self.spec.get("lifecycle") or {}).get("preStop") or {}).get("sleep")
        return float(hook["seconds"]) if hook else self._runtime.settings.linger_s

    def _pull_failure(self) -> PullFailure | None:
        return self.effect().pull or self._behaviour.pull

    def _event(self, kind: str, reason: str, message: str) -> None:
        self._runtime.events.record(self._pod, kind, reason, message, self._field_path)

    def _write(self, text: str) -> None:
        self.log.write(self._runtime.clock(), text)
