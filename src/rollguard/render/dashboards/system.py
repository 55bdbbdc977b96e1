"""The dashboard of the system's health: what it does, with or without a rollout."""

from __future__ import annotations

from rollguard.model.policy import Policy
from rollguard.model.signals import Signal
from rollguard.policy.promql import Matcher, narrowed
from rollguard.render.alerts.cluster import glob
from rollguard.render.dashboards import rollouts, shown
from rollguard.render.dashboards.deployment import links
from rollguard.render.dashboards.panel import Dashboard, Line, Panel, PanelKind, Query, Row
from rollguard.render.dashboards.view import View, at_least, only, view
from rollguard.render.places import MIGRATIONS, SCRAPED, Board
from rollguard.render.topics import Topic, topic

PATH = "system-health.json"
OTHERS = (Topic.RESOURCES, Topic.PODS)
"""What is shown with its Deployment, where it has one."""


def system(policy: Policy) -> Dashboard:
    """The dashboard: a row is there where the policy has a signal of it."""
    seen = view(policy)
    found = {each: tuple(signal for signal in policy.signals if topic(signal) is each) for each in Topic}
    api, database, workers = found[Topic.API], found[Topic.DATABASE], found[Topic.WORKERS]
    own, common = _split(workers)
    of_others = tuple(each for topic in OTHERS for each in _split(found[topic])[1])
    rows = (
        Row(
            title="API performance",
            panels=(*shown.requests_altogether(seen, *api), *shown.altogether(seen, *api)),
        ),
        Row(title="Database performance", panels=(*shown.altogether(seen, *database), *_migrations(seen))),
        Row(title="Queue processing", panels=(*shown.altogether(seen, *found[Topic.QUEUE]), *_jobs(seen, workers))),
        Row(
            title="Worker health",
            panels=(*shown.by_workload(seen, *own), *shown.altogether(seen, *common), *_workers(seen, own)),
        ),
        Row(title="Shared resources", panels=shown.altogether(seen, *of_others)),
        Row(title="Where the figures come from", panels=(_targets(seen),)),
    )
    return Dashboard(
        uid=Board.SYSTEM,
        path=PATH,
        title="System health",
        description="Requests, database, queues and workers of a namespace as a whole. Made from the guard's policy: "
        "its bounds are the dashed lines.",
        variables=seen.variables(),
        rows=tuple(row for row in rows if row.panels),
        marks=rollouts.marks(seen),
        links=links(policy),
    )


def _split(signals: tuple[Signal, ...]) -> tuple[tuple[Signal, ...], tuple[Signal, ...]]:
    """Those of Deployments, and those that belong to none alone."""
    return (
        tuple(each for each in signals if not each.shared),
        tuple(each for each in signals if each.shared),
    )


def _jobs(seen: View, signals: tuple[Signal, ...]) -> tuple[Panel, ...]:
    return shown.requests_altogether(seen, *signals)


def _workers(seen: View, signals: tuple[Signal, ...]) -> tuple[Panel, ...]:
    """The pods of the Deployments that have such a signal: found by their series, whatever they are called."""
    asked = [panel.queries[0].promql for panel in shown.by_workload(seen, *signals)]
    if not asked:
        return ()
    ready = seen.pods(only("kube_pod_status_ready", "condition", "true"))
    doing = " or ".join(f"({each})" for each in asked)
    return (
        Panel(
            key="workers ready",
            title="Workers that are ready",
            description="Ready pods of each Deployment that does jobs.",
            kind=PanelKind.TIME_SERIES,
            unit="short",
            queries=(Query(promql=f"({ready}) and {seen.scope.on('deployment')} ({doing})", legend="{{deployment}}"),),
        ),
    )


def _migrations(seen: View) -> tuple[Panel, ...]:
    """How the Jobs of the policy's `migration` ended; nothing where it names none."""
    migration = seen.policy.migration
    if migration is None:
        return ()
    names = Matcher("job_name", "=~", "|".join(glob(each) for each in migration.patterns))
    failed, complete = (
        seen.namespaced(narrowed(f'{series}{{condition="true"}}', (names,)), "job_name")
        for series in ("kube_job_failed", "kube_job_complete")
    )
    return (
        Panel(
            key=MIGRATIONS.key,
            title="Migrations that failed",
            description=f"Jobs called {', '.join(f'`{each}`' for each in migration.patterns)}: 1 failed, 0 complete. "
            "Each shows until it is deleted; a migration by a bare pod does not show here.",
            kind=PanelKind.TIME_SERIES,
            unit="short",
            queries=(Query(promql=at_least(f"{failed} or {complete} * 0", "job_name"), legend="{{job_name}}"),),
            lines=(Line(bound=1, colour="red"),),
        ),
    )


def _targets(seen: View) -> Panel:
    return Panel(
        key=SCRAPED.key,
        title="Targets that are scraped",
        description="The share of each job's targets that answer. Below 100% the other figures are incomplete, and the "
        "guard may be blind.",
        kind=PanelKind.TIME_SERIES,
        unit="percentunit",
        queries=(Query(promql=seen.scope.by("avg", seen.scope.select("up"), "job"), legend="{{job}}"),),
    )
