"""What the copies say of a release set: its Deployments, Services, what stands behind them, and its autoscalers."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import KubernetesCluster
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.model.facts import Autoscaler, Endpoint
from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.policy import ReleaseSet
from tests.unit.kubernetes.server import Conversation, Server, serving, until
from tests.unit.sets import PLATFORM

CLOCK = SystemClock()
N = PLATFORM.namespace
Json = dict[str, Any]


def named(name: str, **meta: Any) -> Json:
    return {"name": name, "namespace": N, "uid": f"uid-{name}", "resourceVersion": "1", **meta}


def owned(kind: str, name: str, **meta: Any) -> Json:
    return {"ownerReferences": [{"kind": kind, "name": name, "uid": f"uid-{name}", "controller": True}], **meta}


def deployment(name: str) -> Json:
    return {"metadata": named(name), "spec": {"replicas": 1, "template": template(name)}}


def template(name: str) -> Json:
    return {"metadata": {}, "spec": {"containers": [{"name": "app", "image": f"{name}:1"}]}}


def replica_set(name: str) -> Json:
    labels = {"pod-template-hash": f"hash-{name}"}
    return {
        "metadata": named(f"{name}-1", labels=labels, **owned("Deployment", name)),
        "spec": {"template": template(name)},
    }


def pod(name: str) -> Json:
    return {"metadata": named(f"{name}-1-a", **owned("ReplicaSet", f"{name}-1"))}


def service(name: str, colour: str) -> Json:
    return {"metadata": named(name), "spec": {"selector": {"app": "x", "version": colour}}}


def piece(name: str, of: str, *pods: str) -> Json:
    endpoints = [{"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": each}} for each in pods]
    return {"metadata": named(name, labels={"kubernetes.io/service-name": of}), "endpoints": endpoints}


def scaler(name: str, target: str, *, kind: str = "Deployment", **meta: Any) -> Json:
    spec = {"scaleTargetRef": {"kind": kind, "name": target}, "minReplicas": 3, "maxReplicas": 9}
    return {"metadata": named(name, **meta), "spec": spec}


@dataclass(slots=True)
class Objects:
    """A server's objects by resource, and the watches on them."""

    of: dict[str, list[Json]]
    refused: frozenset[str] = frozenset()
    watches: defaultdict[str, list[Conversation]] = field(default_factory=lambda: defaultdict(list))

    async def script(self, on: Conversation) -> None:
        resource = on.asked.path.rsplit("/", 1)[1]
        if resource in self.refused:
            await on.answer({"message": f"{resource} is forbidden: User cannot list"}, status=403)
        elif "watch" in on.asked.query:
            await on.stream()
            self.watches[resource].append(on)
            await asyncio.sleep(60)
        else:
            await on.answer({"metadata": {"resourceVersion": "1"}, "items": self.of.get(resource, [])})

    async def change(self, resource: str, changed: Json) -> None:
        """Tells every watch of the resource."""
        await until(lambda: bool(self.watches[resource]))
        newer = {**changed, "metadata": {**changed["metadata"], "resourceVersion": "2"}}
        for on in self.watches[resource]:
            await on.event("MODIFIED", newer)


def platform() -> Objects:
    """Both colours of the platform but for the green workers, and others beside it."""
    names = ("backend-blue", "backend-green", "workers-blue", "another")
    return Objects(
        {
            "deployments": [deployment(name) for name in reversed(names)],
            "replicasets": [replica_set(name) for name in names],
            "pods": [pod(name) for name in names],
            "services": [service("backend-service", "green"), service("another-service", "blue")],
            "endpointslices": [piece("backend-service-x", "backend-service", "backend-green-1-a")],
            "horizontalpodautoscalers": [
                scaler("keda-hpa-workers", "workers-blue", **owned("ScaledObject", "workers")),
                scaler("backend", "backend-green"),
                scaler("elsewhere", "another"),
                scaler("no-deployment", "backend-blue", kind="StatefulSet"),
            ],
        }
    )


@asynccontextmanager
async def guarding(objects: Objects, *sets: ReleaseSet) -> AsyncIterator[tuple[KubernetesCluster, Server]]:
    async with serving(objects.script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace=N), CLOCK)
        async with KubernetesCluster(api, CLOCK, random.Random(1), namespaces=(N,)) as cluster:
            cluster.sets(sets)
            cluster.guard(frozenset({PLATFORM.unit}))
            yield cluster, server
        await api.close()


