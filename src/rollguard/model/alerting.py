"""Words of alerts that the policy and the rules speak, and what is known of alerts that came in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollguard.model.time import Instant

ROLLBACK = ("rollguard_action", "rollback")
"""The label by which the guard's webhook knows an alert that asks for a rollback."""


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
    "GuardJournalUnreached": 300.0,
}
"""The alerts that belong to no signal, and the seconds that each must hold before it fires, where a policy does not say
otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedAlert:
    """An alert that asks for a rollback, as its unit's record keeps it: one firing of one set of labels, which
    `fingerprint` and `starts` name."""

    name: str
    fingerprint: str
    """Of its labels, by Alertmanager."""
    deployment: str
    """Whose alert it is: of a release set, the one of its Deployments."""
    starts: Instant
    recorded: Instant
    """When it came first."""
    ended: Instant | None = None
    """None while it fires, as far as is known."""
    summary: str = ""
    inhibited: bool = True
    """The guard's incident about its Deployment, while that is open, mutes it, and so its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """An alert of a delivery that could be read."""

    number: int
    """Its place in the delivery, from 0."""
    labels: tuple[tuple[str, str], ...]
    alert: ReceivedAlert
    """Its `deployment` is empty where no label names one."""
