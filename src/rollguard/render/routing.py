"""`alertmanager-config.yaml`: which alert goes to whom, which one mutes which, and when."""

from __future__ import annotations

from collections.abc import Iterator

from rollguard.model.alerting import ROLLBACK
from rollguard.model.documents import Json
from rollguard.model.policy import Policy, QuietWindow
from rollguard.model.signals import LevelName
from rollguard.render.file import HEADER, File
from rollguard.render.labels import Object
from rollguard.render.receivers import (
    DEPLOYMENTS,
    GUARD,
    INCIDENT_OPEN,
    INCIDENTS,
    PAGES,
    WARNINGS,
    receivers,
    remarks,
)
from rollguard.render.yaml_text import to_yaml

PATH = "alertmanager-config.yaml"
GROUP_BY: list[Json] = ["alertname", "namespace"]
GROUP_WAIT = GROUP_INTERVAL = "10s"
REPEAT_INTERVAL = "12h"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY = 1440
"""Minutes."""
CRITICAL = 'severity="critical"'
WARNING = 'severity="warning"'
OF_DEPLOYMENT = 'category="deployment"'
INCIDENT_ALERT = 'alertname="GuardIncidentOpen"'
TO_GUARD = f'{ROLLBACK[0]}="{ROLLBACK[1]}"'
NAMED = 'namespace!=""'
WITH_DEPLOYMENT = 'deployment!=""'
WITHOUT_DEPLOYMENT = 'deployment=""'


def routing(policy: Policy, namespace: str) -> tuple[File, ...]:
    """Alertmanager's whole configuration; `namespace` is the guard's, where it takes alerts."""
    remarks_ = "".join(f"# {line}\n" for line in remarks(policy))
    return (File(path=PATH, text=HEADER + remarks_ + to_yaml([configuration(policy, namespace)])),)


def configuration(policy: Policy, namespace: str) -> Object:
    """The same as data."""
    made: Object = {
        "route": _routes(policy),
        "inhibit_rules": _inhibitions(policy),
        "receivers": receivers(policy, namespace),
    }
    if windows := _quiet(policy):
        made["time_intervals"] = [_interval(window) for window in windows]
    return made


def _routes(policy: Policy) -> Object:
    quiet: list[Json] = [window.name for window in _quiet(policy)]
    to_guard: list[Json] = [_route(GUARD, TO_GUARD, further=True)] if policy.takes_alerts else []
    warnings = _route(WARNINGS, WARNING, OF_DEPLOYMENT, further=True)
    if quiet:
        # In a quiet window the guard pages instead of acting, in quiet hours its own warnings wait: pages are never
        # muted, and #deployments tells all.
        warnings["mute_time_intervals"] = quiet
    return {
        "receiver": DEPLOYMENTS,
        "group_by": GROUP_BY,
        "group_wait": GROUP_WAIT,
        "group_interval": GROUP_INTERVAL,
        "repeat_interval": REPEAT_INTERVAL,
        "routes": [
            # It only inhibits: nobody is told of it.
            _route(INCIDENT_OPEN, INCIDENT_ALERT),
            *to_guard,
            _route(PAGES, CRITICAL, OF_DEPLOYMENT, further=True),
            warnings,
            _route(INCIDENTS, CRITICAL, 'category!="deployment"'),
            # All that goes on, and all that nobody took: what only the guard was sent is not lost for people.
            {"receiver": DEPLOYMENTS},
        ],
    }


def _quiet(policy: Policy) -> tuple[QuietWindow, ...]:
    return (*policy.maintenance, *policy.quiet)


def _route(receiver: str, *matchers: str, further: bool = False) -> Object:
    route: Object = {"receiver": receiver, "matchers": list(matchers)}
    return {**route, "continue": True} if further else route


def _inhibitions(policy: Policy) -> list[Json]:
    """Labels that are missing on both sides count as equal: each rule asks for those that it stands on."""
    clusters = _clusters(policy)
    return [
        # One bad release pages once: the guard has paged for this Deployment.
        _inhibition(
            by=[INCIDENT_ALERT, NAMED, WITH_DEPLOYMENT],
            muted=[CRITICAL, OF_DEPLOYMENT, NAMED, WITH_DEPLOYMENT],
            equal=[*clusters, "namespace", "deployment"],
        ),
        # The critical of an alert says all that its warning does: of the same pod, where it names one.
        _inhibition(
            by=[CRITICAL, NAMED, WITH_DEPLOYMENT],
            muted=[WARNING, NAMED, WITH_DEPLOYMENT],
            equal=["alertname", *clusters, "namespace", "deployment", "pod", "container"],
        ),
        _inhibition(
            by=[CRITICAL, NAMED, WITHOUT_DEPLOYMENT],
            muted=[WARNING, NAMED, WITHOUT_DEPLOYMENT],
            equal=["alertname", *clusters, "namespace", "job", "instance", "pod", "container"],
        ),
        *_explained(policy),
    ]


def _explained(policy: Policy) -> Iterator[Json]:
    """Where a Deployment of the namespace is past the bound by itself, that has paged: that all of the namespace is
    says nothing more."""
    for signal in policy.signals:
        own = [alert for alert in signal.alerts if not alert.whole and alert.level is not LevelName.WARNING]
        names = "|".join(dict.fromkeys(alert.name for alert in own))
        for whole in (alert for alert in signal.alerts if alert.whole and names):
            yield _inhibition(
                by=[f'alertname=~"{names}"', CRITICAL, NAMED, WITH_DEPLOYMENT],
                muted=[f'alertname="{whole.name}"', NAMED],
                equal=[*_clusters(policy), "namespace"],
            )


def _clusters(policy: Policy) -> list[Json]:
    """The label with the cluster: the usual one, by which a Prometheus tells itself from others, and the store's."""
    return list(dict.fromkeys(("cluster", policy.metrics.cluster_label or "cluster")))


def _inhibition(*, by: list[Json], muted: list[Json], equal: list[Json]) -> Object:
    return {"source_matchers": by, "target_matchers": muted, "equal": equal}


def _interval(window: QuietWindow) -> Object:
    """A window as Alertmanager has it: none of its times goes over midnight."""
    if window.begin < window.end:
        parts = [_part(window, window.begin, window.end, later=0)]
    else:
        parts = [_part(window, window.begin, DAY, later=0)]
        if window.end:
            parts.append(_part(window, 0, window.end, later=1))
    return {"name": window.name, "time_intervals": parts}


def _part(window: QuietWindow, begin: int, end: int, *, later: int) -> Json:
    part: Object = {"times": [{"start_time": _clock(begin), "end_time": _clock(end)}]}
    if window.days:
        part["weekdays"] = [DAYS[day] for day in sorted((day + later) % 7 for day in window.days)]
    if window.time_zone != "UTC":
        part["location"] = window.time_zone
    return part


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
