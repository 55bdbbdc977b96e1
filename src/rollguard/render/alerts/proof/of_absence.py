"""Cases of the alerts on silence, and on the guard itself."""

from __future__ import annotations

from rollguard.policy import durations
from rollguard.render.alerts.alert import Alert
from rollguard.render.alerts.of_absence import BEFORE
from rollguard.render.alerts.proof.case import CALM, Case, Firing, Setting, steps
from rollguard.render.alerts.proof.series import POD_NAME, WORKLOAD, Series

_GUARD = {
    "GuardBlind": "rollguard_blind",
    "GuardHeld": "rollguard_hold_unanswered",
    "GuardRollbackStalled": "rollguard_rollback_stalled",
    "GuardIncidentOpen": "rollguard_incident_open",
}
_WORTH = 1000.0
"""What there was of a signal before: past every minimum of traffic."""


def of_absence(setting: Setting, alerts: tuple[Alert, ...]) -> tuple[Case, ...]:
    """One for each alert on a silent signal, on targets, and on the guard."""
    found: list[Case] = []
    for alert in alerts:
        if alert.name == "SignalAbsent":
            found.append(_silent(setting, alert))
        elif alert.name == "TargetMissing":
            found.append(_target(setting, alert))
        elif alert.name == "GuardDown":
            found.append(_down(setting, alert))
        elif alert.name == "GuardJournalUnreached":
            found.append(_unreached(setting, alert))
        elif alert.name in _GUARD:
            found.append(_told(setting, alert, _GUARD[alert.name]))
    return tuple(found)


def _fires(setting: Setting, alert: Alert, value: float = 1.0) -> Firing:
    return Firing(alert=alert, labels=setting.cast.own(deployment=WORKLOAD), value=value)


def leads(setting: Setting, *values: tuple[float | None, int], namespace: str = "") -> Series:
    """Whether a guard leads: the policy's own, or one in another namespace."""
    return setting.cast.told("rollguard_leading", *values, namespace=namespace or setting.guard, pod="monitoring-1")


def _silent(setting: Setting, alert: Alert) -> Case:
    begin = steps(durations.parse(BEFORE) or 0.0) + CALM
    cast = setting.cast
    series = (
        cast.recorded(alert.value, (_WORTH, begin), (None, 1), deployment=WORKLOAD),
        cast.deployment("spec_replicas", (3, 1)),
    )
    return Case(fires=_fires(setting, alert, _WORTH), series=series, begin=begin)


def _target(setting: Setting, alert: Alert) -> Case:
    cast = setting.cast
    label = {} if cast.store.pod_label else {cast.store.workload_label: WORKLOAD}
    up = cast.scraped("up", (1, CALM), (0, 1), pod=POD_NAME, instance="10.0.0.3:3000", job="pods", **label)
    return Case(fires=_fires(setting, alert), series=(*cast.owned(), up), begin=CALM)


def _down(setting: Setting, alert: Alert) -> Case:
    """Another guard leads elsewhere, and hides nothing."""
    series = (leads(setting, (1, CALM), (None, 1)), leads(setting, (1, 1), namespace=f"not-{setting.guard}"))
    return Case(fires=Firing(alert=alert, labels={}, value=1.0), series=series, begin=CALM)


def _unreached(setting: Setting, alert: Alert) -> Case:
    """One of two replicas does not reach it; nor does another guard elsewhere, which is not ours to tell."""
    name, cast = "rollguard_journal_reached", setting.cast
    series = (
        cast.told(name, (1, CALM), (0, 1), namespace=setting.guard, pod="monitoring-1"),
        cast.told(name, (1, 1), namespace=setting.guard, pod="monitoring-2"),
        cast.told(name, (0, 1), namespace=f"not-{setting.guard}"),
    )
    return Case(fires=Firing(alert=alert, labels={}, value=0.0), series=series, begin=CALM)


def _told(setting: Setting, alert: Alert, name: str) -> Case:
    said = setting.cast.told(name, (0, CALM), (1, 1), deployment=WORKLOAD, set="")
    return Case(fires=_fires(setting, alert), series=(said,), begin=CALM)
