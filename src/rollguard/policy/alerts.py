"""Alerts in the document: those on a signal's levels, and what of the rules belongs to none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from rollguard.model.alerting import LASTING, Category
from rollguard.model.policy import Alerting
from rollguard.model.signals import EventRule, Level, LevelName, SignalAlert, SignalKind
from rollguard.policy import checks
from rollguard.policy.mistakes import nearest
from rollguard.policy.part import Duration, Part
from rollguard.policy.yaml_text import Marked, Path

SCRAPES = 4
"""A rate over less than so many scrape intervals comes and goes."""
_OVER = {EventRule.CRASH_LOOP: 300.0, EventRule.MIGRATION_FAILED: 3600.0}
_OF_EVENTS: dict[EventRule, tuple[tuple[str, LevelName, float], ...]] = {
    EventRule.CRASH_LOOP: (
        ("PodCrashLooping", LevelName.CRITICAL, 0.0),
        ("RollbackCrashLoop", LevelName.ROLLBACK, 0.0),
    ),
    EventRule.IMAGE_PULL: (("ImagePullBackOff", LevelName.CRITICAL, 120.0),),
    EventRule.PROGRESS_DEADLINE: (("DeploymentFailed", LevelName.CRITICAL, 60.0),),
    EventRule.MIGRATION_FAILED: (("DatabaseMigrationFailed", LevelName.CRITICAL, 0.0),),
}
"""Name, level and duration of an event rule's alerts, where the policy names none."""

AlertName = Annotated[str, AfterValidator(checks.alert_name)]
LabelKey = Annotated[str, AfterValidator(checks.label_key)]
LabelValue = Annotated[str, AfterValidator(checks.label_value)]
Lasting = Annotated[
    float,
    BeforeValidator(checks.duration_or_none),
    WithJsonSchema({"type": "string", "description": "a duration with a unit", "examples": ["0s", "5m"]}),
]


class AlertPart(Part):
    """An alert on one of the signal's levels."""

    name: AlertName
    """What it is called: `HighErrorRate`. A signal's alerts may share a name where their severity differs."""
    level: Literal["warning", "critical", "rollback"]
    """Whose bound it has; of an event, how severe it is. One on `rollback` is critical, and the guard's own webhook
    knows it."""
    for_: Lasting | None = Field(default=None, alias="for")
    """How long it must hold before it fires; as long as the level where it is not given."""
    over: Duration | None = None
    """The range that a rate, a share or a quantile is taken over; as long as the level, and at least four scrape
    intervals, where it is not given. Of the event crashLoop, how long ago one counts; of migrationFailed too."""
    category: Literal["deployment", "resource", "database", "autoscaling"] | None = None
    """What it is about, for its route; `deployment` for ratio, histogram, event and rollback, else `resource`."""
    after_rollout: bool = False
    """Only while a rollout is recent: no longer ago than the automatic part of the window."""
    per: Literal["workload", "pod", "namespace"] = "workload"
    """`namespace` for one over all workloads of a namespace together: it names none, and nothing is rolled back by it.
    Gauge: `pod` for an alert for each pod by itself."""


class AlertsPart(Part):
    """What of the rules belongs to no signal."""

    labels: dict[LabelKey, LabelValue] = Field(default={})
    """Labels of PrometheusRule and ServiceMonitor, by which a Prometheus operator selects: `release: prometheus`."""
    for_: dict[AlertName, Lasting] = Field(default={}, alias="for")
    """How long an alert that belongs to no signal must hold before it fires, by its name: `RolloutStuck: 15m`."""


def alerting(part: AlertsPart, marked: Marked) -> Alerting:
    """What of the rules belongs to no signal."""
    for name in part.for_:
        if name not in LASTING:
            words = f"one of the alerts {', '.join(LASTING)}"
            marked.wrong(("spec", "alerts", "for", name), name, words, near=nearest(name, LASTING), key=True)
    return Alerting(labels=tuple(sorted(part.labels.items())), lasting=tuple(sorted(part.for_.items())))


def alerts_of(
    name: str,
    parts: list[AlertPart] | None,
    levels: tuple[Level, ...],
    *,
    kind: SignalKind,
    rule: EventRule | None,
    shared: bool,
    scrape: float,
    marked: Marked,
) -> tuple[SignalAlert, ...]:
    """The alerts of a signal: those that it names, else those that are named after it."""
    least = SCRAPES * scrape
    if parts is None:
        return tuple(_named_after(name, levels, kind, rule, least))
    found: list[SignalAlert] = []
    for index, part in enumerate(parts):
        path: Path = ("spec", "signals", name, "alerts", index)
        # Of the preset, which the policy's own levels may lack; or its level is told to be wrong already.
        excused = not marked.has((*path, "level")) or marked.has(("spec", "signals", name, "levels", part.level))
        if excused and _without_level(part, levels, kind):
            continue
        _check_part(part, levels, marked, path, kind=kind, shared=shared)
        level = LevelName(part.level)
        lasting, over = _durations(level, levels, rule, least)
        found.append(
            SignalAlert(
                name=part.name,
                level=level,
                category=Category(part.category) if part.category else _category(kind, level, part.after_rollout),
                seconds=lasting if part.for_ is None else part.for_,
                over=over if part.over is None else part.over,
                after_rollout=part.after_rollout,
                by_pod=part.per == "pod",
                whole=part.per == "namespace",
            )
        )
    return tuple(found)


