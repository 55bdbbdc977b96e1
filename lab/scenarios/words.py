"""One line about an object, for people who follow a story."""

from collections.abc import Mapping
from typing import Any

TOLD_FIELDS = ("unit", "kind", "title", "text", "state", "from", "to", "step", "outcome", "reason", "detail", "address")


def tag_of(holder: Any) -> str:
    """The image tag of the first container of a pod or of a pod template."""
    return str(holder["spec"]["containers"][0]["image"]).rpartition(":")[2]


def of_record(record: Mapping[str, object]) -> str:
    """A line of a guard's log."""
    words = [str(record.get("event", ""))]
    for key, value in record.items():
        if key in TOLD_FIELDS:
            # A notice's text has many lines: its first says what happened.
            words.append(f"{key}={str(value).partition(chr(10))[0]}")
    if "traceback" in record:
        words.append(str(record["traceback"]).strip())
    return " ".join(words)


def of_deployment(item: Any) -> str:
    """A Deployment: its revision, version and counts."""
    status = item["status"]
    revision = item["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision", "?")
    counts = "/".join(str(status.get(key, 0)) for key in ("updatedReplicas", "availableReplicas", "replicas"))
    version = tag_of(item["spec"]["template"])
    return f"revision {revision} ({version}), updated/available/all {counts} of {item['spec']['replicas']}"


def of_pod(item: Any) -> str:
    """A pod: its phase and what its containers do."""
    status = item["status"]
    words = [tag_of(item), status.get("phase", "Pending")]
    if "deletionTimestamp" in item["metadata"]:
        words.append("terminating")
    for container in status.get("containerStatuses", ()):
        waiting = container.get("state", {}).get("waiting")
        words.append("ready" if container["ready"] else "not ready")
        if waiting:
            words.append(waiting.get("reason", "waiting"))
        if container["restartCount"]:
            words.append(f"{container['restartCount']} restarts")
    return ", ".join(words)


def of_rollout(status: Mapping[str, Any]) -> str:
    """A GuardedRollout's status."""
    return f"revision {status['targetNumber']} {status['state']} ({status['verdict']}): {status['why']}"
