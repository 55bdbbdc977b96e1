"""Kubernetes Events on a workload: what `kubectl describe` shows of the guard's doings."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import msgspec

from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.connection.api import Api, NoAnswer
from rollguard.model.names import WorkloadName
from rollguard.ports import Clock

NOTE_MAX = 1000
TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is said, about what."""

    workload: WorkloadName
    uid: str
    reason: str
    text: str
    warning: bool


async def emit(api: Api, clock: Clock, instance: str, note: Note) -> None:
    """Best effort: an unreachable or refusing server is passed over, for an Event decides nothing."""
    try:
        await api.send(
            rights.CREATE_EVENT, note.workload.namespace, body=event(clock, instance, note), timeout=TIMEOUT_S
        )
    except NoAnswer:
        return


def event(clock: Clock, instance: str, note: Note) -> bytes:
    """The Event's JSON."""
    workload = note.workload
    return msgspec.json.encode(
        {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "name": f"{workload.name[:200]}.{secrets.token_hex(8)}",
                "namespace": workload.namespace,
            },
            "eventTime": clock.now().iso().replace("Z", "000Z"),
            "reportingController": "rollguard.dev/rollguard",
            "reportingInstance": instance[:128],
            "action": note.reason,
            "reason": note.reason,
            "type": "Warning" if note.warning else "Normal",
            "note": note.text[:NOTE_MAX],
            "regarding": {
                "apiVersion": "apps/v1",
                "kind": workload.kind.value,
                "namespace": workload.namespace,
                "name": workload.name,
                "uid": note.uid,
            },
        }
    )