def check_names(signals: tuple[tuple[str, tuple[SignalAlert, ...]], ...], marked: Marked) -> None:
    """Every alert has a name of its own: those of one signal may share one where their severity differs."""
    owners: dict[str, str] = {}
    for signal, alerts in signals:
        seen: set[tuple[str, bool]] = set()
        for index, alert in enumerate(alerts):
            path: Path = ("spec", "signals", signal, "alerts", index, "name")
            if not marked.has(path):
                path = ("spec", "signals", signal)
            owner = owners.setdefault(alert.name, signal)
            same = (alert.name, alert.level is LevelName.WARNING)
            if alert.name in LASTING:
                marked.wrong(path, alert.name, "a name that none of the rules' own alerts has")
            elif owner != signal:
                marked.wrong(path, alert.name, f"a name that no alert of another signal has: `{owner}` has it")
            elif same in seen:
                marked.wrong(path, alert.name, "a name of its own, or another severity, for each alert of the signal")
            seen.add(same)


def _named_after(
    name: str, levels: tuple[Level, ...], kind: SignalKind, rule: EventRule | None, least: float
) -> Iterator[SignalAlert]:
    if kind is SignalKind.EVENT:
        for title, level, seconds in _OF_EVENTS[rule] if rule else ():
            over = _durations(level, levels, rule, least)[1]
            yield SignalAlert(name=title, level=level, category=Category.DEPLOYMENT, seconds=seconds, over=over)
        return
    words = "".join(word.capitalize() for word in name.split("-"))
    for level in dict.fromkeys(each.name for each in levels):
        seconds, over = _durations(level, levels, rule, least)
        title = f"Rollback{words}" if level is LevelName.ROLLBACK else f"{words}High"
        yield SignalAlert(
            name=title, level=level, category=_category(kind, level, after=False), seconds=seconds, over=over
        )


def _durations(name: LevelName, levels: tuple[Level, ...], rule: EventRule | None, least: float) -> tuple[float, float]:
    """How long an alert on a level lasts, and over which range it looks, where it does not say so."""
    if rule is not None:
        lasting = next((seconds for _, level, seconds in _OF_EVENTS[rule] if level is name), 0.0)
        return lasting, _OVER.get(rule, least)
    longest = max((level.seconds for level in levels if level.name is name), default=0.0)
    return longest, max(longest, least)


def _category(kind: SignalKind, level: LevelName, after: bool) -> Category:
    acts = level is LevelName.ROLLBACK or after
    of_requests = kind in (SignalKind.RATIO, SignalKind.HISTOGRAM, SignalKind.EVENT)
    return Category.DEPLOYMENT if acts or of_requests else Category.RESOURCE


def _without_level(part: AlertPart, levels: tuple[Level, ...], kind: SignalKind) -> bool:
    return kind is not SignalKind.EVENT and all(level.name.value != part.level for level in levels)


def _check_part(
    part: AlertPart, levels: tuple[Level, ...], marked: Marked, path: Path, *, kind: SignalKind, shared: bool
) -> None:
    if _without_level(part, levels, kind):
        given = ", ".join(dict.fromkeys(level.name.value for level in levels))
        if given:
            marked.wrong((*path, "level"), part.level, f"a level that the signal has: {given}")
    if part.over is not None and kind is SignalKind.GAUGE:
        marked.wrong((*path, "over"), "over", "no `over`: a gauge is looked at as it is", key=True)
    if part.per == "pod" and (kind is not SignalKind.GAUGE or shared):
        marked.wrong((*path, "per"), "pod", "per: workload: only a gauge of workloads has an alert for each pod")
    if part.per == "namespace" and (shared or kind in (SignalKind.GAUGE, SignalKind.EVENT)):
        words = "per: workload: only a ratio, a histogram or a rate of workloads has an alert on all of them together"
        marked.wrong((*path, "per"), "namespace", words)
    if part.per == "namespace" and part.level == "rollback":
        marked.wrong((*path, "level"), "rollback", "warning or critical: all together name nothing to roll back")
    if part.after_rollout and (shared or part.per == "namespace"):
        what = "a shared signal belongs to" if shared else "all together are"
        marked.wrong((*path, "afterRollout"), True, f"false: {what} no workload that could have been rolled out")
