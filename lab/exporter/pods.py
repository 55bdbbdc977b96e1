"""`kube_pod_*` series."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.exposition import Family
from lab.kubelet.quantity import parse_quantity
from lab.kubelet.timestamps import parse

PHASES = ("Pending", "Succeeded", "Failed", "Unknown", "Running")
REASONS = ("Evicted", "NodeAffinity", "NodeLost", "Shutdown", "UnexpectedAdmissionError")
_UNITS = {"cpu": "core", "memory": "byte"}


class PodFamilies:
    """One set of families for one scrape."""

    def __init__(self) -> None:
        def gauge(name: str, text: str) -> Family:
            return Family(name, "gauge", text)

        self.info = gauge("kube_pod_info", "Information about pod.")
        self.owner = gauge("kube_pod_owner", "Information about the Pod's owner.")
        self.created = gauge("kube_pod_created", "Unix creation timestamp.")
        self.deletion = gauge("kube_pod_deletion_timestamp", "Unix deletion timestamp.")
        self.phase = gauge("kube_pod_status_phase", "The pods current phase.")
        self.reason = gauge("kube_pod_status_reason", "The pod status reasons.")
        self.ready = gauge("kube_pod_status_ready", "Whether the pod is ready to serve requests.")
        self.unschedulable = gauge("kube_pod_status_unschedulable", "The unschedulable status of the pod.")
        self.restarts = Family(
            "kube_pod_container_status_restarts_total", "counter", "The number of container restarts per container."
        )
        self.container_ready = gauge("kube_pod_container_status_ready", "Whether the readiness check succeeded.")
        self.running = gauge("kube_pod_container_status_running", "Whether the container is in running state.")
        self.waiting = gauge("kube_pod_container_status_waiting_reason", "The reason the container is waiting.")
        self.init_waiting = gauge(
            "kube_pod_init_container_status_waiting_reason", "The reason the init container is waiting."
        )
        self.terminated = gauge(
            "kube_pod_container_status_last_terminated_reason", "The last reason the container was terminated."
        )
        self.limits = gauge("kube_pod_container_resource_limits", "The limits of a container.")
        self.requests = gauge("kube_pod_container_resource_requests", "The requests of a container.")

    def all(self) -> Iterable[Family]:
        return tuple(vars(self).values())


def families(pods: Iterable[Any]) -> Iterable[Family]:
    """The series of these pods."""
    result = PodFamilies()
    for pod in pods:
        _pod(result, pod)
        _containers(result, pod)
    return result.all()


def _pod(result: PodFamilies, pod: Any) -> None:
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    labels = _labels(pod)
    owner = next((each for each in metadata.get("ownerReferences") or () if each.get("controller")), None)
    result.info.add(
        1,
        **labels,
        host_ip=status.get("hostIP", ""),
        pod_ip=status.get("podIP", ""),
        node=spec.get("nodeName", ""),
        created_by_kind=owner["kind"] if owner else "",
        created_by_name=owner["name"] if owner else "",
        priority_class=spec.get("priorityClassName", ""),
        host_network=str(bool(spec.get("hostNetwork"))).lower(),
    )
    result.owner.add(
        1,
        **labels,
        owner_kind=owner["kind"] if owner else "",
        owner_name=owner["name"] if owner else "",
        owner_is_controller="true" if owner else "",
    )
    result.created.add(parse(metadata["creationTimestamp"]), **labels)
    if metadata.get("deletionTimestamp"):
        result.deletion.add(parse(metadata["deletionTimestamp"]), **labels)
    for phase in PHASES:
        result.phase.add(float(status.get("phase") == phase), **labels, phase=phase)
    for reason in REASONS:
        result.reason.add(float(status.get("reason") == reason), **labels, reason=reason)
    conditions = {each["type"]: each for each in status.get("conditions") or ()}
    if "Ready" in conditions:
        for value in ("true", "false", "unknown"):
            result.ready.add(float(conditions["Ready"]["status"].lower() == value), **labels, condition=value)
    if conditions.get("PodScheduled", {}).get("reason") == "Unschedulable":
        result.unschedulable.add(1, **labels)


def _containers(result: PodFamilies, pod: Any) -> None:
    status = pod.get("status") or {}
    for each in status.get("containerStatuses") or ():
        labels = {**_labels(pod), "container": each["name"]}
        result.restarts.add_labelled(each["restartCount"], labels)
        result.container_ready.add_labelled(float(each["ready"]), labels)
        result.running.add_labelled(float("running" in each["state"]), labels)
        _waiting(result.waiting, each, labels)
        last = (each.get("lastState") or {}).get("terminated")
        if last:
            result.terminated.add_labelled(1, {**labels, "reason": last.get("reason", "")})
    for each in status.get("initContainerStatuses") or ():
        _waiting(result.init_waiting, each, {**_labels(pod), "container": each["name"]})
    for container in pod["spec"]["containers"]:
        resources = container.get("resources") or {}
        for family, key in ((result.limits, "limits"), (result.requests, "requests")):
            for resource, quantity in (resources.get(key) or {}).items():
                extra = {"resource": resource.replace("-", "_"), "unit": _UNITS.get(resource, "byte")}
                place = {"container": container["name"], "node": pod["spec"].get("nodeName", "")}
                family.add_labelled(parse_quantity(quantity), {**_labels(pod), **place, **extra})


def _waiting(family: Family, status: Any, labels: dict[str, str]) -> None:
    reason = (status["state"].get("waiting") or {}).get("reason")
    if reason:
        family.add_labelled(1, {**labels, "reason": reason})


def _labels(pod: Any) -> dict[str, str]:
    metadata = pod["metadata"]
    return {"namespace": metadata["namespace"], "pod": metadata["name"], "uid": metadata["uid"]}
