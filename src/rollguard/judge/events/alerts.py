"""Alerts: rules of others, which ask for a rollback by a label, fire for the workload since its rollout began.

An alert on a signal that the judge reads itself never counts: one bad value would be two pieces of evidence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rollguard.judge.reference import BEFORE, NO_REFERENCE
from rollguard.judge.words import ALL_PODS
from rollguard.model.alerting import ReceivedAlert
from rollguard.model.judgement import Attribution, Finding, LevelReading, Observation, Reference, alert_signal
from rollguard.model.policy import Policy
from rollguard.model.signals import LevelName
from rollguard.policy.amounts import counted

UNIT = "firing"
NOT_KNOWN = "not known: the guard's own incident, which is open, mutes alerts"
_NONE_BEFORE = Reference(source=BEFORE, value=0.0, bad=0.0, total=0.0, past_bound=False, not_worse=False)
"""What began after the rollout's start did not fire before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsTold:
    """What the alerts come to: one finding for each name that counts, and for each name how it stands."""

    findings: tuple[Finding, ...]
    readings: tuple[LevelReading, ...]


def alerts_told(observation: Observation, policy: Policy) -> AlertsTold:
    """What the alerts say of the rollout."""
    by_name: dict[str, list[ReceivedAlert]] = {}
    for alert in observation.alerts:
        by_name.setdefault(alert.name, []).append(alert)
    names = sorted(by_name.items())
    return AlertsTold(
        findings=tuple(
            _finding(name, counting, observation)
            for name, alerts in names
            if (counting := [alert for alert in alerts if not _why_not(alert, observation, policy)])
        ),
        readings=tuple(_reading(name, alerts, observation, policy) for name, alerts in names),
    )


def firing_alerts(alerts: Iterable[ReceivedAlert], policy: Policy) -> tuple[str, ...]:
    """What a workload suffers from by its alerts, named as findings are; those that the judge reads itself left out."""
    names = (alert.name for alert in alerts if alert.ended is None and not policy.signal_of_alert(alert.name))
    return tuple(dict.fromkeys(map(alert_signal, names)))


def _why_not(alert: ReceivedAlert, observation: Observation, policy: Policy) -> str:
    """Why the alert is no evidence for the rollout; empty where it is."""
    if own := policy.signal_of_alert(alert.name):
        return f"the judge reads {own} itself"
    if alert.ended is not None:
        return f"it ended at {alert.ended.iso_second()}"
    if alert.starts <= observation.rollout.started:
        return f"it began at {alert.starts.iso_second()}, not after the rollout"
    # of one that came before the incident, and is muted by it, the end may not be told
    muted = alert.inhibited and observation.muted is not None and alert.recorded <= observation.muted
    return NOT_KNOWN if muted else ""


def _finding(name: str, alerts: list[ReceivedAlert], observation: Observation) -> Finding:
    first = min(alerts, key=lambda alert: (alert.starts, alert.fingerprint))
    return Finding(
        signal=alert_signal(name),
        level=LevelName.ROLLBACK,
        value=float(len(alerts)),
        bound=0.0,
        unit=UNIT,
        text=_text(name, first, len(alerts)),
        since=first.starts,
        slots=0,
        bad=float(len(alerts)),
        total=float(len(observation.alerts)),
        arm=ALL_PODS,
        reference=_NONE_BEFORE,
        attribution=Attribution.RELEASE,
    )


def _text(name: str, first: ReceivedAlert, number: int) -> str:
    several = f" ({counted(number, 'time')})" if number > 1 else ""
    said = f": {first.summary}" if first.summary else ""
    return f"{alert_signal(name)}: firing since {first.starts.iso_second()}{several}, bound none{said}"


def _reading(name: str, alerts: list[ReceivedAlert], observation: Observation, policy: Policy) -> LevelReading:
    """How the alerts of a name stand. Without a value where that is not known: what was found before may still be so.

    Of those that do not count the last to begin says why.
    """
    reasons = {alert: _why_not(alert, observation, policy) for alert in alerts}
    counting = [alert for alert in alerts if not reasons[alert]]
    if counting:
        first = min(counting, key=lambda alert: (alert.starts, alert.fingerprint))
        text, lacks, since = _text(name, first, len(counting)), "", first.starts
    else:
        last = max(alerts, key=lambda alert: (alert.ended is None, alert.starts, alert.fingerprint))
        text, lacks, since = f"{alert_signal(name)}: {reasons[last]}", reasons[last], None
    unknown = not counting and NOT_KNOWN in reasons.values()
    return LevelReading(
        signal=alert_signal(name),
        level=LevelName.ROLLBACK,
        text=text,
        value=None if unknown else float(sum(alert.ended is None for alert in alerts)),
        bound=0.0,
        unit=UNIT,
        traffic=0.0,
        slots=0,
        gaps=0,
        reached=bool(counting),
        reference=_NONE_BEFORE if counting else NO_REFERENCE,
        since=since,
        lacks=lacks,
    )
