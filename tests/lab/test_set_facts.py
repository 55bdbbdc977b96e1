"""A release set on the real API server, with the real controllers of EndpointSlices and autoscalers, and its pods."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from lab.platform import COLOURS, KEY, Platform, Shape
from lab.world import Lab
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import Api, KubernetesCluster, load
from rollguard.model.action import Applied, Conflict, Found, FoundAutoscaler, FoundService, Rejected, Write
from rollguard.model.facts import UnitFacts
from rollguard.model.names import Ref, UnitName
from rollguard.model.policy import ReleaseSet, SetMember

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLOCK = SystemClock()
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
TIMEOUT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The platform's backend, and the adapter that knows it as a set."""

    lab: Lab
    platform: Platform
    cluster: KubernetesCluster
    unit: UnitName

    @property
    def facts(self) -> UnitFacts:
        return self.cluster.facts(self.unit)

    def ref(self, kind: str, name: str) -> Ref:
        return Ref(kind, self.platform.namespace, name)

    async def service(self) -> FoundService:
        found = await self.cluster.fetch_service(self.ref("Service", "backend-service"), timeout=TIMEOUT)
        assert isinstance(found, FoundService), found
        return found

    async def autoscaler(self) -> FoundAutoscaler:
        ref = self.ref("HorizontalPodAutoscaler", "backend-blue")
        found = await self.cluster.fetch_autoscaler(ref, timeout=TIMEOUT)
        assert isinstance(found, FoundAutoscaler), found
        return found

    async def green(self) -> Found:
        found = await self.cluster.fetch(self.ref("Deployment", "backend-green"), timeout=TIMEOUT)
        assert isinstance(found, Found), found
        return found

    def pods(self, colour: str) -> list[str]:
        return sorted(pod.name for pod in self.facts.pods if pod.workload.name == f"backend-{colour}")

    def behind(self) -> list[str]:
        """The pods that get the Service's requests, as the facts have it."""
        return [each.pod for each in self.facts.services[0].endpoints if each.ready]


@asynccontextmanager
async def backend(lab: Lab, **shape: Any) -> AsyncIterator[Seen]:
    """The backend in both colours, blue live, once its facts are complete."""
    namespace = f"set-{secrets.token_hex(4)}"
    platform = await Platform.deploy(lab, namespace, Shape(members=("backend",), **shape))
    pair = tuple((colour, platform.workload("backend", colour)) for colour in COLOURS)
    member = SetMember(name="backend", service="backend-service", workloads=pair)
    release_set = ReleaseSet(
        name="platform", namespace=namespace, selector_key=KEY, colours=("blue", "green"), members=(member,)
    )
    api = Api(load(lab.kubeconfig), CLOCK)
    async with KubernetesCluster(api, CLOCK, random.Random(1), namespaces=(namespace,)) as cluster:
        cluster.sets((release_set,))
        cluster.guard(frozenset({release_set.unit}))
        seen = Seen(lab=lab, platform=platform, cluster=cluster, unit=release_set.unit)

        async def complete() -> bool:
            return seen.facts.complete and len(seen.facts.pods) == 4 and len(seen.behind()) == 2

        await lab.until(complete, what="the set's facts", timeout_s=60, seen=lambda: seen.facts.missing)
        yield seen
    await api.close()
    await lab.leave(namespace)


def patched(ref: Ref, found: FoundService | FoundAutoscaler | Found, path: str, was: Any, becomes: Any) -> Write:
    """A write as a step sends it: the object and its value as they were read, and the receipt with the effect."""
    receipt = {"rollguard.dev/step": "p/1"}
    operations: list[Any] = [
        {"op": "test", "path": "/metadata/uid", "value": found.uid},
        {"op": "test", "path": path, "value": was},
        {"op": "add", "path": "/metadata/annotations/rollguard.dev~1step", "value": "p/1"}
        if found.has_annotations
        else {"op": "add", "path": "/metadata/annotations", "value": receipt},
        {"op": "replace", "path": path, "value": becomes},
    ]
    if isinstance(found, FoundService):
        operations.insert(0, {"op": "replace", "path": "/metadata/resourceVersion", "value": found.resource_version})
    return Write(ref=ref, patch=json.dumps(operations))


