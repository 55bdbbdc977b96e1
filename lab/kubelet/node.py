"""The Node object, its Ready condition and its Lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from lab.api import MERGE, Api, ApiError
from lab.kubelet.timestamps import rfc3339, rfc3339_micro

_RENEW_S = 5.0
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


class Node:
    """Registers one node and keeps it Ready."""

    def __init__(
        self, api: Api, name: str, clock: Callable[[], float], *, cpu: str, memory: str, logs_port: int
    ) -> None:
        self._api = api
        self._name = name
        self._clock = clock
        self._capacity = {"cpu": cpu, "memory": memory, "pods": "2000", "ephemeral-storage": "100Gi"}
        self._logs_port = logs_port

    async def register(self) -> None:
        """Creates the Node (a left-over one is taken over), reports it Ready and creates its Lease."""
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": self._name,
                "labels": {"kubernetes.io/hostname": self._name, "kubernetes.io/os": "linux"},
            },
        }
        await _create(self._api, "/api/v1/nodes", node)
        await self._api.patch(f"/api/v1/nodes/{self._name}/status", {"status": self._status()})
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": "kube-node-lease"},
            "spec": self._lease(),
        }
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-node-lease"}}
        await _create(self._api, "/api/v1/namespaces", namespace)
        await _create(self._api, _LEASES, lease)

    async def renew(self) -> None:
        """Renews the Lease until cancelled."""
        while True:
            await self._api.patch(f"{_LEASES}/{self._name}", {"spec": self._lease()}, MERGE)
            await asyncio.sleep(_RENEW_S)

    def _lease(self) -> dict[str, Any]:
        return {
            "holderIdentity": self._name,
            "leaseDurationSeconds": 40,
            "renewTime": rfc3339_micro(self._clock()),
        }

    def _status(self) -> dict[str, Any]:
        now = rfc3339(self._clock())
        well = {
            "MemoryPressure": "KubeletHasSufficientMemory",
            "DiskPressure": "KubeletHasNoDiskPressure",
            "PIDPressure": "KubeletHasSufficientPID",
        }
        times = {"lastHeartbeatTime": now, "lastTransitionTime": now}
        conditions = [{"type": kind, "status": "False", "reason": reason, **times} for kind, reason in well.items()]
        conditions.append({"type": "Ready", "status": "True", "reason": "KubeletReady", **times})
        return {
            "capacity": self._capacity,
            "allocatable": self._capacity,
            "conditions": conditions,
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._logs_port}},
            "nodeInfo": {
                "kubeletVersion": "v1.36.3",
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": "amd64",
                "containerRuntimeVersion": "lab://1",
                "kernelVersion": "",
                "osImage": "lab",
                "machineID": self._name,
                "systemUUID": self._name,
                "bootID": self._name,
            },
        }


async def _create(api: Api, path: str, body: Any) -> None:
    try:
        await api.create(path, body)
    except ApiError as error:
        if error.status != 409:
            raise
