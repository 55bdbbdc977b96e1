"""The controller's own metrics, from one snapshot of its status (docs/commands.md lists them)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from rollguard.adapters.journal.queue import JournalState
from rollguard.loop import ChannelStatus, Status, UnitStatus
from rollguard.model.judgement import VerdictKind
from rollguard.model.names import WorkloadKind


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsCounted:
    """What came from Alertmanager to this process: deliveries by the answer's status, alerts by what became of them."""

    deliveries: Mapping[int, int] = field(default_factory=dict)
    alerts: Mapping[str, int] = field(default_factory=dict)


NO_ALERTS = AlertsCounted()


def exposition(
    status: Status,
    watch_errors: Mapping[str, int],
    alerts: AlertsCounted = NO_ALERTS,
    *,
    namespace: str,
    journal: JournalState | None = None,
) -> str:
    """The metrics in Prometheus' text format; `watch_errors` by the collection that is watched, `namespace` is the
    guard's own, `journal` its database's where it has one."""
    registry = CollectorRegistry()
    registry.register(_Snapshot(status, watch_errors, alerts, namespace, journal))
    return generate_latest(registry).decode()


class _Snapshot(Collector):
    def __init__(
        self,
        status: Status,
        watch_errors: Mapping[str, int],
        alerts: AlertsCounted,
        namespace: str,
        journal: JournalState | None,
    ) -> None:
        self._status = status
        self._watch_errors = watch_errors
        self._alerts = alerts
        self._namespace = namespace
        self._journal = journal

    def collect(self) -> Iterable[Metric]:
        """One family after the other."""
        status = self._status
        # With the namespace, whatever the scrape adds: the alert on its absence is about this guard and no other.
        leading = GaugeMetricFamily(
            "rollguard_leading", "1 while this process leads, by the guard's own namespace", labels=["namespace"]
        )
        leading.add_metric([self._namespace], float(status.leading))
        yield leading
        yield _gauge("rollguard_epoch", "The epoch under which this process leads, or led last", status.epoch)
        yield _counter("rollguard_ticks", "Looks at everything", status.ticks)
        yield _counter("rollguard_late_ticks", "Looks that were skipped because one took too long", status.late_ticks)
        yield _counter("rollguard_errors", "Unexpected errors, each logged with its traceback", status.errors)
        yield _gauge("rollguard_last_tick_seconds", "How long the last look took", status.last_tick_seconds)
        yield _gauge("rollguard_open_rollouts", "Rollouts under guard", status.open_rollouts)
        valid = not status.policy_mistakes
        yield _gauge("rollguard_policy_valid", "0 while the newest policy has mistakes and is not in force", valid)
        yield _gauge("rollguard_outbox_pending", "Notices that no channel has accepted yet", status.outbox_pending)
        yield from _channels(status.channels)
        blind = GaugeMetricFamily(
            "rollguard_signal_blind", "1 where a signal had no complete answer in the last slot", labels=["signal"]
        )
        for signal in status.blind_signals:
            blind.add_metric([signal], 1)
        yield blind
        doctor = GaugeMetricFamily(
            "rollguard_doctor_failures", "Checks of `rollguard doctor` that failed at the last look", labels=["check"]
        )
        for check, failures in status.doctor_failures:
            doctor.add_metric([check], failures)
        yield doctor
        watches = CounterMetricFamily("rollguard_watch_errors", "Watches that failed", labels=["collection"])
        for collection, errors in self._watch_errors.items():
            watches.add_metric([collection], errors)
        yield watches
        yield from _alerts(self._alerts)
        if self._journal is not None:
            yield from _of_journal(self._journal, self._namespace)
        yield from _units(status.units)


def _of_journal(journal: JournalState, namespace: str) -> Iterable[Metric]:
    # With the guard's own namespace, by which the alert knows whose journal it is.
    reached = GaugeMetricFamily(
        "rollguard_journal_reached", "0 while the journal's database does not take lines", labels=["namespace"]
    )
    reached.add_metric([namespace], float(not journal.problem))
    yield reached
    yield _gauge("rollguard_journal_waiting", "Lines that wait for the journal's database", journal.waiting)
    yield _counter("rollguard_journal_written", "Lines that the journal's database has taken", journal.written)
    yield _counter("rollguard_journal_dropped", "Lines that the journal had no room for", journal.dropped)


