"""The whole lab in one block: control plane, two nodes, exporter, load generator, Prometheus."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2

from lab import controller, installation, manifests
from lab.api import JSON_PATCH, MERGE, Api, ApiError
from lab.controller import Controller
from lab.controlplane import ControlPlane
from lab.parts import REPOSITORY, Part, running_parts
from lab.prometheus import Prometheus, Scraping
from lab.settings import LabSettings

__all__ = ["Lab", "LabError", "LabSettings", "deployment_path", "rolled_out"]
EXAMPLE_POLICY = REPOSITORY / "examples" / "lab-policy.yaml"
EXAMPLE_ADDRESS = "http://127.0.0.1:9090"
POLL_S = 0.1


class LabError(Exception):
    """The lab did not come to a state in time; the text says what was seen last."""


@dataclass(slots=True, kw_only=True)
class Lab:
    """A running lab."""

    settings: LabSettings
    workdir: Path
    plane: ControlPlane
    api: Api
    prometheus: Prometheus
    parts: Mapping[str, Part]
    http: httpx2.AsyncClient
    controllers: list[Controller] = field(default_factory=list)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.plane.kubeconfig

    async def namespace(self, name: str) -> str:
        """Makes the namespace where it is not there yet; returns its name when pods can be made in it."""
        try:
            await self.api.create("/api/v1/namespaces", manifests.namespace(name))
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"

        async def usable() -> bool:
            return await self.api.find(account) is not None

        await self.until(usable, what=f"the default ServiceAccount of {name}")
        return name

    async def deploy(
        self, namespace: str, name: str, *, tag: str = "v1", replicas: int = 2, rps: float = 20, **options: Any
    ) -> None:
        """Makes a model service: its Deployment (`options` as in manifests.deployment), its Service, its traffic."""
        base = f"/namespaces/{namespace}"
        workload = manifests.deployment(name, tag=tag, replicas=replicas, **options)
        await self.api.create(f"/api/v1{base}/services", manifests.service(name))
        await self.api.create(f"/apis/apps/v1{base}/deployments", workload)
        if rps > 0:
            await self.traffic(namespace, name, rps)

    async def traffic(self, namespace: str, service: str, rps: float, **options: Any) -> None:
        """Sends a Service this many requests a second from now on; 0 for none. `options` as in lab.loadgen.target."""
        url = f"{self.parts['loadgen'].url}/targets/{namespace}/{service}"
        answer = await self.http.put(url, json={"rps": rps, **options})
        if not answer.is_success:
            raise LabError(f"the load generator refused {rps} requests a second: {answer.text}")

    async def end_traffic(self, namespace: str, service: str) -> Any:
        """Forgets the target; returns what its requests came to, as lab.loadgen.stats has it."""
        answer = await self.http.delete(f"{self.parts['loadgen'].url}/targets/{namespace}/{service}")
        if not answer.is_success:
            raise LabError(f"no traffic of {namespace}/{service} to end: {answer.text}")
        return answer.json()

    async def leave(self, namespace: str) -> None:
        """Takes a namespace's load off the lab: its faults, its traffic (what it came to is kept), its pods."""
        await self.calm(namespace)
        answer = await self.http.get(f"{self.parts['loadgen'].url}/stats", params={"namespace": namespace})
        for target in answer.json():
            await self.traffic(namespace, target.partition("/")[2], 0)
        await self.api.clear(namespace)

    async def traffic_stats(self, namespace: str, service: str) -> Any:
        """What the requests to a Service came to so far: counts by status, failures, latencies in seconds."""
        query = {"namespace": namespace, "service": service}
        answer = await self.http.get(f"{self.parts['loadgen'].url}/stats", params=query)
        return answer.json()[f"{namespace}/{service}"]

    async def release(self, namespace: str, name: str, tag: str) -> None:
        """Rolls a Deployment out to another image, as a pipeline would."""
        value = manifests.image(name, tag)
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": value}]
        await self.api.patch(deployment_path(namespace, name), patch, JSON_PATCH)

    async def deployment(self, namespace: str, name: str) -> Any:
        """The Deployment as the API server has it now."""
        return await self.api.get(deployment_path(namespace, name))

    async def until_rolled_out(self, namespace: str, name: str, *, timeout_s: float = 60.0) -> None:
        """Returns when the newest template, and nothing else, runs with all its replicas available."""
        seen: list[Any] = [None]

        async def done() -> bool:
            seen[0] = await self.deployment(namespace, name)
            return rolled_out(seen[0])

        await self.until(
            done,
            what=f"the rollout of {namespace}/{name}",
            timeout_s=timeout_s,
            seen=lambda: seen[0]["status"],
        )

    async def until(
        self,
        probe: Callable[[], Awaitable[bool]],
        *,
        what: str,
        timeout_s: float = 60.0,
        seen: Callable[[], object] = lambda: "nothing",
    ) -> None:
        """Polls until the probe says yes; raises LabError with what was seen last, or with a dead part's log."""
        deadline = time.monotonic() + timeout_s
        while not await probe():
            self.check_parts()
            if time.monotonic() > deadline:
                raise LabError(f"{what} did not come within {timeout_s:.0f} s; last seen: {seen()}")
            await asyncio.sleep(POLL_S)

    def check_parts(self) -> None:
        """Raises LabError with the end of its log where one of the lab's own programs has ended."""
        for name, part in self.parts.items():
            if part.died():
                raise LabError(f"the lab's {name} has ended; the end of its log:\n{part.tail()}")

    async def refuses(self, path: str) -> bool:
        """Whether admission refuses a change of the object at this path: an annotation that tells nobody anything."""
        body = {"metadata": {"annotations": {"lab.rollguard.dev/asked": "yes"}}}
        try:
            await self.api.patch(path, body, MERGE)
        except ApiError as error:
            if error.status != 422:
                raise
            return True
        return False

    async def disturb(self, namespace: str, *nodes: str, **rule: Any) -> None:
        """Makes the apps of a namespace, on these nodes or on all, behave as a rule of lab.kubelet.chaos says.

        For example `error_ratio=0.4, selector={"app": "backend"}`, `database_down=True`, `latency_s=2.0`.
        """
        for node in nodes or self.settings.nodes:
            await self._chaos("POST", node, {"namespace": namespace, **rule})

    async def calm(self, namespace: str) -> None:
        """Takes the namespace's rules back."""
        for node in self.settings.nodes:
            await self._chaos("DELETE", node, None, namespace=namespace)

    async def restart_containers(self, namespace: str, node: str) -> None:
        """Ends all containers of the namespace on one node, old and new, as a node in trouble does."""
        await self._chaos("POST", node, {"namespace": namespace, "node_restart": True})

    async def _chaos(self, method: str, node: str, body: Any, **query: str) -> None:
        url = f"{self.parts[node].url}/lab/chaos"
        answer = await self.http.request(method, url, json=body, params=query)
        if not answer.is_success:
            raise LabError(f"{node} refused {body}: {answer.text}")

    @asynccontextmanager
    async def patient(self) -> AsyncIterator["Lab"]:
        """This lab, asked so that a restart of the API server only costs time."""
        async with Api.from_file(self.plane.kubeconfig, patient=True) as api:
            yield replace(self, api=api)

    def policy(self, source: Path = EXAMPLE_POLICY, *, name: str = "policy") -> Path:
        """A copy of a policy that asks this lab's Prometheus, in the lab's directory; returns its path."""
        text = source.read_text()
        if EXAMPLE_ADDRESS not in text:
            raise LabError(f"{source}: expected the address {EXAMPLE_ADDRESS} to put the lab's in its place")
        path = self.workdir / f"{name}.yaml"
        path.write_text(text.replace(EXAMPLE_ADDRESS, self.prometheus.url))
        return path

    async def install(self) -> Path:
        """Installs the product's objects; returns the kubeconfig of its ServiceAccount, which has no right yet."""
        return await installation.install(self.plane)

    async def grant(self, policy: Path, *, namespace: str = installation.NAMESPACE) -> None:
        """Gives the ServiceAccount the rights that a guard whose Lease is in `namespace` needs under the policy."""
        await installation.grant(self.plane, policy, guard=namespace)

    def controller(
        self,
        policy: Path | str,
        *,
        kubeconfig: Path,
        name: str = "controller",
        namespace: str = installation.NAMESPACE,
        extra: tuple[str, ...] = (),
    ) -> Controller:
        """Starts a controller under test, whose Lease is in `namespace`; the lab ends it if the caller does not."""
        options = ("--guard-namespace", namespace, "--listen", "127.0.0.1:0", *extra)
        started = controller.start(name, policy=policy, kubeconfig=kubeconfig, workdir=self.workdir, extra=options)
        self.controllers.append(started)
        return started

    @classmethod
    @asynccontextmanager
    async def up(cls, settings: LabSettings, *, plane: ControlPlane | None = None) -> AsyncIterator["Lab"]:
        """A lab for the length of the block; no process of it is left afterwards.

        A control plane that is given is used, and stays up.
        """
        async with AsyncExitStack() as stack:
            workdir = _workdir(settings, stack)
            if plane is None:
                with _timed(settings, "control plane"):
                    plane = await stack.enter_async_context(ControlPlane.running(workdir))
            api = await stack.enter_async_context(Api.from_file(plane.kubeconfig))
            http = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False))
            with _timed(settings, "nodes, exporter, load generator"):
                parts = await stack.enter_async_context(running_parts(settings, workdir, plane.kubeconfig))
            scraping = Scraping(
                interval=settings.scrape_interval,
                exporter=parts["exporter"].address,
                load_generator=parts["loadgen"].address,
                nodes={node: parts[node].address for node in settings.nodes},
            )
            with _timed(settings, "Prometheus"):
                prometheus = await stack.enter_async_context(Prometheus.running(workdir, plane, scraping))
            lab = cls(
                settings=settings,
                workdir=workdir,
                plane=plane,
                api=api,
                prometheus=prometheus,
                parts=parts,
                http=http,
            )
            stack.push_async_callback(_stop_controllers, lab)
            yield lab


def deployment_path(namespace: str, name: str) -> str:
    """The API path of a Deployment."""
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"


def rolled_out(deployment: Any) -> bool:
    """Whether the observed, newest template is all that runs and all of it is available."""
    status = deployment["status"]
    wanted = deployment["spec"]["replicas"]
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    observed: bool = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    return observed and counts == [wanted] * 3


@contextmanager
def _timed(settings: LabSettings, what: str) -> Iterator[None]:
    """Says how long a phase of the start took."""
    started = time.monotonic()
    yield
    settings.say(f"{what}: ready after {time.monotonic() - started:.1f} s")


def _workdir(settings: LabSettings, stack: AsyncExitStack) -> Path:
    if settings.workdir is not None:
        settings.workdir.mkdir(parents=True, exist_ok=True)
        return settings.workdir
    workdir = Path(tempfile.mkdtemp(prefix="rollguard-lab-"))
    stack.callback(shutil.rmtree, workdir, ignore_errors=True)
    return workdir


async def _stop_controllers(lab: Lab) -> None:
    await asyncio.gather(*(each.child.stop(grace_s=5.0) for each in lab.controllers))
