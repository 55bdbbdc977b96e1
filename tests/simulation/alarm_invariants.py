"""What must hold of alerts that come in; nothing here asks the code under test which of them count."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.model.judgement import is_alert
from rollguard.model.names import WorkloadName
from rollguard.model.records import RolloutRecord
from rollguard.sim.network import InvariantBroken
from rollguard.sim.objects import at
from rollguard.sim.world import World
from tests.simulation.alarms import Alertmanager, Firing, Kind

SKEW = 2.0
"""Seconds by which a process's clock may be wrong."""
KNOWN_WITHIN = 10.0
"""Seconds within which the leader knows what another replica wrote, where nothing goes wrong."""
KNOWN_LATE = 45.0
"""The same where the API server may not answer it: it lists the records anew every 30 s."""


@dataclass(slots=True)
class AlarmWatchdog:
    """Listens to one world with an Alertmanager."""

    world: World
    alertmanager: Alertmanager
    faulty: bool

    def against(self, record: RolloutRecord, when: float) -> list[Firing]:
        """The alerts that may count against the rollout at that moment."""
        return [firing for firing in self.alertmanager.firings if self._counts(firing, record, when)]

    def _counts(self, firing: Firing, record: RolloutRecord, when: float) -> bool:
        alarm = firing.alarm
        if alarm.kind in (Kind.OWN, Kind.OVER, Kind.ELSEWHERE) or alarm.deployment != record.workload.name:
            return False
        if firing.told is None or firing.told > when + SKEW or at(firing.starts) <= record.started:
            return False
        known = KNOWN_LATE if self.faulty else KNOWN_WITHIN
        return firing.end_taken is None or when - firing.end_taken < known

    def recorded(self, before: RolloutRecord | None, after: RolloutRecord) -> None:
        """A rollout's record was written."""
        if before is None:
            self._check_opened(after.workload)
        for finding in after.findings:
            if not is_alert(finding.signal) or (before is not None and finding in before.findings):
                continue
            counting = [f for f in self.against(after, self.world.loop.time()) if finding.signal.endswith(f.alarm.name)]
            if not counting:
                raise InvariantBroken(f"{finding.signal} counts against {after.id}, and must not")
            if finding.value > len(counting):
                raise InvariantBroken(f"{finding.signal} counts {finding.value:g} times against {after.id}")

    def _check_opened(self, workload: WorkloadName) -> None:
        """A rollout begins by a change of the template, never by an alert."""
        changes = (change for change in self.world.changes if change.workload == workload)
        if not any(change.before.digest != change.after.digest for change in changes):
            raise InvariantBroken(f"a rollout of {workload} began, and nobody had changed it")