def switch(seen: Seen, found: FoundService, was: str, becomes: str) -> Write:
    return patched(seen.ref("Service", "backend-service"), found, f"/spec/selector/{KEY}", was, becomes)


async def test_a_switch_shows_in_the_facts_with_the_endpoints_that_follow_it(lab: Lab) -> None:
    async with backend(lab) as seen:
        assert [each.name.name for each in seen.facts.members] == ["backend-blue", "backend-green"]
        assert seen.behind() == seen.pods("blue")
        before = await seen.service()
        assert (before.serving, before.strangers) == (2, 0)
        outcome = await seen.cluster.apply(switch(seen, before, "blue", "green"), dry_run=False, timeout=TIMEOUT)
        assert isinstance(outcome, Applied)
        told: list[tuple[int, int]] = []
        while not told or told[-1] != (2, 0):
            assert len(told) < 500, told
            found = await seen.service()
            told.append((found.serving, found.strangers))
            assert (dict(found.selector)[KEY], found.receipt) == ("green", "p/1")
            await asyncio.sleep(0.02)
        # Until the EndpointSlices are written again they name the pods that are selected no more.
        assert set(told) <= {(0, 2), (2, 0)}, told

        async def shown() -> bool:
            return seen.facts.services[0].selects(KEY) == "green" and seen.behind() == seen.pods("green")

        await lab.until(shown, what="the switch in the facts", timeout_s=60, seen=seen.behind)


