"""The real API server keeps every promise of the ports: the same suite that the simulator passes. The ports run as a
ServiceAccount that has exactly the rights that the adapter declares."""

from __future__ import annotations

import random
import secrets
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from lab import installation, manifests
from lab.api import JSON_PATCH, MERGE
from lab.api import Api as LabApi
from lab.controlplane import ControlPlane
from lab.world import deployment_path
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import Api, KubernetesCluster, KubernetesLeadership, KubernetesRecords, load
from rollguard.adapters.kubernetes.connection import rights
from rollguard.model.names import UnitName
from rollguard.model.requests import HumanRequest
from rollguard.ports import Leadership
from rollguard.record import request_to_json
from tests.contract.cases import CASES, Case
from tests.contract.ground import Ground
from tests.contract.set_cases import SET_CASES

pytestmark = pytest.mark.lab
LEASE_S = 3.0


class _Human:
    """Changes the real cluster as its administrator."""

    def __init__(self, api: LabApi, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    async def deploy(self, name: str, tag: str) -> None:
        path = f"/apis/apps/v1/namespaces/{self._namespace}/deployments"
        await self._api.create(path, manifests.deployment(name, tag=tag))

    async def set_tag(self, name: str, tag: str) -> None:
        path = "/spec/template/spec/containers/0/image"
        patch = [{"op": "replace", "path": path, "value": manifests.image(name, tag)}]
        await self._api.patch(deployment_path(self._namespace, name), patch, JSON_PATCH)

    async def scale(self, name: str, replicas: int) -> None:
        await self._api.patch(deployment_path(self._namespace, name), {"spec": {"replicas": replicas}}, MERGE)

    async def replicas(self, name: str) -> int:
        found: int = (await self._api.get(deployment_path(self._namespace, name)))["spec"]["replicas"]
        return found

    async def serve(self, name: str, selector: dict[str, str]) -> None:
        body = {"metadata": {"name": name}, "spec": {"selector": selector, "ports": [{"port": 80}]}}
        await self._api.create(f"/api/v1/namespaces/{self._namespace}/services", body)

    async def select(self, name: str, key: str, value: str) -> None:
        path = f"/api/v1/namespaces/{self._namespace}/services/{name}"
        await self._api.patch(path, {"spec": {"selector": {key: value}}}, MERGE)

    async def autoscale(self, deployment: str, *, minimum: int, maximum: int) -> None:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment}
        spec = {"scaleTargetRef": target, "minReplicas": minimum, "maxReplicas": maximum}
        await self._api.create(self._autoscalers, {"metadata": {"name": deployment}, "spec": spec})

    async def set_minimum(self, autoscaler: str, minimum: int) -> None:
        await self._api.patch(f"{self._autoscalers}/{autoscaler}", {"spec": {"minReplicas": minimum}}, MERGE)

    @property
    def _autoscalers(self) -> str:
        return f"/apis/autoscaling/v2/namespaces/{self._namespace}/horizontalpodautoscalers"

    async def request(self, unit: UnitName, request: HumanRequest) -> None:
        path = f"/apis/rollguard.dev/v1alpha1/namespaces/{unit.namespace}/guardedunits/{unit.object_name}"
        entry = msgspec.json.decode(request_to_json(request))
        await self._api.patch(path, {"spec": {"requests": [entry]}}, MERGE)

    async def delete_lease(self) -> None:
        await self._api.delete(f"/apis/coordination.k8s.io/v1/namespaces/{self._namespace}/leases/rollguard")

    async def delete(self, name: str) -> None:
        await self._api.delete(deployment_path(self._namespace, name))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guards_kubeconfig(control_plane: ControlPlane) -> Path:
    """The guard's ServiceAccount, which gets the declared rights in each test's namespace and nothing else."""
    return await installation.install(control_plane)


@pytest.mark.parametrize("case", (*CASES, *SET_CASES), ids=lambda case: case.__name__)
async def test_the_real_api_server_keeps_the_contract(
    case: Case, control_plane: ControlPlane, guards_kubeconfig: Path
) -> None:
    clock, rng = SystemClock(), random.Random(1)
    namespace = f"contract-{secrets.token_hex(4)}"
    api = Api(load(guards_kubeconfig), clock)

    def contender(name: str) -> Leadership:
        return KubernetesLeadership(api, clock, namespace=namespace, identity=name, duration=LEASE_S)

    async with LabApi.from_file(control_plane.kubeconfig) as admin:
        await admin.create("/api/v1/namespaces", manifests.namespace(namespace))
        declared = (*rights.CONTROLLER, *(rights.RELEASE_SETS if case in SET_CASES else ()))
        await installation.allow(control_plane, declared, watched=(namespace,), guard=namespace, sets=(namespace,))
        async with KubernetesCluster(api, clock, rng, namespaces=(namespace,)) as cluster:
            ground = Ground(
                namespace=namespace,
                cluster=cluster,
                records=KubernetesRecords(api, clock, rng, namespaces=(namespace,)),
                clock=clock,
                human=_Human(admin, namespace),
                contender=contender,
                lease_seconds=LEASE_S,
            )
            await case(ground)
        await admin.clear(namespace)
    await api.close()
