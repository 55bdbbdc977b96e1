"""The product installed in the lab as in a cluster: what `rollguard install` renders, but for its Deployment.

A story's guard is a process that the story starts itself; it runs under the product's ServiceAccount, with the Roles
that the product renders for the story's own policy.
"""

import asyncio
from pathlib import Path

import msgspec

from lab.api import Api as LabApi
from lab.controlplane import ControlPlane
from lab.processes import ProcessError
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import Api, install_manifests, load
from rollguard.adapters.kubernetes.connection.rights import Right, needed
from rollguard.cli.policy import read
from rollguard.model.documents import Json
from rollguard.record import manifests as definitions
from rollguard.render import ACCOUNT, access

NAMESPACE = "monitoring"
POLL_S = 0.1
ATTEMPTS = 100


async def install(plane: ControlPlane) -> Path:
    """Installs the definitions, the admission policy and the ServiceAccount (again is harmless), which has no right
    yet; returns its kubeconfig."""
    space: dict[str, Json] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    name: dict[str, Json] = {"name": ACCOUNT, "namespace": NAMESPACE}
    account: dict[str, Json] = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": name}
    await _apply(plane, *definitions(), space, account)
    return await plane.kubeconfig_for_service_account(NAMESPACE, ACCOUNT)


async def grant(plane: ControlPlane, policy: Path, *, guard: str) -> None:
    """Gives the ServiceAccount exactly the rights that a guard in namespace `guard` needs under this policy."""
    loaded = read(policy)
    await allow(plane, needed(loaded), watched=loaded.namespaces(), guard=guard, sets=loaded.set_namespaces())


async def allow(
    plane: ControlPlane,
    rights: tuple[Right, ...],
    *,
    watched: tuple[str, ...],
    guard: str,
    sets: tuple[str, ...] = (),
) -> None:
    """Applies the Roles of these rights; returns when the API server goes by them."""
    permissions = tuple(right.permission for right in rights)
    roles = access(permissions, watched=watched, guard=guard, sets=sets, account=NAMESPACE)
    await _apply(plane, *roles)
    async with LabApi.from_file(plane.kubeconfig) as api:
        for role in roles:
            if role["kind"] == "Role":
                await _until_allowed(api, msgspec.convert(role, _Role))


class _Rule(msgspec.Struct, rename="camel"):
    api_groups: list[str]
    resources: list[str]
    verbs: list[str]


class _Metadata(msgspec.Struct):
    namespace: str


class _Role(msgspec.Struct):
    metadata: _Metadata
    rules: list[_Rule]


async def _until_allowed(api: LabApi, role: _Role) -> None:
    """The authorizer learns of a Role by a watch, a moment after it was written."""
    rule = role.rules[-1]
    resource, _, subresource = rule.resources[-1].partition("/")
    asked = {
        "namespace": role.metadata.namespace,
        "group": rule.api_groups[0],
        "resource": resource,
        "subresource": subresource,
        "verb": rule.verbs[-1],
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}", "resourceAttributes": asked},
    }
    for _ in range(ATTEMPTS):
        answer = await api.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        if answer["status"]["allowed"]:
            return
        await asyncio.sleep(POLL_S)
    raise ProcessError(f"the API server does not go by the Role in {role.metadata.namespace}: {asked}")


async def _apply(plane: ControlPlane, *objects: dict[str, Json]) -> None:
    clock = SystemClock()
    api = Api(load(plane.kubeconfig), clock)
    try:
        await install_manifests(api, clock, objects)
    finally:
        await api.close()
