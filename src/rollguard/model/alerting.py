"""Words of alerts that both the policy and the rules speak."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """How soon a person has to look."""

    CRITICAL = "critical"
    WARNING = "warning"
    NONE = "none"
    """Nobody is told: the alert only inhibits others."""


class Category(StrEnum):
    """What an alert is about; with the severity it chooses the route."""

    DEPLOYMENT = "deployment"
    RESOURCE = "resource"
    DATABASE = "database"
    AUTOSCALING = "autoscaling"
    GUARD = "guard"


LASTING = {
    "DeploymentReplicasMismatch": 600.0,
    "RolloutStuck": 600.0,
    "AutoscalerAtMaximum": 900.0,
    "AutoscalerUnableToScale": 300.0,
    "AutoscalerMetricsMissing": 300.0,
    "SignalAbsent": 600.0,
    "TargetMissing": 600.0,
    "GuardDown": 120.0,
    "GuardBlind": 300.0,
    "GuardHeld": 300.0,
    "GuardRollbackStalled": 120.0,
    "GuardIncidentOpen": 0.0,
}
"""The alerts that belong to no signal, and the seconds that each must hold before it fires, where a policy does not say
otherwise."""
