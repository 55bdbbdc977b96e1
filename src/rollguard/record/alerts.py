"""What a unit's record keeps of the alerts that came in: repeats, batches and late deliveries come to the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rollguard.model.alerting import ReceivedAlert
from rollguard.model.records import UnitRecord
from rollguard.model.time import Instant

ALERTS_MAX = 32
Key = tuple[str, Instant]


def with_alerts(unit: UnitRecord, delivered: Iterable[ReceivedAlert]) -> UnitRecord:
    """The record with the alerts in it; the same where they say nothing new.

    An end counts for everything with the same labels that began before it, in whatever order both come: so the last end
    is kept as long as there is room. Where there is none, ended ones go first, then those that began first.
    """
    found = {key_of(alert): alert for alert in unit.alerts}
    for alert in delivered:
        known = found.setdefault(key_of(alert), alert)
        if alert.ended is not None and (known.ended is None or alert.ended > known.ended):
            found[key_of(alert)] = replace(known, ended=alert.ended)
    last = last_ends(found.values())
    tombs = {alert.fingerprint: alert for alert in found.values() if alert.ended == last.get(alert.fingerprint)}
    kept = [
        alert
        for alert in found.values()
        if (tombs.get(alert.fingerprint) is alert if alert.ended is not None else not is_over(alert, last))
    ]
    kept = sorted(kept, key=_dearness, reverse=True)[:ALERTS_MAX]
    return replace(unit, alerts=tuple(sorted(kept, key=lambda alert: (alert.starts, alert.fingerprint))))


def key_of(alert: ReceivedAlert) -> Key:
    """What names a firing."""
    return alert.fingerprint, alert.starts


def last_ends(alerts: Iterable[ReceivedAlert]) -> dict[str, Instant]:
    """When each fingerprint was last known to have ended."""
    last: dict[str, Instant] = {}
    for alert in alerts:
        if alert.ended is not None:
            last[alert.fingerprint] = max(alert.ended, last.get(alert.fingerprint, alert.ended))
    return last


def is_over(alert: ReceivedAlert, last: dict[str, Instant]) -> bool:
    """Whether something with its labels ended after it began."""
    end = last.get(alert.fingerprint)
    return end is not None and alert.starts <= end


def _dearness(alert: ReceivedAlert) -> tuple[bool, Instant, str]:
    return alert.ended is None, alert.ended or alert.starts, alert.fingerprint