def _channels(channels: tuple[ChannelStatus, ...]) -> Iterable[Metric]:
    accepted = CounterMetricFamily("rollguard_notices_accepted", "Notices that a channel took", labels=["channel"])
    failed = CounterMetricFamily(
        "rollguard_notices_failed", "Tries that a channel refused or did not answer well", labels=["channel"]
    )
    configured = GaugeMetricFamily(
        "rollguard_channel_configured", "0 where a channel's secret or setting was not there last", labels=["channel"]
    )
    for channel in channels:
        accepted.add_metric([channel.name], channel.accepted)
        failed.add_metric([channel.name], channel.failed)
        configured.add_metric([channel.name], channel.configured)
    return (accepted, failed, configured)


def _alerts(counted: AlertsCounted) -> Iterable[Metric]:
    deliveries = CounterMetricFamily("rollguard_alert_deliveries", "Deliveries of Alertmanager", labels=["status"])
    for status, number in sorted(counted.deliveries.items()):
        deliveries.add_metric([str(status)], number)
    alerts = CounterMetricFamily("rollguard_alerts", "Alerts that came in, by what became of them", labels=["outcome"])
    for outcome, number in sorted(counted.alerts.items()):
        alerts.add_metric([outcome], number)
    return deliveries, alerts


_LABELS = ["namespace", "deployment", "set"]


def _units(units: tuple[UnitStatus, ...]) -> Iterable[Metric]:
    active = GaugeMetricFamily(
        "rollguard_rollout_active", "1 while a rollout is in the automatic part of its window", labels=_LABELS
    )
    phase = GaugeMetricFamily("rollguard_rollout_phase", "1 in its present phase", labels=[*_LABELS, "phase"])
    verdict = GaugeMetricFamily("rollguard_rollout_verdict", "1 for its last verdict", labels=[*_LABELS, "verdict"])
    state = GaugeMetricFamily("rollguard_rollout_state", "1 in its present state", labels=[*_LABELS, "state"])
    blind = GaugeMetricFamily("rollguard_blind", "1 while a rollout cannot be judged", labels=_LABELS)
    held = GaugeMetricFamily(
        "rollguard_hold_unanswered", "1 while a question or a hold has no answer of a person", labels=_LABELS
    )
    stalled = GaugeMetricFamily(
        "rollguard_rollback_stalled", "1 while what was put back does not become available", labels=_LABELS
    )
    incident = GaugeMetricFamily(
        "rollguard_incident_open", "1 once PagerDuty accepted a page of an open incident", labels=_LABELS
    )
    errors = GaugeMetricFamily("rollguard_unit_error", "1 while the work on a unit fails", labels=_LABELS)
    live = GaugeMetricFamily(
        "rollguard_live_colour", "1 for the colour that serves", labels=["namespace", "set", "member", "colour"]
    )
    for unit in units:
        labels = _labels(unit)
        for each in (labels, *_brought(unit)):
            active.add_metric(each, unit.automatic)
            if unit.phase is not None:
                phase.add_metric([*each, unit.phase.value], 1)
            if unit.verdict is not None:
                verdict.add_metric([*each, unit.verdict.kind.value], 1)
            if unit.state is not None:
                state.add_metric([*each, unit.state.value], 1)
            blind.add_metric(each, unit.verdict is not None and unit.verdict.kind is VerdictKind.BLIND)
            held.add_metric(each, unit.unanswered)
            stalled.add_metric(each, unit.stalled)
            incident.add_metric(each, unit.incident_open)
        errors.add_metric(labels, bool(unit.error))
        for member, colour in unit.live:
            live.add_metric([unit.unit.namespace, labels[2], member, colour], 1)
    return (active, phase, verdict, state, blind, held, stalled, incident, errors, live)


def _labels(unit: UnitStatus) -> list[str]:
    """A release set as a whole has no Deployment."""
    name = unit.unit.object_name.partition("-")[2]
    is_set = unit.unit.guards is WorkloadKind.RELEASE_SET
    return [unit.unit.namespace, "" if is_set else name, name if is_set else ""]


def _brought(unit: UnitStatus) -> Iterable[list[str]]:
    """Labels of the Deployments that a set's rollout brought: of one that is guarded by itself it is said anyway."""
    namespace, deployment, release_set = _labels(unit)
    return [] if deployment else [[namespace, name, release_set] for name in unit.brought]


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=float(value))


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(name, about, value=float(value))
