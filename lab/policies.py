"""Policies for the lab: the platform's signals, with windows and durations scaled so that minutes are seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SIGNALS = (
    "errors",
    "latency",
    "database-errors",
    "crash-loop",
    "image-pull",
    "progress-deadline",
    "migration-failed",
)
WINDOW_S = 8
"""Stands for the platform's 5 minutes: four slots of 2 s."""
AUTOMATIC_S = 60
STARTUP_S = 8
"""Within it the first new pod of the lab is ready; slots without one are counted as incomplete after it."""
SET = "dubbing"
JOIN_S = 30
DRAIN_S = 6
"""Longer than any of the lab's streams, and they outlast a pod's grace."""
REAL: dict[str, Any] = {
    "signals": {},
    "window": {},
    "timing": {"adoptedAfter": "3s"},
}
"""For `policy`: the platform's own bounds and durations, and the defaults for the rest."""


def policy(
    *,
    namespace: str,
    prometheus: str,
    workloads: Sequence[str] | None = None,
    mode: str = "automatic",
    called_by: Mapping[str, Sequence[str]] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A GuardPolicy document; `spec` replaces whole keys of it. One watch a workload (all in one without names)."""
    duration = f"{WINDOW_S}s"
    document: dict[str, Any] = {
        "preset": "dubbing-platform",
        "mode": mode,
        "cluster": "lab",
        "metrics": {"address": prometheus, "scrapeInterval": "1s"},
        "watch": _watches(namespace, workloads, called_by or {}),
        "signals": {
            "errors": {"levels": {name: {"for": duration} for name in ("warning", "critical", "rollback")}},
            "latency": {
                "levels": {
                    "warning": [{"p95": "500ms", "for": duration}, {"p99": "2s", "for": duration}],
                    "critical": [{"p95": "2s", "for": duration}, {"p99": "5s", "for": duration}],
                    "rollback": {"for": duration},
                }
            },
            "database-errors": {"levels": {"critical": {"for": duration}, "rollback": {"for": duration}}},
        },
        "window": window(AUTOMATIC_S),
        "timing": timing(),
    }
    return {
        "apiVersion": "rollguard.dev/v1alpha1",
        "kind": "GuardPolicy",
        "metadata": {"name": namespace},
        "spec": {key: value for key, value in {**document, **spec}.items() if value},
    }


def set_policy(
    *, namespace: str, prometheus: str, services: Mapping[str, str], workers: Sequence[str] = (), **spec: Any
) -> dict[str, Any]:
    """A GuardPolicy document for one release set, of members with a Service and without; the rest as in `policy`."""
    events = ["crash-loop", "image-pull", "progress-deadline"]
    members: list[dict[str, Any]] = [{"name": name, "service": service} for name, service in services.items()]
    members += [{"name": name, "signals": ["job-failures", *events]} for name in workers]
    watch = {
        "name": SET,
        "namespace": namespace,
        "releaseSet": {"selectorKey": "version", "colours": ["blue", "green"], "members": members},
        "signals": ["errors", "latency", *events],
    }
    document = policy(
        namespace=namespace,
        prometheus=prometheus,
        watch=[watch],
        **{"joinWindow": f"{JOIN_S}s", "drain": f"{DRAIN_S}s", **spec},
    )
    if workers:
        document["spec"]["signals"]["job-failures"] = {
            "kind": "ratio",
            "bad": "jobs_failed_total",
            "total": "jobs_completed_total",
            "minimumTraffic": 10,
            "required": False,
            "levels": {"rollback": {"above": "10%", "for": f"{WINDOW_S}s"}},
        }
    return document


def window(automatic_s: int) -> dict[str, str]:
    """A guard window whose automatic part, after which a release is called healthy, is that long."""
    startup = max(STARTUP_S, automatic_s // 6)
    stabilization = max(startup, automatic_s // 2)
    phases = {"startup": startup, "stabilization": stabilization, "automatic": automatic_s}
    return {**{phase: f"{seconds}s" for phase, seconds in phases.items()}, "close": "4m"}


def timing(slot_s: int = 2) -> dict[str, Any]:
    """The loop's own durations; the longer a slot, the less likely is a gap on a machine that is busy."""
    return {
        "tick": f"{slot_s}s",
        "slot": f"{slot_s}s",
        "lateness": "2s",
        "adoptedAfter": "3s",
        "planExpiry": "2m",
        "recovery": {"within": "40s", "for": "4s"},
        "approvalWithin": "20s",
    }


def write(path: Path, document: Mapping[str, Any]) -> Path:
    """Writes the policy as JSON, which is YAML."""
    path.write_text(json.dumps(document, indent=2))
    return path


def _watches(
    namespace: str, workloads: Sequence[str] | None, called_by: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    if workloads is None:
        everything = {"matchLabels": {"guarded": "yes"}}
        return [{"name": "all", "namespace": namespace, "selector": everything, "signals": list(SIGNALS)}]
    return [
        {
            "name": name,
            "namespace": namespace,
            "workloads": [name],
            "signals": list(SIGNALS),
            **({"calledBy": list(called_by[name])} if name in called_by else {}),
        }
        for name in workloads
    ]
