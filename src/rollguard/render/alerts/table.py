"""All alerts and recording rules of a policy: how many there are does not depend on how many workloads it watches."""

from __future__ import annotations

from rollguard.model.policy import Policy
from rollguard.render.alerts.alert import Alert
from rollguard.render.alerts.of_absence import of_absence
from rollguard.render.alerts.of_autoscaling import of_autoscaling
from rollguard.render.alerts.of_events import of_events
from rollguard.render.alerts.of_guard import of_guard
from rollguard.render.alerts.of_rollouts import of_rollouts
from rollguard.render.alerts.of_signals import of_signals
from rollguard.render.alerts.recordings import recordings

__all__ = ["alerts", "recordings"]

GUARD = "monitoring"
"""The guard's namespace, where nothing else is said."""


def alerts(policy: Policy, *, namespace: str = GUARD) -> tuple[Alert, ...]:
    """All alerts; `namespace` is the guard's own."""
    return (
        *of_events(policy),
        *of_rollouts(policy),
        *of_signals(policy),
        *of_autoscaling(policy),
        *of_absence(policy),
        *of_guard(policy, namespace),
    )
