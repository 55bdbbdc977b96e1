"""From a fault to a pager: the lab's workloads, the rendered rules in a real Prometheus, the rendered routes in a real
Alertmanager, and stand-ins for Slack and PagerDuty that check what comes."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lab import policies
from lab.faults import alarms
from lab.faults.stores import own_prometheus
from lab.prometheus import Prometheus
from lab.world import Lab
from rollguard.cli.policy import read
from rollguard.model.policy import Policy
from rollguard.render.alerts.written import groups
from tests.contract.alert_cases import ALL, Case
from tests.contract.alert_world import INCIDENTS, TITLES, World, expected, subject, world

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="session")]

NAMESPACE, WORKLOAD = "told", "checkout"
RUNBOOKS = "https://runbooks.example.com"
DASHBOARDS = "https://grafana.example.com/d"
BAD = "v2-errors-40pct"
WITHIN_S = 90.0
DOWN = Case(name="GuardDown", severity="critical", category="guard", namespace="monitoring")
HIGH = Case(name="HighErrorRate", severity="critical", category="deployment", namespace=NAMESPACE)
ROLLBACK = Case(
    name="RollbackErrorRate", severity="critical", category="deployment", namespace=NAMESPACE, action="rollback"
)
BESIDE = {"ErrorRateSpikeAfterDeployment", "HighErrorRateOverall"}
"""They may come too: a rollout is recent for a while, and what is muted may be told before what mutes it."""
DESCRIPTION = re.compile(rf"Errors of {NAMESPACE}/{WORKLOAD} is \d+(\.\d+)?% over \w+; the bound is &gt; 5% for \w+\.")


def policy_of(lab: Lab, prometheus: Prometheus) -> Policy:
    """The platform's policy with scaled durations, for this namespace, with all ways to tell."""
    document = alarms.policy(NAMESPACE, prometheus.url)
    document["spec"] |= {
        "links": {"dashboard": f"{DASHBOARDS}/deployment-monitoring", "runbook": RUNBOOKS},
        "notify": {"secrets": [key.value for key in ALL]},
    }
    return read(policies.write(lab.workdir / f"{NAMESPACE}.json", document))


@asynccontextmanager
async def told(lab: Lab, directory: Path) -> AsyncIterator[World]:
    """The services; a Prometheus of their own has the rules, and tells the Alertmanager."""
    async with own_prometheus(lab, NAMESPACE) as prometheus:
        policy = policy_of(lab, prometheus)
        async with world(policy, directory) as services:
            prometheus.tell(services.alertmanager.address)
            await prometheus.load_rules(NAMESPACE, json.dumps({"groups": groups(policy)}))
            yield services


async def test_a_fault_comes_to_the_pager_and_to_slack_with_its_figures_and_so_does_its_end(
    lab: Lab, tmp_path: Path
) -> None:
    try:
        await lab.namespace(NAMESPACE)
        await lab.deploy(NAMESPACE, WORKLOAD, tag=alarms.GOOD, rps=20, replicas=2)
        await lab.until_rolled_out(NAMESPACE, WORKLOAD)
        async with told(lab, tmp_path) as services:
            # Nobody guards here: that is told, and nobody is paged for it.
            await services.until_told(expected([DOWN]), timeout_s=WITHIN_S)
            assert services.pagerduty.events == []
            await lab.release(NAMESPACE, WORKLOAD, BAD)
            await services.until_told(expected([DOWN, HIGH, ROLLBACK]), timeout_s=WITHIN_S)
            check(services)
            await lab.release(NAMESPACE, WORKLOAD, alarms.GOOD)
            ended = expected([HIGH, ROLLBACK], "resolved")
            await services.until_told(expected([DOWN, HIGH, ROLLBACK]) + ended, timeout_s=WITHIN_S)
            assert {name for name, *_ in services.places()} <= {DOWN.name, HIGH.name, ROLLBACK.name, *BESIDE}
    finally:
        await lab.leave(NAMESPACE)


def check(services: World) -> None:
    """The page, the message and the guard's delivery say what is wrong, how much, and where to look."""
    where = f"var-namespace={NAMESPACE}&var-workload={WORKLOAD}&viewPanel="
    events = [event for event in services.pagerduty.events if event["payload"]["class"] == HIGH.name]
    assert [event["event_action"] for event in events] == ["trigger"]
    payload = events[0]["payload"]
    assert (payload["summary"], payload["severity"]) == ("Errors above 5%", "critical")
    assert (payload["source"], payload["group"]) == (f"{NAMESPACE}/{WORKLOAD}", NAMESPACE)
    runbook, dashboard = (link["href"] for link in events[0]["links"])
    assert runbook == f"{RUNBOOKS}/{HIGH.name}.md"
    assert dashboard.startswith(f"{DASHBOARDS}/deployment-monitoring?{where}")
    (posted,) = (each for each in services.slack.in_channel(INCIDENTS) if subject(each) == (HIGH.name, NAMESPACE))
    assert posted.attachment["title"] == TITLES[INCIDENTS]
    summary, description, *links = posted.attachment["text"].splitlines()
    assert summary == "*Errors above 5%*"
    assert DESCRIPTION.fullmatch(description), description
    assert links == [f"Runbook: {runbook}", f"Dashboard: {dashboard}"]
    (delivery,) = (each for each in services.guard.deliveries if each["groupLabels"]["alertname"] == ROLLBACK.name)
    (alert,) = delivery["alerts"]
    assert (alert["labels"]["deployment"], alert["labels"]["rollguard_action"]) == (WORKLOAD, "rollback")
