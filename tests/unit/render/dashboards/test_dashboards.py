"""The dashboards of policies: what is on them, and that a bound stands in the policy alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import layouts
from rollguard.cli.policy import read
from rollguard.model.policy import Policy
from rollguard.policy.promql import problem_of_expression
from rollguard.render.dashboards import dashboards, lint, queries
from rollguard.render.dashboards.filled import variables_of
from tests.unit.policy.texts import GOOD, WITH_SET, added, changed, good
from tests.unit.render.policies import CLUSTERS, POLICIES

ROOT = Path(__file__).parents[4]
GOLDEN = ROOT / "tests" / "golden" / "dashboards"
PLATFORM = ROOT / "examples" / "dubbing-platform" / "policy.yaml"
DEPLOYMENT, SYSTEM, GUARD = "deployment-dashboard.json", "system-health.json", "guard-dashboard.json"


def policy_of(name: str) -> Policy:
    return good(POLICIES[name]) if name in POLICIES else read(PLATFORM)


def dashboard(policy: Policy, path: str = DEPLOYMENT) -> dict[str, Any]:
    """A rendered dashboard, as Grafana reads it."""
    (text,) = (file.text for file in dashboards(policy, "monitoring") if file.path == path)
    made: dict[str, Any] = json.loads(text)
    return made


def panel(made: dict[str, Any], title: str) -> dict[str, Any]:
    (found,) = (each for each in made["panels"] if each["title"] == title)
    assert isinstance(found, dict)
    return found


def lines(made: dict[str, Any], title: str) -> list[tuple[float, str]]:
    """The bounds that a panel draws, with their colours."""
    steps = panel(made, title)["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return [(step["value"], step["color"]) for step in steps if step["value"] is not None]


def rows(made: dict[str, Any]) -> list[str]:
    return [each["title"] for each in made["panels"] if each["type"] == "row"]


def titles(made: dict[str, Any], row: str) -> list[str]:
    """The panels below a heading."""
    found: dict[str, list[str]] = {}
    for each in made["panels"]:
        if each["type"] == "row":
            heading = found.setdefault(each["title"], [])
        else:
            heading.append(each["title"])
    return found[row]


@pytest.mark.golden
@pytest.mark.parametrize("path", [DEPLOYMENT, SYSTEM, GUARD])
def test_the_platforms_dashboards_are_the_golden_ones(path: str, renew_golden: bool) -> None:
    (text,) = (file.text for file in dashboards(read(PLATFORM), "monitoring") if file.path == path)
    if renew_golden:
        (GOLDEN / path).write_text(text)
    assert text == (GOLDEN / path).read_text(), "read the difference, then renew by --renew-golden"


@pytest.mark.golden
@pytest.mark.parametrize("name", ["smallest", "rolling", "clusters"])
def test_what_the_dashboards_of_other_policies_ask_is_golden(name: str, renew_golden: bool) -> None:
    asked = queries(policy_of(name), "production", "web", "eu")
    text = "".join(f"{each.dashboard} | {each.panel}\n    {each.promql}\n" for each in asked)
    file = GOLDEN / f"{name}.txt"
    if renew_golden:
        file.write_text(text)
    assert text == file.read_text(), "read the difference, then renew by --renew-golden"


@pytest.mark.parametrize("path", [DEPLOYMENT, SYSTEM, GUARD])
@pytest.mark.parametrize("name", [*POLICIES, "the platform"])
def test_no_dashboard_breaks_a_rule(name: str, path: str) -> None:
    policy = policy_of(name)
    assert lint.problems(dashboard(policy, path), lint.ranges_of(policy)) == ()


def test_the_platform_has_the_panels_that_its_guide_names() -> None:
    platform = read(PLATFORM)
    made = dashboard(platform)
    assert made["uid"] == "deployment-monitoring"
    assert rows(made) == [
        "Deployment status",
        "Rollout progress",
        "Error rates",
        "Response times",
        "Resource usage",
        "Pod health",
        "Blue-green status",
    ]
    assert titles(made, "Error rates") == ["Errors", "Database errors", "Job failures"]
    assert titles(made, "Response times") == ["Latency, P95", "Latency, P99"]
    assert titles(made, "Resource usage") == ["Memory", "CPU", "Autoscalers: replicas of the maximum"]
    system = dashboard(platform, SYSTEM)
    assert system["uid"] == "system-health"
    assert rows(system)[:4] == ["API performance", "Database performance", "Queue processing", "Worker health"]
    assert titles(system, "Database performance") == [
        "Database connections",
        "Database errors",
        "Migrations that failed",
    ]
    assert titles(system, "Queue processing") == ["Queue depth", "Oldest job", "job_duration_seconds_count per second"]
    assert dashboard(platform, GUARD)["uid"] == "rollguard"


def test_the_platforms_variables_are_in_their_order_and_begin_at_its_namespace() -> None:
    variables = dashboard(read(PLATFORM))["templating"]["list"]
    assert [each["name"] for each in variables] == ["datasource", "namespace", "workload"]
    assert variables[1]["current"]["value"] == "production"
    assert variables[2]["multi"], "both colours of a pair are looked at together"


def test_a_cluster_is_chosen_where_the_policy_names_its_label_and_every_query_keeps_to_it() -> None:
    policy = good(CLUSTERS)
    variables = dashboard(policy)["templating"]["list"]
    assert [each["name"] for each in variables] == ["datasource", "cluster", "namespace", "workload"]
    assert 'cluster="$cluster"' in variables[2]["query"]["query"]
    for each in queries(policy, "production", "web", "eu"):
        selected = each.promql.count("{")
        assert each.promql.count('cluster="eu"') == each.promql.count('prometheus_replica="a"') == selected, each


def test_bounds_are_drawn_as_the_policy_has_them_and_move_with_it() -> None:
    assert lines(dashboard(good(GOOD)), "Errors") == [(0.1, "red")]
    assert lines(dashboard(good(changed("10%", "8%"))), "Errors") == [(0.08, "red")]
    made = dashboard(read(PLATFORM))
    assert lines(made, "Latency, P95") == [(0.5, "yellow"), (2.0, "orange"), (5.0, "red")]
    assert lines(made, "Latency, P99") == [(2.0, "yellow"), (5.0, "orange")]
    assert "rollback P95 > 5s for 5m" in panel(made, "Latency, P95")["description"]


def test_colours_that_stand_in_no_policy_have_no_row() -> None:
    assert "Blue-green status" not in rows(dashboard(good(GOOD)))
    assert "Blue-green status" in rows(dashboard(good(WITH_SET)))


def test_what_a_policy_has_no_signal_of_has_no_row() -> None:
    assert rows(dashboard(good(GOOD), SYSTEM)) == ["API performance", "Where the figures come from"]


@pytest.mark.parametrize("path", [DEPLOYMENT, SYSTEM, GUARD])
def test_every_line_of_the_grid_is_full(path: str) -> None:
    filled: dict[int, int] = {}
    for each in dashboard(read(PLATFORM), path)["panels"]:
        filled[each["gridPos"]["y"]] = filled.get(each["gridPos"]["y"], 0) + each["gridPos"]["w"]
    assert set(filled.values()) == {24}


@pytest.mark.golden
def test_the_pictures_of_the_layouts_are_as_the_dashboards_are(renew_golden: bool) -> None:
    if renew_golden:
        layouts.main()
    drawn = {name: (layouts.PICTURES / name).read_text() for name in layouts.pictures()}
    assert drawn == layouts.pictures(), "`python -m lab.layouts` draws them anew"


def test_a_signal_of_the_teams_own_appears_by_its_kind() -> None:
    text = GOOD + (
        "    sockets:\n      kind: gauge\n      gauge: websocket_connections\n"
        "      levels:\n        critical: {above: 900, for: 5m}\n"
        "    payments:\n      kind: histogram\n      buckets: payment_seconds_bucket\n"
        "      levels:\n        critical: {p99: 3s, for: 5m}\n"
        "    broker-lag:\n      kind: gauge\n      scope: shared\n      gauge: kafka_consumergroup_lag\n"
        "      levels:\n        warning: {above: 1000, for: 5m}\n"
    )
    made = dashboard(good(text))
    assert "Sockets" in titles(made, "Resource usage")
    assert lines(made, "Sockets") == [(900.0, "orange")]
    assert titles(made, "Response times") == ["Payments, P99"]
    assert titles(dashboard(good(text), SYSTEM), "Queue processing") == ["Broker lag"]


def test_rollouts_verdicts_and_rollbacks_are_marked_in_time() -> None:
    for path in (DEPLOYMENT, SYSTEM):
        marks = dashboard(read(PLATFORM), path)["annotations"]["list"]
        assert [each["name"] for each in marks] == ["Rollouts under guard", "Verdicts", "Rollbacks"]
    assert 'state=~"planned|acting|verifying"' in marks[2]["expr"]
    assert 'verdict=~"degraded|blind|bad"' in marks[1]["expr"]


def test_a_panel_leads_to_the_runbooks_of_its_alerts() -> None:
    policy = good(added("links: {runbook: 'https://example.com/runbooks'}"))
    made = dashboard(policy)
    urls = [link["url"] for link in panel(made, "Errors")["links"]]
    assert urls and all(url.startswith("https://example.com/runbooks/") and url.endswith(".md") for url in urls)
    assert any(
        link["url"].endswith("/RolloutStuck.md") for link in panel(made, "Rollout progress: updated pods")["links"]
    )
    assert {link["title"] for link in made["links"]} == {"Rollguard", "Runbooks"}


def test_a_panels_number_stays_when_others_come() -> None:
    sockets = "sockets: {kind: gauge, gauge: sockets, levels: {warning: {above: 1, for: 5m}}}"
    more = GOOD.replace("    errors:\n", f"    {sockets}\n    errors:\n")
    assert panel(dashboard(good(GOOD)), "Errors")["id"] == panel(dashboard(good(more)), "Errors")["id"]


def test_the_sidecars_objects_carry_the_same_texts_and_its_label() -> None:
    files = {file.path: file.text for file in dashboards(read(PLATFORM), "monitoring")}
    objects = list(yaml.safe_load_all(files.pop("dashboards.yaml")))
    assert {each["metadata"]["labels"]["grafana_dashboard"] for each in objects} == {"1"}
    assert {each["metadata"]["namespace"] for each in objects} == {"monitoring"}
    assert {path: text for each in objects for path, text in each["data"].items()} == files
    # `kubectl apply` keeps the whole object in an annotation, of which the API server takes 256 KiB.
    assert all(len(json.dumps(each)) < 200_000 for each in objects)


def test_a_thousand_workloads_make_no_dashboard_longer() -> None:
    names = ", ".join(f"service-{number}" for number in range(1000))
    many = {file.path: file.text for file in dashboards(good(changed("[web, api]", f"[{names}]")), "monitoring")}
    few = {file.path: file.text for file in dashboards(good(GOOD), "monitoring")}
    assert many == few


@pytest.mark.parametrize("name", [*POLICIES, "the platform"])
def test_every_query_is_promql_of_the_chosen_namespace_and_workload(name: str) -> None:
    asked = queries(policy_of(name), "production", "(web|api)", "eu")
    assert len(asked) > 40
    for each in asked:
        assert not variables_of(each.promql), each
        assert problem_of_expression(each.promql) is None, each
    of_panels = {each.panel for each in asked if not each.mark}
    assert {"Errors", "Deployment status", "Who leads"} <= of_panels
    assert {each.panel for each in asked if each.mark} == {"Rollouts under guard", "Verdicts", "Rollbacks"}
