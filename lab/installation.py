"""The product installed in the lab as in a cluster: its objects, a ServiceAccount, and a Role of what it declares."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from lab.api import Api, ApiError
from lab.controlplane import ControlPlane
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import Api as ProductApi
from rollguard.adapters.kubernetes import load
from rollguard.adapters.kubernetes.install import install_manifests
from rollguard.adapters.kubernetes.rights import collected

ACCOUNT = "rollguard"
NAMESPACE = "monitoring"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


async def install(plane: ControlPlane, api: Api, *, namespace: str = NAMESPACE) -> Path:
    """Installs definitions, admission policy and rights (again is harmless); returns the controller's kubeconfig."""
    clock = SystemClock()
    product = ProductApi(load(plane.kubeconfig), clock)
    try:
        await install_manifests(product, clock)
    finally:
        await product.close()
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}}
    await _ensure(api, "/api/v1/namespaces", _named("v1", "Namespace", namespace))
    await _ensure(api, f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    await _ensure(api, f"{RBAC}/clusterroles", role())
    await _ensure(api, f"{RBAC}/clusterrolebindings", _binding(namespace))
    return await plane.kubeconfig_for_service_account(namespace, ACCOUNT)


def role() -> dict[str, Any]:
    """The ClusterRole of exactly those requests that the controller declares."""
    verbs: dict[tuple[str, str], set[str]] = defaultdict(set)
    for group, resource, verb, _why in collected():
        verbs[group, resource].add(verb)
    rules = [
        {"apiGroups": [group], "resources": [resource], "verbs": sorted(allowed)}
        for (group, resource), allowed in sorted(verbs.items())
    ]
    return {**_named("rbac.authorization.k8s.io/v1", "ClusterRole", ACCOUNT), "rules": rules}


def _binding(namespace: str) -> dict[str, Any]:
    return {
        **_named("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", ACCOUNT),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ACCOUNT},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}],
    }


def _named(api_version: str, kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}


async def _ensure(api: Api, path: str, body: Any) -> None:
    try:
        await api.create(path, body)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
