"""A PodStatus from the states of a pod's containers, as the kubelet composes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.kubelet.timestamps import rfc3339

Statuses = Sequence[Mapping[str, Any]]


def phase(containers: Statuses, restart_policy: str, initialised: bool) -> str:
    """Pending, Running, Succeeded or Failed, by the kubelet's rules."""
    states = [status["state"] for status in containers]
    never_ran = [status for status in containers if "waiting" in status["state"] and not status["lastState"]]
    if not initialised or never_ran:
        return "Pending"
    codes = [state["terminated"]["exitCode"] for state in states if "terminated" in state]
    if len(codes) < len(states) or restart_policy == "Always":
        return "Running"
    if all(code == 0 for code in codes):
        return "Succeeded"
    return "Failed" if restart_policy == "Never" else "Running"


def conditions(
    containers: Statuses, init_waiting: Sequence[str], pod_phase: str, sandbox: bool
) -> list[dict[str, Any]]:
    """The kubelet's conditions, without times."""
    unready = [status["name"] for status in containers if not status["ready"]]
    if pod_phase == "Succeeded":
        because = {"reason": "PodCompleted"}
    elif pod_phase == "Failed":
        because = {"reason": "PodFailed"}
    else:
        because = {
            "reason": "ContainersNotReady",
            "message": f"containers with unready status: [{' '.join(unready)}]",
        }
    ready: dict[str, Any] = {"status": "False", **because} if unready else {"status": "True"}
    incomplete = {
        "status": "False",
        "reason": "ContainersNotInitialized",
        "message": f"containers with incomplete status: [{' '.join(init_waiting)}]",
    }
    return [
        {"type": "PodReadyToStartContainers", "status": "True" if sandbox else "False"},
        {"type": "Initialized", **(incomplete if init_waiting else {"status": "True"})},
        {"type": "Ready", **ready},
        {"type": "ContainersReady", **ready},
        {"type": "PodScheduled", "status": "True"},
    ]


def with_times(fresh: Sequence[dict[str, Any]], shown: Sequence[Mapping[str, Any]], now: float) -> list[dict[str, Any]]:
    """The conditions with `lastTransitionTime`: the old one where the status has not changed."""
    before = {condition["type"]: condition for condition in shown}
    timed = []
    for condition in fresh:
        old = before.get(condition["type"])
        same = old is not None and old["status"] == condition["status"] and "lastTransitionTime" in old
        at = old["lastTransitionTime"] if old is not None and same else rfc3339(now)
        timed.append({"lastProbeTime": None, "reason": None, "message": None, **condition, "lastTransitionTime": at})
    return timed
