"""Pod metrics for the real HPA controller, without an aggregation layer.

The API group `metrics.k8s.io` is served by a CustomResourceDefinition; the kubelet writes one object for each of
its running pods, from the apps' real or declared usage. Only namespaces with an autoscaler get objects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from lab.api import MERGE, Api, ApiError
from lab.kubelet.pods import Pods
from lab.kubelet.timestamps import rfc3339
from lab.kubelet.worker import Worker

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_AUTOSCALERS = "/apis/autoscaling/v2/horizontalpodautoscalers"
_NAME = "pods.metrics.k8s.io"

DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": _NAME, "annotations": {"api-approved.kubernetes.io": "unapproved, lab only"}},
    "spec": {
        "group": "metrics.k8s.io",
        "scope": "Namespaced",
        "names": {"plural": "pods", "singular": "podmetric", "kind": "PodMetrics", "listKind": "PodMetricsList"},
        "versions": [
            {
                "name": "v1beta1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


async def install(api: Api) -> None:
    """Creates the definition, if it is not there, and waits until it is served (10 s at most)."""
    try:
        await api.create(_CRDS, DEFINITION)
    except ApiError as error:
        if error.status != 409:
            raise
    async with asyncio.timeout(10):
        while not _established(await api.get(f"{_CRDS}/{_NAME}")):  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.05)


def _established(definition: Any) -> bool:
    conditions = definition.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


class Usage:
    """CPU seconds of each container run at the last look, to make cores of them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, str, int], tuple[float, float]] = {}

    def containers(self, worker: Worker) -> list[dict[str, Any]]:
        """`containers` of a PodMetrics object; empty until two looks have been taken at every container."""
        now = self._clock()
        rows = []
        for container in worker.containers:
            if container.app is None:
                return []
            key = (worker.uid, container.name, container.restart_count)
            seconds = container.app.cpu_seconds()
            before = self._seen.get(key)
            self._seen[key] = (now, seconds)
            if before is None or now <= before[0]:
                return []
            cores = (seconds - before[1]) / (now - before[0])
            usage = {"cpu": f"{round(cores * 1e9)}n", "memory": str(round(container.app.memory_bytes()))}
            rows.append({"name": container.name, "usage": usage})
        return rows

    def forget(self, uids: set[str]) -> None:
        """Keeps only the pods with these uids."""
        self._seen = {key: value for key, value in self._seen.items() if key[0] in uids}


async def publish(api: Api, pods: Pods, interval_s: float, clock: Callable[[], float]) -> None:
    """Writes the metrics of a node's pods until cancelled."""
    usage = Usage(clock)
    written: dict[str, str] = {}
    while True:
        await asyncio.sleep(interval_s)
        scaled = {each["metadata"]["namespace"] for each in await api.list(_AUTOSCALERS)}
        workers = {w.uid: w for w in pods.all() if w.pod["metadata"]["namespace"] in scaled}
        for uid, worker in workers.items():
            rows = usage.containers(worker)
            if rows:
                written[uid] = await _write(api, worker, rows, interval_s, clock())
        for uid in [uid for uid in written if uid not in workers]:
            await _remove(api, written.pop(uid))
        usage.forget(set(workers))


async def _write(api: Api, worker: Worker, rows: list[dict[str, Any]], window_s: float, now: float) -> str:
    metadata = worker.pod["metadata"]
    collection = f"/apis/metrics.k8s.io/v1beta1/namespaces/{metadata['namespace']}/pods"
    path = f"{collection}/{metadata['name']}"
    body = {
        "apiVersion": "metrics.k8s.io/v1beta1",
        "kind": "PodMetrics",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": metadata.get("labels") or {},
        },
        "timestamp": rfc3339(now),
        "window": f"{window_s:g}s",
        "containers": rows,
    }
    try:
        await api.patch(path, body, MERGE)
    except ApiError as error:
        if error.status != 404:
            raise
        try:
            await api.create(collection, body)
        except ApiError as refused:
            if refused.status not in (403, 404, 409):  # the namespace is going away
                raise
    return path


async def _remove(api: Api, path: str) -> None:
    try:
        await api.delete(path)
    except ApiError as error:
        if error.status != 404:
            raise
