"""The table of alerts as routing sees it: name, severity, category, and whether the alert can name a Deployment."""

from __future__ import annotations

from dataclasses import dataclass

BOTH = ("warning", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An alert of one severity."""

    name: str
    severity: str
    category: str
    deployment: str = "backend-green"
    action: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """Its labels; those without a value are not there."""
        found = {
            "alertname": self.name,
            "severity": self.severity,
            "category": self.category,
            "namespace": "production",
            "deployment": self.deployment,
            "rollguard_action": self.action,
        }
        return {name: value for name, value in found.items() if value}


def _cases(names: str, severities: tuple[str, ...], category: str, **more: str) -> list[Case]:
    return [
        Case(name=name, severity=severity, category=category, **more)
        for name in names.split()
        for severity in severities
    ]


INCIDENT_OPEN = Case(name="GuardIncidentOpen", severity="none", category="guard")
CASES = (
    *_cases(
        "DeploymentFailed PodCrashLooping ErrorRateSpikeAfterDeployment ImagePullBackOff", ("critical",), "deployment"
    ),
    *_cases("DatabaseMigrationFailed", ("critical",), "deployment", deployment=""),
    *_cases(
        "DeploymentReplicasMismatch PodNotReady ResponseTimeDegradation HighMemoryAfterDeployment RolloutStuck",
        ("warning",),
        "deployment",
    ),
    *_cases("HighErrorRate", BOTH, "deployment"),
    *_cases("HighResponseTime", ("critical",), "resource"),
    *_cases("PodRestarts HighMemoryUsage HighCPUUsage", BOTH, "resource"),
    *_cases("DatabaseConnectionsHigh", BOTH, "database", deployment=""),
    *_cases("DatabaseConnectionErrors", ("critical",), "database", deployment=""),
    *_cases("AutoscalerAtMaximum AutoscalerUnableToScale AutoscalerMetricsMissing", ("warning",), "autoscaling"),
    *_cases(
        "RollbackErrorRate RollbackResponseTime RollbackCrashLoop RollbackDatabaseConnections",
        ("critical",),
        "deployment",
        action="rollback",
    ),
    *_cases("SignalAbsent TargetMissing", ("warning",), "resource"),
    *_cases("GuardDown GuardBlind", ("critical",), "guard", deployment=""),
    *_cases("GuardHeld GuardRollbackStalled", ("critical",), "guard"),
    INCIDENT_OPEN,
)
