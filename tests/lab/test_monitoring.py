"""What is rendered from a policy, in the real Prometheus: each fault makes exactly its alerts fire, what does well
none, and every panel shows something."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from lab.faults import alarms
from lab.faults.alarms import Field
from lab.world import Lab
from rollguard.cli.policy import read
from rollguard.render.alerts.written import groups
from rollguard.render.dashboards.filled import PanelQuery, queries

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="session")]

NAMESPACE = "alarms"
LOOK_S = 0.5
FIRED_WITHIN_S = 60.0
WATCHED_S = 40.0
"""How long after the faults it is looked for alerts that nobody expects; the longest lasts 18 s before it fires."""
CRITICAL, WARNING, NONE = "critical", "warning", "none"
Fired = frozenset[tuple[str, str]]
"""Alerts with their severity."""
DATABASE, GUARDS, TOGETHER = "a database", "the guard", "all Deployments together"
"""What an alert without a Deployment is about."""


def fired(critical: str = "", warning: str = "") -> Fired:
    """Alerts by name."""
    both = ((CRITICAL, critical), (WARNING, warning))
    return frozenset((name, severity) for severity, names in both for name in names.split())


NEVER_READY = "RolloutStuck PodNotReady TargetMissing"
EXPECTED: Mapping[str, Fired] = {
    "healthy": fired(),
    "scaled": fired(),
    "quiet": fired(),
    "errors": fired(critical="ErrorRateSpikeAfterDeployment HighErrorRate RollbackErrorRate", warning="HighErrorRate"),
    "some-errors": fired(warning="HighErrorRate"),
    "old-errors": fired(critical="HighErrorRate RollbackErrorRate", warning="HighErrorRate"),
    "slow": fired(critical="HighResponseTime RollbackResponseTime", warning="ResponseTimeDegradation"),
    "crashing": fired(critical="PodCrashLooping RollbackCrashLoop", warning=NEVER_READY),
    "no-image": fired(critical="ImagePullBackOff", warning=NEVER_READY),
    "stuck": fired(warning="RolloutStuck PodNotReady"),
    "late": fired(critical="DeploymentFailed", warning="RolloutStuck PodNotReady"),
    "memory": fired(warning="HighMemoryAfterDeployment HighMemoryUsage"),
    "busy": fired(critical="HighCPUUsage", warning="HighCPUUsage"),
    "no-database": fired(critical="DatabaseConnectionErrors RollbackDatabaseConnections"),
    "at-most": fired(warning="AutoscalerAtMaximum"),
    "unmeasured": fired(warning="AutoscalerMetricsMissing"),
    alarms.NOWHERE: fired(warning="AutoscalerUnableToScale"),
    "unseen": fired(critical="GuardBlind", warning="TargetMissing SignalAbsent"),
    "abandoned": fired(warning="SignalAbsent"),
    "backend-blue": fired(),
    "backend-green": fired(),
    "frontend-blue": fired(),
    "frontend-green": fired(),
    "workers-blue": fired(),
    "workers-green": fired(),
    "held": fired(critical="ImagePullBackOff GuardHeld", warning=NEVER_READY),
    DATABASE: fired(critical="DatabaseConnectionsHigh", warning="DatabaseConnectionsHigh"),
    alarms.MIGRATION: fired(critical="DatabaseMigrationFailed"),
    alarms.BARE_MIGRATION: fired(critical="DatabaseMigrationFailed"),
    GUARDS: fired(critical="GuardDown"),
}


POSSIBLE: Mapping[str, Fired] = {"crashing": fired(critical="PodRestarts", warning="PodRestarts")}
"""What may fire too: a restart stays in its scaled range just as long as the alert on it must last."""
NO_ROLLBACK = "the guard only looks on: no rollback is under way"
EMPTY: Mapping[tuple[str, str], str] = {
    ("deployment-monitoring", "Rollbacks"): NO_ROLLBACK,
    ("system-health", "Rollbacks"): NO_ROLLBACK,
}
"""Panels and marks, by dashboard and title, that are rightly empty here, each with the reason."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """What has fired since the rules were loaded."""

    here: Field
    began: float = field(default_factory=time.time)
    before: dict[str, Fired] = field(default_factory=dict)
    """What fired while all was well."""
    fired: dict[str, Fired] = field(default_factory=dict)
    drawn: dict[PanelQuery, int] = field(default_factory=dict)
    """How many lines each query of each dashboard has, of all that went on."""
    texts: dict[str, str] = field(default_factory=dict)
    """A text of every alert that was seen firing."""

    async def look(self) -> dict[str, Fired]:
        """The alerts that have ever fired, by what they are about."""
        lab = self.here.lab
        for alert in await lab.prometheus.alerts():
            if alert.firing:
                self.texts[alert.name] = " ".join(alert.annotations.values())
        labels = "alertname, severity, category, namespace, deployment, migration"
        over = f"{max(1, int(time.time() - self.began))}s"
        ever = f'max by ({labels}) (max_over_time(ALERTS{{alertstate="firing"}}[{over}]))'
        found: dict[str, set[tuple[str, str]]] = {}
        for series in await lab.prometheus.query(ever):
            of = dict(label.split("=", 1) for label in series.split(","))
            assert of["namespace"] in (self.here.namespace, self.here.home), series
            found.setdefault(_subject(of), set()).add((of["alertname"], of["severity"]))
        return {subject: frozenset(alerts) for subject, alerts in found.items()}

    async def go(self) -> None:
        """Shows the rules first that all is well, then all faults, then that the guard is gone."""
        self.before = await self.look()
        await self.here.go_wrong()
        watched_until = time.monotonic() + WATCHED_S
        await self.until_fired(*(EXPECTED.keys() - {DATABASE, GUARDS}))
        await self.here.connections(97)
        await self.until_fired(DATABASE)
        await asyncio.sleep(max(0.0, watched_until - time.monotonic()))
        await self.draw()
        await self.here.lose_the_guard()
        await self.until_fired(GUARDS)

    async def draw(self) -> None:
        """Asks what every panel and mark of every dashboard does."""
        for query in queries(read(self.here.policy), namespace=self.here.namespace, workload=".+"):
            seconds = time.time() - self.began
            self.drawn[query] = await self.here.lab.prometheus.drawn(query.promql, seconds=seconds)

    async def until_fired(self, *subjects: str) -> None:
        """Returns when all that is expected of them has fired, or has had the time to."""
        deadline = time.monotonic() + FIRED_WITHIN_S
        while time.monotonic() < deadline:
            self.fired = await self.look()
            if all(EXPECTED[subject] <= self.fired.get(subject, frozenset()) for subject in subjects):
                return
            await asyncio.sleep(LOOK_S)


def _subject(labels: Mapping[str, str]) -> str:
    named = labels.get("deployment") or labels.get("migration")
    return named or {"database": DATABASE, "guard": GUARDS, "deployment": TOGETHER}[labels["category"]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seen(lab: Lab) -> AsyncIterator[Watch]:
    """All that fired: among the faults first, then without the guard."""
    here = Field.of(lab, NAMESPACE)
    rules = json.dumps({"groups": groups(read(here.policy), namespace=here.home)})
    try:
        await lab.prometheus.load_rules(NAMESPACE, rules)
        await here.prepare()
        watch = Watch(here=here)
        await watch.go()
        yield watch
    finally:
        await lab.prometheus.drop_rules(NAMESPACE)
        await here.leave()


async def test_nothing_fires_while_all_is_well(seen: Watch) -> None:
    assert not seen.before


@pytest.mark.parametrize("subject", EXPECTED)
async def test_exactly_its_alerts_fire(subject: str, seen: Watch) -> None:
    assert seen.fired.get(subject, frozenset()) - POSSIBLE.get(subject, frozenset()) == EXPECTED[subject]


async def test_nothing_else_fires(seen: Watch) -> None:
    assert {*seen.fired} <= {*EXPECTED}


async def test_every_alert_says_what_it_is_about(seen: Watch) -> None:
    for name, text in seen.texts.items():
        assert "<no value>" not in text, (name, text)
        assert "<error" not in text, (name, text)


async def test_every_panel_shows_something(seen: Watch) -> None:
    empty = {(query.dashboard, query.panel) for query, lines in seen.drawn.items() if not lines}
    assert empty == {*EMPTY}, [query.promql for query, lines in seen.drawn.items() if not lines]