async def test_the_facts_of_a_set_are_those_of_its_deployments_in_its_order_with_services_and_autoscalers() -> None:
    async with guarding(platform(), PLATFORM) as (cluster, server):
        await until(lambda: cluster.facts(PLATFORM.unit).complete)
        seen = cluster.facts(PLATFORM.unit)
        assert [member.name.name for member in seen.members] == ["backend-blue", "backend-green", "workers-blue"]
        assert [(pod.workload.name, pod.revision) for pod in seen.pods] == [
            (name, f"hash-{name}") for name in ("backend-blue", "backend-green", "workers-blue")
        ]
        assert all(member.target() is not None for member in seen.members)
        (backend,) = seen.services
        assert (backend.name, backend.uid, backend.selects("version")) == (
            "backend-service",
            "uid-backend-service",
            "green",
        )
        there = Endpoint(pod="backend-green-1-a", ready=True, serving=True, terminating=False)
        assert backend.endpoints == (there,)
        green = WorkloadName(N, WorkloadKind.DEPLOYMENT, "backend-green")
        assert seen.autoscalers[0] == Autoscaler(
            namespace=N, name="backend", uid="uid-backend", workload=green, minimum=3, maximum=9
        )
        assert [(each.name, each.owner) for each in seen.autoscalers[1:]] == [
            ("keda-hpa-workers", "ScaledObject/workers")
        ]
        slices = [each for each in server.asked if each.path.endswith("/endpointslices")]
        assert all(each.query["labelSelector"] == "kubernetes.io/service-name in (backend-service)" for each in slices)


async def test_what_no_set_is_in_is_asked_for_no_services() -> None:
    async with guarding(platform()) as (cluster, server):
        alone = UnitName.of_workload(WorkloadName(N, WorkloadKind.DEPLOYMENT, "backend-blue"))
        await until(lambda: cluster.facts(alone).complete)
        assert not [each for each in server.asked if each.path.endswith(("/services", "/endpointslices"))]
        assert cluster.facts(alone).services == ()
        unknown = cluster.facts(PLATFORM.unit)
        assert not unknown.complete and unknown.members == ()
        assert unknown.missing == ("production/platform: not a known set",)


async def test_without_the_right_to_services_a_set_is_not_judged_and_a_deployment_of_it_is() -> None:
    objects = replace(platform(), refused=frozenset({"services"}))
    async with guarding(objects, PLATFORM) as (cluster, _):
        await until(lambda: any("403" in text for text in cluster.facts(PLATFORM.unit).missing))
        alone = UnitName.of_workload(WorkloadName(N, WorkloadKind.DEPLOYMENT, "backend-blue"))
        await until(lambda: cluster.facts(alone).complete)
        seen = cluster.facts(PLATFORM.unit)
        assert not seen.complete
        assert [text.partition(":")[0] for text in seen.missing] == ["Services in production"]


async def test_a_set_without_services_needs_none() -> None:
    workers = replace(PLATFORM, members=PLATFORM.members[1:])
    async with guarding(platform(), workers) as (cluster, server):
        await until(lambda: cluster.facts(workers.unit).complete)
        assert [each.name.name for each in cluster.facts(workers.unit).members] == ["workers-blue"]
        assert not [each for each in server.asked if each.path.endswith(("/services", "/endpointslices"))]


async def test_a_set_wakes_for_each_thing_that_it_has_and_for_no_other() -> None:
    objects = platform()
    async with guarding(objects, PLATFORM) as (cluster, _):
        await until(lambda: cluster.facts(PLATFORM.unit).complete)
        changes = cluster.changes()
        await quiet(changes)
        for resource, changed in (
            ("services", service("backend-service", "blue")),
            ("endpointslices", piece("backend-service-x", "backend-service")),
            ("horizontalpodautoscalers", scaler("backend", "backend-green")),
            ("deployments", deployment("backend-green")),
            ("replicasets", replica_set("backend-blue")),
            ("pods", pod("workers-blue")),
        ):
            await objects.change(resource, changed)
            async with asyncio.timeout(60):
                assert await anext(changes) == PLATFORM.unit, resource
        await objects.change("services", service("another-service", "green"))
        await objects.change("deployments", deployment("another"))
        await quiet(changes, nothing=True)
        assert cluster.facts(PLATFORM.unit).services[0].selects("version") == "blue"
        assert cluster.facts(PLATFORM.unit).services[0].endpoints == ()


async def quiet(changes: AsyncIterator[UnitName], *, nothing: bool = False) -> None:
    """Takes what is there until nothing comes for a moment; with `nothing`, there must be none."""
    while True:
        try:
            async with asyncio.timeout(0.3):
                woken = await anext(changes)
        except TimeoutError:
            return
        assert not nothing, woken


async def test_sets_that_change_are_followed() -> None:
    objects = platform()
    objects.of["services"].append(service("workers-service", "blue"))
    async with guarding(objects, PLATFORM) as (cluster, server):
        await until(lambda: cluster.facts(PLATFORM.unit).complete)
        asked = len(server.asked)
        cluster.sets((PLATFORM,))
        assert cluster.facts(PLATFORM.unit).complete, "the same sets are not copied afresh"
        served = replace(PLATFORM.members[1], service="workers-service")
        more = replace(PLATFORM, members=(PLATFORM.members[0], served))
        cluster.sets((more,))
        await until(lambda: cluster.facts(PLATFORM.unit).complete)
        assert [each.name for each in cluster.facts(PLATFORM.unit).services] == ["backend-service", "workers-service"]
        fresh = {each.path.rsplit("/", 1)[1] for each in server.asked[asked:] if "watch" not in each.query}
        assert fresh == {"services", "endpointslices", "horizontalpodautoscalers"}
        cluster.sets(())
        assert not cluster.facts(PLATFORM.unit).complete
