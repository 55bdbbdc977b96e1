"""Each alert links the panel that shows what it is about, on the dashboard where that stands."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from rollguard.model.policy import Links, Policy
from rollguard.render.alerts import Alert, annotated
from rollguard.render.dashboards import dashboards
from tests.unit.policy.texts import good
from tests.unit.render.pages import every_alert, platform
from tests.unit.render.policies import POLICIES

GRAFANA = "https://grafana.example.com/d"
LINKED = Links(dashboard=f"{GRAFANA}/deployment-monitoring")


def policy_of(name: str) -> Policy:
    return replace(good(POLICIES[name]) if name in POLICIES else platform(), links=LINKED)


def panels(policy: Policy) -> dict[str, dict[int, str]]:
    """The titles of all panels, by the dashboard's uid and their numbers."""
    made = [json.loads(file.text) for file in dashboards(policy, "monitoring") if file.path.endswith(".json")]
    return {each["uid"]: {panel["id"]: panel["title"] for panel in each["panels"]} for each in made}


def link(alert: Alert, policy: Policy) -> str:
    return str(annotated(alert, policy)["dashboard_url"])


def shown(alert: Alert, policy: Policy) -> tuple[str, str]:
    """The dashboard's uid and the panel's title to which an alert leads."""
    parts = urlsplit(link(alert, policy))
    uid = parts.path.rpartition("/")[2]
    (number,) = parse_qs(parts.query)["viewPanel"]
    return uid, panels(policy)[uid][int(number)]


@pytest.mark.parametrize("name", ["platform", *POLICIES])
def test_every_alert_leads_to_a_panel_that_is_there(name: str) -> None:
    policy = policy_of(name)
    for alert in every_alert(policy):
        uid, title = shown(alert, policy)
        assert title, (alert.name, uid)


def test_what_is_the_systems_leads_to_its_health_and_what_is_the_guards_to_the_guard() -> None:
    policy = policy_of("platform")
    found = {alert.name: shown(alert, policy) for alert in every_alert(policy)}
    assert found["HighErrorRate"] == ("deployment-monitoring", "Errors")
    assert found["HighResponseTime"] == ("deployment-monitoring", "Latency, P95")
    assert found["PodCrashLooping"] == ("deployment-monitoring", "Containers that cannot start")
    assert found["AutoscalerAtMaximum"] == ("deployment-monitoring", "Autoscalers: replicas of the maximum")
    assert found["DatabaseConnectionsHigh"] == ("system-health", "Database connections")
    assert found["DatabaseConnectionErrors"] == ("system-health", "Database errors")
    assert found["DatabaseMigrationFailed"] == ("system-health", "Migrations that failed")
    assert found["QueueDepthHigh"] == ("system-health", "Queue depth")
    assert found["JobFailuresHigh"] == ("system-health", "Job failures")
    assert found["TargetMissing"] == ("system-health", "Targets that are scraped")
    assert found["GuardDown"] == ("rollguard", "Who leads")
    assert found["GuardHeld"] == ("rollguard", "Holds that wait for a person")
    assert found["GuardRollbackStalled"] == ("rollguard", "Rollbacks that are stalled")
    assert found["GuardIncidentOpen"] == ("rollguard", "Incidents that are open")


def test_the_alert_on_the_journal_leads_to_its_panel_and_is_there_only_with_a_journal() -> None:
    found = {alert.name: shown(alert, policy_of("clusters")) for alert in every_alert(policy_of("clusters"))}
    assert found["GuardJournalUnreached"] == ("rollguard", "The journal is not reached")
    assert "GuardJournalUnreached" not in {alert.name for alert in every_alert(policy_of("platform"))}


def test_the_link_names_what_the_alert_does_and_the_cluster_where_its_series_do() -> None:
    one, several = policy_of("platform"), policy_of("clusters")
    (errors,) = (each for each in every_alert(one) if each.name == "RollbackErrorRate")
    query = urlsplit(link(errors, one)).query
    assert query.startswith("var-namespace={{ $labels.namespace }}&var-workload={{ $labels.deployment }}&viewPanel=")
    found = {alert.name: urlsplit(link(alert, several)).query for alert in every_alert(several)}
    assert found["RollbackErrorRate"].startswith("var-cluster={{ $labels.cluster }}&var-namespace=")
    assert found["GuardDown"].startswith("var-namespace=monitoring&viewPanel=")


def test_a_shared_signal_whose_name_says_nothing_has_a_panel_too() -> None:
    text = POLICIES["smallest"].replace(
        "  signals:\n",
        "  signals:\n"
        "    disk: {kind: gauge, gauge: disk_used, scope: shared, levels: {warning: {above: 5, for: 5m}}}\n",
    )
    policy = replace(good(text), links=LINKED)
    (alert,) = (each for each in every_alert(policy) if each.signal == "disk")
    assert shown(alert, policy) == ("system-health", "Disk")


def test_an_address_that_is_not_of_grafanas_form_stands_for_all_dashboards() -> None:
    policy = replace(policy_of("platform"), links=Links(dashboard="https://go.example.com/deploys"))
    assert {urlsplit(link(each, policy)).path for each in every_alert(policy)} == {"/deploys"}
