"""Series of Deployments, ReplicaSets, Jobs and autoscalers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.exposition import Family
from lab.kubelet.timestamps import parse

_STATUSES = ("true", "false", "unknown")
_DEPLOYMENT_REASONS = frozenset(
    (
        "",
        "DeploymentPaused",
        "DeploymentResumed",
        "FoundNewReplicaSet",
        "MinimumReplicasAvailable",
        "MinimumReplicasUnavailable",
        "NewReplicaSetAvailable",
        "NewReplicaSetCreated",
        "ProgressDeadlineExceeded",
        "ReplicaSetCreateError",
        "ReplicaSetUpdated",
    )
)
"""Those that kube-state-metrics names; any other is `unknown`."""
_JOB_REASONS = ("BackoffLimitExceeded", "DeadlineExceeded", "Evicted")


class Table:
    """Families by name, made at first use."""

    def __init__(self) -> None:
        self._families: dict[str, Family] = {}

    def add(self, name: str, text: str, value: float, labels: dict[str, str]) -> None:
        self._families.setdefault(name, Family(name, "gauge", text)).add_labelled(value, labels)

    def all(self) -> Iterable[Family]:
        return tuple(self._families.values())


def deployments(items: Iterable[Any]) -> Iterable[Family]:
    """`kube_deployment_*`."""
    table = Table()
    for item in items:
        metadata, spec, status = item["metadata"], item["spec"], item.get("status") or {}
        labels = {"namespace": metadata["namespace"], "deployment": metadata["name"]}
        rows: tuple[tuple[str, str, float], ...] = (
            ("created", "Unix creation timestamp.", parse(metadata["creationTimestamp"])),
            ("metadata_generation", "Sequence number of the desired state.", metadata["generation"]),
            ("spec_paused", "Whether the deployment is paused.", float(bool(spec.get("paused")))),
            ("spec_replicas", "Number of desired pods.", spec.get("replicas", 1)),
            ("status_observed_generation", "The observed generation.", status.get("observedGeneration", 0)),
            ("status_replicas", "The number of replicas.", status.get("replicas", 0)),
            ("status_replicas_available", "Available replicas.", status.get("availableReplicas", 0)),
            ("status_replicas_ready", "Ready replicas.", status.get("readyReplicas", 0)),
            ("status_replicas_unavailable", "Unavailable replicas.", status.get("unavailableReplicas", 0)),
            ("status_replicas_updated", "Updated replicas.", status.get("updatedReplicas", 0)),
        )
        for name, text, value in rows:
            table.add(f"kube_deployment_{name}", text, value, labels)
        for condition in status.get("conditions") or ():
            reason = condition.get("reason", "")
            named = reason if reason in _DEPLOYMENT_REASONS else "unknown"
            _condition(
                table,
                "kube_deployment_status_condition",
                "The current status conditions of a deployment.",
                condition["status"],
                {**labels, "reason": named, "condition": condition["type"]},
                key="status",
            )
    return table.all()


def replica_sets(items: Iterable[Any]) -> Iterable[Family]:
    """`kube_replicaset_*`."""
    table = Table()
    for item in items:
        metadata, status = item["metadata"], item.get("status") or {}
        labels = {"namespace": metadata["namespace"], "replicaset": metadata["name"]}
        created = parse(metadata["creationTimestamp"])
        table.add("kube_replicaset_created", "Unix creation timestamp.", created, labels)
        table.add("kube_replicaset_spec_replicas", "Number of desired pods.", item["spec"].get("replicas", 1), labels)
        table.add("kube_replicaset_status_replicas", "The number of replicas.", status.get("replicas", 0), labels)
        ready = status.get("readyReplicas", 0)
        table.add("kube_replicaset_status_ready_replicas", "The number of ready replicas.", ready, labels)
        text = "Information about the ReplicaSet's owner."
        table.add("kube_replicaset_owner", text, 1, {**labels, **_owner(metadata)})
    return table.all()


def jobs(items: Iterable[Any]) -> Iterable[Family]:
    """`kube_job_*`; completion and failure appear with their condition."""
    table = Table()
    for item in items:
        metadata, status = item["metadata"], item.get("status") or {}
        labels = {"namespace": metadata["namespace"], "job_name": metadata["name"]}
        table.add("kube_job_created", "Unix creation timestamp.", parse(metadata["creationTimestamp"]), labels)
        table.add("kube_job_owner", "Information about the Job's owner.", 1, {**labels, **_owner(metadata)})
        for count in ("active", "succeeded"):
            table.add(f"kube_job_status_{count}", f"Number of {count} pods.", status.get(count, 0), labels)
        for reason, failed in _failures(status):
            text = "Number of failed pods, and the reason for failure."
            table.add("kube_job_status_failed", text, failed, {**labels, **reason})
        if status.get("startTime"):
            table.add("kube_job_status_start_time", "Start of the job.", parse(status["startTime"]), labels)
        if status.get("completionTime"):
            at = parse(status["completionTime"])
            table.add("kube_job_status_completion_time", "Completion of the job.", at, labels)
        for condition in status.get("conditions") or ():
            name = {"Complete": "kube_job_complete", "Failed": "kube_job_failed"}.get(condition["type"])
            if name:
                text = f"The job has the condition {condition['type']}."
                _condition(table, name, text, condition["status"], labels, key="condition")
    return table.all()


def autoscalers(items: Iterable[Any]) -> Iterable[Family]:
    """`kube_horizontalpodautoscaler_*`."""
    table = Table()
    prefix = "kube_horizontalpodautoscaler_"
    for item in items:
        metadata, spec, status = item["metadata"], item["spec"], item.get("status") or {}
        labels = {"namespace": metadata["namespace"], "horizontalpodautoscaler": metadata["name"]}
        target = spec["scaleTargetRef"]
        named = {f"scaletargetref_{key}": target.get(field, "") for key, field in _TARGET}
        table.add(f"{prefix}info", "Information about this autoscaler.", 1, {**labels, **named})
        rows: tuple[tuple[str, str, float], ...] = (
            ("spec_max_replicas", "Upper limit.", spec["maxReplicas"]),
            ("spec_min_replicas", "Lower limit.", spec.get("minReplicas", 1)),
            ("status_current_replicas", "Current number of replicas.", status.get("currentReplicas", 0)),
            ("status_desired_replicas", "Desired number of replicas.", status.get("desiredReplicas", 0)),
        )
        for name, text, value in rows:
            table.add(prefix + name, text, value, labels)
        for condition in status.get("conditions") or ():
            text = "The condition of this autoscaler."
            row = {**labels, "condition": condition["type"]}
            _condition(table, f"{prefix}status_condition", text, condition["status"], row, key="status")
    return table.all()


def _failures(status: Any) -> Iterable[tuple[dict[str, str], float]]:
    """How `kube_job_status_failed` tells it: no reason without a failure, 1 for a known reason, else the count."""
    failed = status.get("failed", 0)
    if not failed:
        return [({}, 0.0)]
    found = [each.get("reason", "") for each in status.get("conditions") or () if each["type"] == "Failed"]
    rows = [({"reason": known}, float(reason == known)) for reason in found for known in _JOB_REASONS]
    return rows if any(value for _, value in rows) else [*rows, ({"reason": ""}, float(failed))]


_TARGET = (("api_version", "apiVersion"), ("kind", "kind"), ("name", "name"))


def _condition(table: Table, name: str, text: str, status: str, labels: dict[str, str], *, key: str) -> None:
    for value in _STATUSES:
        table.add(name, text, float(status.lower() == value), {**labels, key: value})


def _owner(metadata: Any) -> dict[str, str]:
    owners = metadata.get("ownerReferences") or ()
    if not owners:
        return {"owner_kind": "", "owner_name": "", "owner_is_controller": ""}
    owner = owners[0]
    controller = str(bool(owner.get("controller"))).lower()
    return {"owner_kind": owner["kind"], "owner_name": owner["name"], "owner_is_controller": controller}
