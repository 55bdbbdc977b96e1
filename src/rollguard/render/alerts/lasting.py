"""How long the alerts that belong to no signal must hold."""

from __future__ import annotations

from rollguard.model.alerting import LASTING
from rollguard.model.policy import Policy


def lasting(policy: Policy, name: str) -> float:
    """Seconds: the policy's own, else the default. Raises KeyError for an alert that belongs to a signal."""
    return dict(policy.alerting.lasting).get(name, LASTING[name])
