"""The table of troubles: the alert that tells of each, what is looked at, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A row: its symptom is the alert's own summary and bound."""

    alert: str
    look: str
    resolution: str


TROUBLES = (
    Trouble(
        alert="HighErrorRate",
        look="logs of all pods, the tracker of errors, database, cache",
        resolution="an error of the application: roll back and fix; the database: its connections and migrations;"
        " a service outside: its own status",
    ),
    Trouble(
        alert="HighResponseTime",
        look="processor and memory, the slowest queries, queries per row",
        resolution="more pods where they are short; the slow query; a cache; roll back if users cannot wait",
    ),
    Trouble(
        alert="PodCrashLooping",
        look="the last words of the container, its limits",
        resolution="fix the crash, raise the limit, mend the setting; roll back if it came with the release",
    ),
    Trouble(
        alert="ImagePullBackOff",
        look="the message of the pull",
        resolution="push the image or mend the right to it; roll back",
    ),
    Trouble(
        alert="RolloutStuck",
        look="conditions of the Deployment, probes, events",
        resolution="make room, or roll back where new pods do not get ready",
    ),
    Trouble(
        alert="DatabaseMigrationFailed",
        look="the migration's log, and what the database knows of it",
        resolution="with somebody who knows the schema; a rollback only if the old version can work with it",
    ),
    Trouble(
        alert="DatabaseConnectionsHigh",
        look="who holds connections",
        resolution="roll back the workload whose connections rose; smaller pools",
    ),
    Trouble(
        alert="AutoscalerAtMaximum",
        look="conditions of the autoscaler",
        resolution="raise the maximum, or find what the release needs more",
    ),
    Trouble(
        alert="GuardHeld",
        look="`rollguard why`",
        resolution="decide: roll back with `--force`, or leave it",
    ),
    Trouble(
        alert="GuardDown",
        look="the guard's pods and log",
        resolution="bring it back; `rollguard rollback` works meanwhile, without metrics",
    ),
)
