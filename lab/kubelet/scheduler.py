"""The scheduler's part: pending pods are bound to nodes that have room, spread by owner."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lab.api import Api, ApiError
from lab.kubelet.events import Events
from lab.kubelet.quantity import parse_quantity
from lab.kubelet.timestamps import rfc3339
from lab.mirror import Mirror

_RESOURCES = ("cpu", "memory")


def choose(pod: Any, nodes: Sequence[Any], placed: Sequence[Any]) -> tuple[str | None, str]:
    """The node for a pod, or None and the scheduler's message. Spreads an owner's pods, then all pods."""
    refusals: Counter[str] = Counter()
    fitting: list[str] = []
    for node in nodes:
        refusal = _refusal(pod, node, placed)
        if refusal is None:
            fitting.append(node["metadata"]["name"])
        else:
            refusals[refusal] += 1
    if not fitting:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(refusals.items()))
        return None, f"0/{len(nodes)} nodes are available: {reasons}."
    owner = _owner(pod)
    same = Counter(other["spec"]["nodeName"] for other in placed if _owner(other) == owner)
    load = Counter(other["spec"]["nodeName"] for other in placed)
    return min(fitting, key=lambda name: (same[name], load[name], name)), ""


def requests(pod: Any) -> dict[str, float]:
    """Requested cores and bytes of a pod's containers."""
    total = dict.fromkeys(_RESOURCES, 0.0)
    for container in pod["spec"]["containers"]:
        wanted = (container.get("resources") or {}).get("requests") or {}
        for resource in _RESOURCES:
            total[resource] += parse_quantity(wanted.get(resource, 0))
    return total


def _refusal(pod: Any, node: Any, placed: Sequence[Any]) -> str | None:
    metadata, spec = node["metadata"], node.get("spec") or {}
    if spec.get("unschedulable"):
        return "node(s) were unschedulable"
    if not _selected(pod, metadata):
        return "node(s) didn't match Pod's node affinity/selector"
    here = [other for other in placed if other["spec"]["nodeName"] == metadata["name"]]
    free = {
        resource: parse_quantity(node.get("status", {}).get("allocatable", {}).get(resource, 0))
        - sum(requests(other)[resource] for other in here)
        for resource in _RESOURCES
    }
    wanted = requests(pod)
    short = [resource for resource in _RESOURCES if wanted[resource] > free[resource]]
    return f"Insufficient {short[0]}" if short else None


def _selected(pod: Any, node: Mapping[str, Any]) -> bool:
    labels = node.get("labels") or {}
    if any(labels.get(key) != value for key, value in (pod["spec"].get("nodeSelector") or {}).items()):
        return False
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms")
    if not terms:
        return True
    return any(
        all(node["name"] in (field.get("values") or ()) for field in term.get("matchFields") or ()) for term in terms
    )


def _owner(pod: Any) -> str:
    owners = pod["metadata"].get("ownerReferences") or ()
    return str(owners[0]["uid"]) if owners else str(pod["metadata"]["uid"])


class Scheduler:
    """Looks at all pods after each change and binds those that wait."""

    def __init__(self, api: Api, events: Events, pods: Mirror, nodes: Mirror, clock: Any) -> None:
        self._api = api
        self._events = events
        self._pods = pods
        self._nodes = nodes
        self._clock = clock
        self._wake = asyncio.Event()
        self._bound: dict[str, str] = {}
        self._refused: dict[str, str] = {}
        for mirror in (pods, nodes):
            mirror.subscribe(self._on_change)

    def _on_change(self, kind: str, item: Any) -> None:
        if kind == "DELETED":
            self._bound.pop(item["metadata"]["uid"], None)
            self._refused.pop(item["metadata"]["uid"], None)
        self._wake.set()

    async def run(self) -> None:
        await self._pods.synced.wait()
        await self._nodes.synced.wait()
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._schedule()

    async def _schedule(self) -> None:
        placed = [placed for pod in self._pods.objects.values() if (placed := self._placed(pod)) is not None]
        for pod in list(self._pods.objects.values()):
            metadata = pod["metadata"]
            waiting = not pod["spec"].get("nodeName") and metadata["uid"] not in self._bound
            if not waiting or metadata.get("deletionTimestamp") or pod["spec"].get("schedulingGates"):
                continue
            node, message = choose(pod, list(self._nodes.objects.values()), placed)
            if node is None:
                await self._refuse(pod, message)
            elif await self._bind(pod, node):
                self._bound[metadata["uid"]] = node
                placed.append({**pod, "spec": {**pod["spec"], "nodeName": node}})

    def _placed(self, pod: Any) -> Any | None:
        if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            return None
        if pod["spec"].get("nodeName"):
            return pod
        node = self._bound.get(pod["metadata"]["uid"])
        return {**pod, "spec": {**pod["spec"], "nodeName": node}} if node else None

    async def _bind(self, pod: Any, node: str) -> bool:
        metadata = pod["metadata"]
        try:
            await self._api.bind(metadata["namespace"], metadata["name"], node)
        except ApiError as error:
            if error.status in (404, 409):
                return False
            raise
        message = f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {node}"
        self._events.record(pod, "Normal", "Scheduled", message)
        return True

    async def _refuse(self, pod: Any, message: str) -> None:
        metadata = pod["metadata"]
        if self._refused.get(metadata["uid"]) == message:
            return
        self._refused[metadata["uid"]] = message
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": rfc3339(self._clock()),
        }
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
        try:
            await self._api.patch(path, {"status": {"conditions": [condition]}})
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            return
        self._events.record(pod, "Warning", "FailedScheduling", message)
