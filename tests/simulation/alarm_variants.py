"""The guard with one of its rules of alerts taken away, and where that shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from rollguard import record
from rollguard.judge.events import alerts
from rollguard.loop import Came, intake
from rollguard.model.alerting import Delivered, ReceivedAlert
from rollguard.model.judgement import Observation
from rollguard.model.names import UnitName
from rollguard.model.policy import Policy
from rollguard.model.records import UnitRecord
from tests.simulation.alarms import Alarm, Alarms, Kind
from tests.simulation.platform import named
from tests.simulation.variants import Patch, Variant


def _one(kind: Kind, *, begins: float = 5.0, lasts: float | None = None) -> Alarms:
    return Alarms(firings=(Alarm(kind=kind, begins=begins, lasts=lasts, late=0.1),), every=5.0)


def _without_reason(words: str) -> Patch:
    """What would be no evidence for that reason is some."""
    real = alerts._why_not

    def why_not(alert: ReceivedAlert, observation: Observation, policy: Policy) -> str:
        reason = real(alert, observation, policy)
        return "" if words in reason else reason

    return lambda patch: patch.setattr(alerts, "_why_not", why_not)


def _write_repeats(patch: pytest.MonkeyPatch) -> None:
    real = record.with_alerts

    def anew(unit: UnitRecord, delivered: Iterable[ReceivedAlert]) -> UnitRecord:
        told = tuple(delivered)
        last = {alert.fingerprint: alert.recorded for alert in told}
        written = real(unit, told)
        kept = tuple(replace(each, recorded=last.get(each.fingerprint, each.recorded)) for each in written.alerts)
        return replace(written, alerts=kept)

    patch.setattr(record, "with_alerts", anew)


def _take_strangers(patch: pytest.MonkeyPatch) -> None:
    def somewhere(delivered: Delivered, policy: Policy) -> UnitName | Came:
        return UnitName.of_workload(named("api"))

    patch.setattr(intake, "place_of", somewhere)


ALARM_VARIANTS = (
    Variant(
        name="alerts: what began before the rollout counts",
        breaks=("and must not",),
        story="healthy",
        patch=_without_reason("not after the rollout"),
        alarms=_one(Kind.EARLIER, begins=-5.0),
    ),
    Variant(
        name="alerts: what is over counts",
        breaks=("and must not",),
        story="healthy",
        patch=_without_reason("it ended at"),
        alarms=_one(Kind.OVER, lasts=5.0),
    ),
    Variant(
        name="alerts: what the judge reads itself counts again",
        breaks=("and must not",),
        story="healthy",
        patch=_without_reason("itself"),
        alarms=_one(Kind.OWN),
    ),
    Variant(
        name="alerts: a repeat is written",
        breaks=("was written anew",),
        story="healthy",
        patch=_write_repeats,
        alarms=_one(Kind.RELEASE),
    ),
    Variant(
        name="alerts: those of workloads that nobody guards are taken",
        breaks=("which nobody guards",),
        story="healthy",
        patch=_take_strangers,
        alarms=_one(Kind.ELSEWHERE),
    ),
)
