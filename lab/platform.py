"""The platform's release set in the lab: its manifests at the lab's scale, and what pipelines and people do to it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML

from lab.api import JSON_PATCH, MERGE
from lab.endpoints import pod_names, ready_addresses
from lab.manifests import REGISTRY, Manifest
from lab.parts import REPOSITORY
from lab.world import Lab, deployment_path, rolled_out

MANIFESTS = REPOSITORY / "examples" / "dubbing-platform" / "manifests"
COLOURS = ("blue", "green")
KEY = "version"
SERVICES = {"backend": "backend-service", "frontend": "frontend-service"}
WORKERS = "workers"
MEMBERS = (*SERVICES, WORKERS)
QUEUE = "redis-service/dubbing"
QUEUE_PORT = 6379
READY_S = 120.0
"""Of a busy machine: a quiet one needs a twentieth of it."""
AUTOSCALERS = "horizontalpodautoscalers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How the set is made: blue serves, green is idle, both with the same version.

    `replicas` of each Deployment that runs, `idle` of the idle one of a member with a Service (None: as many).
    `autoscaled` members have their autoscalers, from `minimum` to `maximum`. `env` is for every container.
    """

    members: tuple[str, ...] = MEMBERS
    tag: str = "v1-noerrors"
    replicas: int = 2
    idle: int | None = None
    autoscaled: tuple[str, ...] = ()
    minimum: int = 2
    maximum: int = 6
    grace_s: int = 5
    pull_always: bool = False
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What came of the requests that reached one colour of a member."""

    requests: int = 0
    failed: int = 0
    """Answered with 5xx, or not at all."""
    broken: int = 0
    """Connections that were reset or refused, and streams that were cut."""
    last: float = 0.0
    """When the last one was sent, in seconds since the epoch; 0 where none was."""

    def since(self, before: Reached) -> Reached:
        """What came after an earlier count."""
        return Reached(
            requests=self.requests - before.requests,
            failed=self.failed - before.failed,
            broken=self.broken - before.broken,
            last=self.last,
        )


@dataclass(slots=True, kw_only=True)
class Platform:
    """The set in one namespace."""

    lab: Lab
    namespace: str
    shape: Shape

    @classmethod
    async def deploy(cls, lab: Lab, namespace: str, shape: Shape) -> Platform:
        """Makes it; returns it when all of it is ready."""
        made = cls(lab=lab, namespace=await lab.namespace(namespace), shape=shape)
        for document in documents(namespace, shape):
            await lab.api.create(_collection(document), document)
        await made.until_ready(
            *(made.workload(member, colour) for member in shape.members for colour in COLOURS),
            *(["redis"] if WORKERS in shape.members else []),
        )
        return made

    # --- names ---

    @staticmethod
    def workload(member: str, colour: str) -> str:
        """The name of a member's Deployment of that colour."""
        return f"{member}-{colour}"

    @property
    def services(self) -> dict[str, str]:
        """The Services by member."""
        return {member: service for member, service in SERVICES.items() if member in self.shape.members}

    def path(self, group: str, resource: str, name: str) -> str:
        """The API path of one of its objects; `group` as in `api/v1`."""
        return f"/{group}/namespaces/{self.namespace}/{resource}/{name}"

    def autoscaler_path(self, workload: str) -> str:
        """The API path of a Deployment's autoscaler."""
        return self.path("apis/autoscaling/v2", AUTOSCALERS, workload)

    # --- traffic ---

    async def traffic(self, rps: float, *, streams: int = 0, stream_s: float = 1.0, jobs: float = 4.0) -> None:
        """So many requests a second, and streams, for each Service, and jobs a second; clients keep a connection for a
        second at most after its pod has left."""
        for service in self.services.values():
            options = {"keep_alive_s": 1.0, "streams": streams, "stream_s": stream_s}
            await self.lab.traffic(self.namespace, service, rps, **options)
        if WORKERS in self.shape.members:
            service, _, queue = QUEUE.partition("/")
            await self.lab.traffic(self.namespace, service, jobs, path=f"/queues/{queue}/push")

    async def reached(self, member: str, colour: str) -> Reached:
        """What came so far of the requests that reached a colour."""
        stats = await self.lab.traffic_stats(self.namespace, SERVICES[member])
        pods = [pod for pod in stats["pods"].values() if pod["name"].startswith(f"{self.workload(member, colour)}-")]
        return Reached(
            requests=sum(pod["requests"] + pod["streams"] for pod in pods),
            failed=sum(pod["errors"] + pod["failures"] + pod["cut"] for pod in pods),
            broken=sum(pod["failures"] + pod["cut"] for pod in pods),
            last=max((pod["last"] for pod in pods), default=0.0),
        )

    # --- what a pipeline does ---

    async def release(self, tag: str, *, colour: str = "green", members: Sequence[str] = ()) -> None:
        """Gives the idle colour a version, and waits until it runs; workers stay at 0 until the switch."""
        mine = tuple(members) or self.shape.members
        for member in mine:
            await self.set_image(self.workload(member, colour), tag)
        await self.until_ready(*(self.workload(member, colour) for member in mine))

    async def set_image(self, workload: str, tag: str) -> None:
        """What `kubectl set image` does."""
        value = f"{REGISTRY}/{workload.rpartition('-')[0]}:{tag}"
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": value}]
        await self.lab.api.patch(deployment_path(self.namespace, workload), patch, JSON_PATCH)

    async def scale(self, workload: str, replicas: int) -> None:
        """What `kubectl scale` does."""
        await self.lab.api.patch(deployment_path(self.namespace, workload), {"spec": {"replicas": replicas}}, MERGE)

    async def switch(self, to: str, *, members: Sequence[str] = ()) -> float:
        """Changes the workers over and points the Services at a colour; returns when the Services began (seconds since
        the epoch).

        Workers come first: pods take their time, and a colour that is bad goes back a few seconds after its Services.
        """
        mine = tuple(members) or self.shape.members
        if WORKERS in mine:
            await self.scale(self.workload(WORKERS, to), self.shape.replicas)
            await self.until_ready(self.workload(WORKERS, to))
        began = time.time()
        for member in mine:
            if member in SERVICES:
                await self.select(member, to)
        if WORKERS in mine:
            await self.scale(self.workload(WORKERS, COLOURS[1 - COLOURS.index(to)]), 0)
        return began

    async def until_moved(self, member: str, colour: str) -> float:
        """Returns when a Service's slices have ready pods of that colour alone: the time (seconds since the epoch)."""
        path = f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices"
        label = f"kubernetes.io/service-name={SERVICES[member]}"
        seen: set[str] = set()

        async def moved() -> bool:
            seen.clear()
            for each in await self.lab.api.list(path, labelSelector=label):
                ready = {address for address, _port in ready_addresses(each)}
                seen.update(name for address, name in pod_names(each).items() if address in ready)
            return bool(seen) and all(name.startswith(f"{self.workload(member, colour)}-") for name in seen)

        await self.lab.until(moved, what=f"{colour} alone behind {SERVICES[member]}", seen=lambda: sorted(seen))
        return time.time()

    async def select(self, member: str, colour: str) -> None:
        """Points one Service at a colour."""
        body = {"spec": {"selector": {KEY: colour}}}
        await self.lab.api.patch(self.path("api/v1", "services", SERVICES[member]), body, MERGE)

    async def set_minimum(self, workload: str, minimum: int) -> None:
        """Changes an autoscaler's `minReplicas`, as a person or KEDA does."""
        await self.lab.api.patch(self.autoscaler_path(workload), {"spec": {"minReplicas": minimum}}, MERGE)

    async def delete_pods(self, workload: str) -> None:
        """Deletes a Deployment's pods; it makes new ones."""
        for pod in await self.pods(workload):
            await self.lab.api.delete(self.path("api/v1", "pods", pod["metadata"]["name"]), grace_s=0)

    # --- the state of the world ---

    async def live(self, member: str) -> str:
        """The colour that a Service selects; of workers the one that has pods, both joined by a comma where both do."""
        if member in SERVICES:
            service = await self.lab.api.get(self.path("api/v1", "services", SERVICES[member]))
            return str(service["spec"]["selector"][KEY])
        return ",".join([colour for colour in COLOURS if await self.replicas(self.workload(member, colour))])

    async def lives(self) -> dict[str, str]:
        """The live colour of every member."""
        return {member: await self.live(member) for member in self.shape.members}

    async def replicas(self, workload: str) -> int:
        """How many pods a Deployment asks for."""
        return int((await self.lab.deployment(self.namespace, workload))["spec"]["replicas"])

    async def ready(self, workload: str) -> int:
        """How many ready pods a Deployment has."""
        return int((await self.lab.deployment(self.namespace, workload))["status"].get("readyReplicas", 0))

    async def minimum(self, workload: str) -> int:
        """An autoscaler's `minReplicas`."""
        return int((await self.lab.api.get(self.autoscaler_path(workload)))["spec"]["minReplicas"])

    async def pods(self, workload: str) -> list[Any]:
        """The pods of a Deployment, those that are ending too."""
        member, _, colour = workload.rpartition("-")
        labels = f"app={member},{KEY}={colour}"
        return await self.lab.api.list(f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=labels)

    async def until_ready(self, *workloads: str) -> None:
        """Returns when each of these Deployments has all its pods, ready and of its newest template."""
        seen: dict[str, Any] = {}

        async def ready() -> bool:
            for name in workloads:
                seen[name] = await self.lab.deployment(self.namespace, name)
            return all(rolled_out(each) for each in seen.values())

        def counts() -> object:
            return {name: each["status"].get("conditions", each["status"]) for name, each in seen.items()}

        await self.lab.until(ready, what=f"{', '.join(workloads)} ready", timeout_s=READY_S, seen=counts)