async def test_while_the_endpoints_are_behind_the_read_counts_strangers(lab: Lab) -> None:
    async with backend(lab) as seen:
        namespace, pod = seen.platform.namespace, seen.pods("green")[0]
        late = {
            "metadata": {
                "name": "backend-service-late",
                "labels": {
                    "kubernetes.io/service-name": "backend-service",
                    "endpointslice.kubernetes.io/managed-by": "a-controller-that-is-late",
                },
            },
            "addressType": "IPv4",
            "endpoints": [
                {
                    "addresses": ["10.255.0.9"],
                    "conditions": {"ready": True},
                    "targetRef": {"kind": "Pod", "namespace": namespace, "name": pod},
                }
            ],
            "ports": [],
        }
        await lab.api.create(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices", late)
        found = await seen.service()
        assert (found.serving, found.strangers) == (2, 1)

        async def shown() -> bool:
            return pod in seen.behind()

        await lab.until(shown, what="the late slice in the facts", timeout_s=60, seen=seen.behind)


async def test_endpoints_that_are_not_ready_serve_nobody(lab: Lab) -> None:
    async with backend(lab) as seen:
        await seen.platform.scale("backend-blue", 0)
        await lab.until(lambda: _nobody(seen), what="a Service without endpoints", timeout_s=60)
        found = await seen.service()
        assert (dict(found.selector)[KEY], found.serving, found.strangers) == ("blue", 0, 0)


async def _nobody(seen: Seen) -> bool:
    found = await seen.service()
    return (found.serving, found.strangers) == (0, 0) and not seen.behind()


async def test_an_autoscaler_is_a_fact_of_its_colour_and_its_raised_minimum_scales_it(lab: Lab) -> None:
    async with backend(lab, autoscaled=("backend",), minimum=2, maximum=6) as seen:
        facts = {each.workload.name: (each.minimum, each.maximum) for each in seen.facts.autoscalers}
        assert facts == {"backend-blue": (2, 6), "backend-green": (2, 6)}
        found = await seen.autoscaler()
        ref = seen.ref("HorizontalPodAutoscaler", "backend-blue")
        raised = patched(ref, found, "/spec/minReplicas", 2, 3)
        assert isinstance(await seen.cluster.apply(raised, dry_run=False, timeout=TIMEOUT), Applied)
        after = await seen.autoscaler()
        assert (after.minimum, after.receipt) == (3, "p/1")
        assert isinstance(await seen.cluster.apply(raised, dry_run=False, timeout=TIMEOUT), Conflict)
        above = patched(ref, after, "/spec/minReplicas", 3, 7)
        outcome = await seen.cluster.apply(above, dry_run=True, timeout=TIMEOUT)
        assert isinstance(outcome, Rejected) and outcome.status == 422, outcome

        async def scaled() -> bool:
            blue = next(each for each in seen.facts.members if each.name.name == "backend-blue")
            return blue.ready == 3 and {each.minimum for each in seen.facts.autoscalers} == {2, 3}

        await lab.until(scaled, what="three pods by the raised minimum", timeout_s=60, seen=lambda: seen.facts.members)


async def test_what_admission_forbids_of_a_service_is_a_rejection_in_its_words(lab: Lab) -> None:
    async with backend(lab) as seen, refusing_services(lab, seen.platform.namespace):
        write = switch(seen, await seen.service(), "blue", "green")

        async def refused() -> bool:
            return isinstance(await seen.cluster.apply(write, dry_run=True, timeout=TIMEOUT), Rejected)

        await lab.until(refused, what="the refusal", timeout_s=60)
        outcome = await seen.cluster.apply(write, dry_run=False, timeout=TIMEOUT)
        assert isinstance(outcome, Rejected)
        assert "no switch on Fridays" in outcome.detail
        found = await seen.service()
        assert (dict(found.selector)[KEY], found.receipt) == ("blue", "")


@asynccontextmanager
async def refusing_services(lab: Lab, namespace: str) -> AsyncIterator[None]:
    """An admission policy that forbids every change of a Service there."""
    name = f"services-{namespace}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["services"], "operations": ["UPDATE"]}
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    spec = {
        "matchConstraints": {"namespaceSelector": selector, "resourceRules": [rule]},
        "validations": [{"expression": "false", "message": "no switch on Fridays"}],
    }
    await lab.api.create(f"{ADMISSION}/validatingadmissionpolicies", {"metadata": {"name": name}, "spec": spec})
    binding = {"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}}
    await lab.api.create(f"{ADMISSION}/validatingadmissionpolicybindings", binding)
    try:
        yield
    finally:
        await lab.api.delete(f"{ADMISSION}/validatingadmissionpolicybindings/{name}")
        await lab.api.delete(f"{ADMISSION}/validatingadmissionpolicies/{name}")


async def test_a_quota_lets_the_scale_pass_and_no_pod_come(lab: Lab) -> None:
    async with backend(lab) as seen:
        quota = {"metadata": {"name": "pods"}, "spec": {"hard": {"pods": "4"}}}
        await lab.api.create(f"/api/v1/namespaces/{seen.platform.namespace}/resourcequotas", quota)
        quota_path = f"/api/v1/namespaces/{seen.platform.namespace}/resourcequotas/pods"

        async def counted() -> bool:
            return bool((await lab.api.get(quota_path)).get("status", {}).get("used"))

        await lab.until(counted, what="the quota's count", timeout_s=60)
        found = await seen.green()
        assert (found.replicas, found.ready) == (2, 2)
        write = patched(seen.ref("Deployment", "backend-green"), found, "/spec/replicas", 2, 3)
        assert isinstance(await seen.cluster.apply(write, dry_run=False, timeout=TIMEOUT), Applied)

        async def failed() -> bool:
            green = next(each for each in seen.facts.members if each.name.name == "backend-green")
            messages = [each.message for each in green.conditions if each.type == "ReplicaFailure"]
            return any("exceeded quota" in message for message in messages)

        await lab.until(failed, what="the refused pod in the facts", timeout_s=60, seen=lambda: seen.facts.members)
        after = await seen.green()
        assert (after.replicas, after.ready, after.receipt) == (3, 2, "p/1")
