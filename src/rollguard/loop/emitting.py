"""Kubernetes Events on workloads: best effort, by a duty of their own, so that they keep no notice waiting."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from rollguard.loop.leader import Gate, LeadershipLost
from rollguard.loop.settings import Log, Settings
from rollguard.model.names import WorkloadName
from rollguard.ports import Cluster

MOST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadEvent:
    """A Kubernetes Event to be put on a workload."""

    workload: WorkloadName
    uid: str
    reason: str
    text: str
    warning: bool


class Events:
    """Those that are still to be put on their workloads; the oldest give way."""

    def __init__(self, cluster: Cluster, gate: Gate, settings: Settings, log: Log) -> None:
        self._cluster = cluster
        self._gate = gate
        self._settings = settings
        self._log = log
        self._queue: deque[WorkloadEvent] = deque(maxlen=MOST)

    def emit(self, event: WorkloadEvent) -> None:
        """Queues it."""
        self._queue.append(event)

    async def send_due(self) -> None:
        """Emits what is queued, one after the other."""
        while self._queue and self._gate.leading():
            try:
                self._gate.check(self._settings.request_timeout)
            except LeadershipLost as error:
                self._log("events-dropped", {"count": len(self._queue), "detail": str(error)})
                self._queue.clear()
                return
            event = self._queue.popleft()
            await self._cluster.emit_event(event.workload, event.uid, event.reason, event.text, warning=event.warning)