def documents(namespace: str, shape: Shape) -> list[Manifest]:
    """The platform's manifests, as the lab runs them."""
    files = [*shape.members, *(["redis"] if WORKERS in shape.members else [])]
    found = [each for file in files for each in YAML(typ="safe").load_all(MANIFESTS / f"{file}.yaml")]
    return [scaled for each in found if (scaled := _scaled(each, namespace, shape)) is not None]


def _scaled(document: Manifest, namespace: str, shape: Shape) -> Manifest | None:
    found = deepcopy(document)
    found["metadata"]["namespace"] = namespace
    if found["kind"] == "HorizontalPodAutoscaler":
        found["spec"] |= {"minReplicas": shape.minimum, "maxReplicas": shape.maximum}
        return found if found["metadata"]["name"].rpartition("-")[0] in shape.autoscaled else None
    if found["kind"] == "Deployment":
        _scale_deployment(found, shape)
    return found


def _scale_deployment(found: Manifest, shape: Shape) -> None:
    labels, spec = found["metadata"]["labels"], found["spec"]
    idle = labels.get(KEY) == "green"
    if labels["app"] == WORKERS:
        spec["replicas"] = 0 if idle else shape.replicas
    elif KEY in labels:
        spec["replicas"] = shape.idle if idle and shape.idle is not None else shape.replicas
    spec["progressDeadlineSeconds"] = 60
    template = spec["template"]
    template["spec"]["terminationGracePeriodSeconds"] = shape.grace_s
    (container,) = template["spec"]["containers"]
    # Until a container serves, and how long it serves on, are the lab's affair.
    for key in ("startupProbe", "livenessProbe", "lifecycle"):
        container.pop(key, None)
    container["readinessProbe"] |= {"periodSeconds": 1, "failureThreshold": 2}
    container["env"] = container.get("env", []) + [{"name": k, "value": v} for k, v in _env(labels, shape).items()]
    if KEY in labels:
        container["image"] = f"{REGISTRY}/{labels['app']}:{shape.tag}"
        container["imagePullPolicy"] = "Always" if shape.pull_always else "IfNotPresent"
    else:
        template["metadata"]["annotations"] = {"prometheus.io/port": str(QUEUE_PORT)}


def _env(labels: Mapping[str, str], shape: Shape) -> dict[str, str]:
    if KEY not in labels:
        return {"LAB_QUEUES": "yes"}
    return {**({"LAB_JOBS": QUEUE} if labels["app"] == WORKERS else {}), **shape.env}


def _collection(document: Manifest) -> str:
    group = {"Deployment": "apis/apps/v1", "Service": "api/v1"}.get(document["kind"], "apis/autoscaling/v2")
    resource = {"Deployment": "deployments", "Service": "services"}.get(document["kind"], AUTOSCALERS)
    return f"/{group}/namespaces/{document['metadata']['namespace']}/{resource}"
