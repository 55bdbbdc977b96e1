"""Every query of the dashboards is asked of Prometheus' own engine, on series as the platform has them: each has an
answer, and two exporters of the cluster's states count nothing twice."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from lab import programs
from rollguard.cli.policy import read
from rollguard.model.documents import Json
from rollguard.model.policy import Policy
from rollguard.render.alerts.written import groups
from rollguard.render.dashboards import PanelQuery, queries
from tests.unit.policy.texts import good
from tests.unit.render.policies import CLUSTERS

PLATFORM = Path(__file__).parents[2] / "examples" / "dubbing-platform" / "policy.yaml"
AT = "40m"
STEADY = "x170"
"""So many more samples of 15 s: some minutes beyond `AT`."""
DEPLOYMENTS = ("backend-blue", "backend-green", "workers-green", "lip-sync")
PODS = 2
"""Of each Deployment."""
EXPORTERS = ("states-0", "states-1")
NAMED = 'namespace="production"'


def test_each_query_of_the_platform_has_an_answer(tmp_path: Path) -> None:
    policy = read(PLATFORM)
    asked = queries(policy, "production", "|".join(DEPLOYMENTS))
    assert told(tmp_path, policy, [some(each) for each in asked]) == ""


def test_a_query_without_an_answer_would_be_told(tmp_path: Path) -> None:
    policy = read(PLATFORM)
    asked = some(query(policy, "deployment-monitoring", "Errors", workload="nobody"))
    assert "got:" in told(tmp_path, policy, [asked])


def test_figures_are_those_of_the_series_whatever_the_number_of_exporters(tmp_path: Path) -> None:
    policy = read(PLATFORM)
    green = '{namespace="production", deployment="backend-green"}'
    expected = {
        "Errors": (green, 0.1),
        "http_requests_total per second": (green, PODS * 10 / 15),
        "Restarts": (green, 4.0),
        "Memory": (green, 0.5),
        "CPU": (green, 0.25),
        "Pods that are ready": (green, PODS),
        "Rollout progress: available pods": (green, 1.0),
        "What the guard does": (green, 5.0),
        "Database errors": (green, PODS * 4.0),
        "Latency, P95": (green, 0.475),
        "Short of available pods": ("{}", 0.0),
        "Holds that wait for a person": ("{}", 1.0),
        "Rollouts under guard": ("{}", 1.0),
        "Autoscalers: replicas of the maximum": (
            '{namespace="production", horizontalpodautoscaler="backend-green"}',
            0.3,
        ),
        "Containers that cannot start": ('{deployment="none"}', 0.0),
    }
    asked = [exactly(query(policy, "deployment-monitoring", panel), *answer) for panel, answer in expected.items()] + [
        exactly(query(policy, "system-health", "Errors"), '{namespace="production"}', 0.1),
        exactly(query(policy, "system-health", "Database connections"), '{namespace="production"}', 0.3),
        exactly(query(policy, "rollguard", "Who leads"), "{}", 1.0),
        exactly(query(policy, "rollguard", "Rollouts by what is done with them"), '{state="acting"}', 2.0),
        exactly(query(policy, "rollguard", "Checks that failed"), '{check="none"}', 0.0),
    ]
    assert told(tmp_path, policy, asked) == ""


def test_a_cluster_is_looked_at_alone_its_labels_have_other_names_and_its_histograms_are_native(tmp_path: Path) -> None:
    policy = good(CLUSTERS)
    web = '{cluster="eu", namespace="production", deployment="web"}'
    asked = [
        exactly(query(policy, "deployment-monitoring", "Errors", "web"), web, 0.1),
        exactly(query(policy, "deployment-monitoring", "Pods that are ready", "web"), web, PODS),
        some(query(policy, "deployment-monitoring", "Latency, P95", "web")),
        exactly(query(policy, "system-health", "Errors"), '{cluster="eu", namespace="production"}', 0.1),
    ]
    assert told(tmp_path, policy, asked, clusters()) == ""


def query(policy: Policy, dashboard: str, panel: str, workload: str = "backend-green") -> PanelQuery:
    found = queries(policy, "production", workload, "eu")
    (one,) = (each for each in found if (each.dashboard, each.panel, each.mark) == (dashboard, panel, False))
    return one


def some(asked: PanelQuery) -> Json:
    """That there is an answer."""
    return {
        "expr": f"count({asked.promql}) >= bool 1",
        "eval_time": AT,
        "exp_samples": [{"labels": "{}", "value": 1}],
    }


def exactly(asked: PanelQuery, labels: str, value: float) -> Json:
    # What promtool compares is rounded here: a rate is a quotient of floats.
    samples: Json = [{"labels": labels, "value": round(value, 6)}]
    return {"expr": f"round({asked.promql}, 1e-6)", "eval_time": AT, "exp_samples": samples}


def told(folder: Path, policy: Policy, asked: list[Json], given: Iterable[tuple[str, str]] = ()) -> str:
    """What `promtool test rules` says is not as expected, with the rendered rules loaded; empty where all is."""
    (folder / "rules.json").write_text(json.dumps({"groups": groups(policy)}))
    inputs: list[Json] = [{"series": name, "values": values} for name, values in given or series()]
    test: Json = {"interval": "15s", "input_series": inputs, "promql_expr_test": asked}
    whole = {"rule_files": ["rules.json"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "test.json").write_text(json.dumps(whole))
    promtool = programs.require(["promtool"])["promtool"]
    answer = subprocess.run(
        [promtool, "test", "rules", "test.json"], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    return "" if answer.returncode == 0 else answer.stdout + answer.stderr


def pods() -> Iterator[tuple[str, str]]:
    """(Deployment, pod)."""
    for deployment in DEPLOYMENTS:
        for number in range(PODS):
            yield deployment, f"{deployment}-5d9c7-{number}"


def series() -> Iterator[tuple[str, str]]:
    """The platform under load, in the middle of a rollout that is being undone."""
    for exporter in EXPORTERS:
        yield from ((f'{name},instance="{exporter}",job="states"}}', values) for name, values in _states())
    yield from _apps()
    yield from _guard()
    yield f'up{{{NAMED},job="apps",instance="a"}}', f"1+0{STEADY}"


def _states() -> Iterator[tuple[str, str]]:
    """Each without its closing brace."""
    for deployment in DEPLOYMENTS:
        own = f'{NAMED},deployment="{deployment}"'
        for name in ("spec_replicas", "status_replicas", "status_replicas_updated", "status_replicas_available"):
            yield f"kube_deployment_{name}{{{own}", f"{PODS}+0{STEADY}"
        yield f"kube_deployment_status_replicas_unavailable{{{own}", f"0+0{STEADY}"
        replica_set = f'{NAMED},replicaset="{deployment}-5d9c7"'
        owner = f'{replica_set},owner_kind="Deployment",owner_name="{deployment}"'
        yield f"kube_replicaset_owner{{{owner}", f"1+0{STEADY}"
        yield f"kube_replicaset_status_replicas{{{replica_set}", f"{PODS}+0{STEADY}"
    for deployment, name in pods():
        pod = f'{NAMED},pod="{name}"'
        yield f'kube_pod_owner{{{pod},owner_kind="ReplicaSet",owner_name="{deployment}-5d9c7"', f"1+0{STEADY}"
        for condition in ("true", "false", "unknown"):
            yield f'kube_pod_status_ready{{{pod},condition="{condition}"', f"{int(condition == 'true')}+0{STEADY}"
        for phase in ("Pending", "Running", "Unknown", "Failed"):
            yield f'kube_pod_status_phase{{{pod},phase="{phase}"', f"{int(phase == 'Running')}+0{STEADY}"
        yield f'kube_pod_container_status_restarts_total{{{pod},container="app"', f"0+1{STEADY}"
    scaler = f'{NAMED},horizontalpodautoscaler="backend-green"'
    yield f"kube_horizontalpodautoscaler_status_current_replicas{{{scaler}", f"3+0{STEADY}"
    yield f"kube_horizontalpodautoscaler_spec_max_replicas{{{scaler}", f"10+0{STEADY}"
    yield f'kube_job_complete{{{NAMED},job_name="prisma-migrate-1",condition="true"', f"1+0{STEADY}"


def _apps() -> Iterator[tuple[str, str]]:
    """What the pods themselves and their nodes say: none of it names the Deployment."""
    for _, name in pods():
        pod = f'{NAMED},pod="{name}"'
        yield f'http_requests_total{{{pod},status="200"}}', f"0+9{STEADY}"
        yield f'http_requests_total{{{pod},status="500"}}', f"0+1{STEADY}"
        for edge in ("0.5", "1", "+Inf"):
            yield f'http_request_duration_seconds_bucket{{{pod},le="{edge}"}}', f"0+10{STEADY}"
        yield f"jobs_failed_total{{{pod}}}", f"0+0{STEADY}"
        yield f"job_duration_seconds_count{{{pod}}}", f"0+5{STEADY}"
        yield f"database_connection_errors_total{{{pod}}}", f"0+1{STEADY}"
        container = f'{pod},container="app"'
        yield f"container_memory_usage_bytes{{{container}}}", f"500+0{STEADY}"
        yield f"container_spec_memory_limit_bytes{{{container}}}", f"1000+0{STEADY}"
        yield f"container_cpu_usage_seconds_total{{{container}}}", f"0+3.75{STEADY}"
        yield f"container_spec_cpu_quota{{{container}}}", f"100000+0{STEADY}"
        yield f"container_spec_cpu_period{{{container}}}", f"100000+0{STEADY}"
    database = f'{NAMED},pod="postgres-0"'
    for name, connections in (("dubbing_prod", 25), ("postgres", 5)):
        yield f'pg_stat_database_numbackends{{{database},datname="{name}"}}', f"{connections}+0{STEADY}"
    yield f"pg_settings_max_connections{{{database}}}", f"100+0{STEADY}"
    yield f'queue_depth{{{NAMED},queue="dubbing"}}', f"8+0{STEADY}"
    yield f'queue_oldest_job_seconds{{{NAMED},queue="dubbing"}}', f"30+0{STEADY}"


def clusters() -> Iterator[tuple[str, str]]:
    """Two clusters and two replicas of the store in one; what is not of cluster `eu` and replica `a` is all errors."""
    for cluster, replica in (("eu", "a"), ("eu", "b"), ("us", "a")):
        wanted = (cluster, replica) == ("eu", "a")
        own = f'cluster="{cluster}",prometheus_replica="{replica}",kubernetes_namespace="production"'
        yield f'kube_deployment_spec_replicas{{{own},deployment="web"}}', f"{PODS}+0{STEADY}"
        yield (
            f'kube_replicaset_owner{{{own},replicaset="web-1",owner_kind="Deployment",owner_name="web"}}',
            f"1+0{STEADY}",
        )
        for number in range(PODS if wanted else 5):
            pod = f'{own},kubernetes_pod="web-1-{number}"'
            yield f'kube_pod_owner{{{pod},owner_kind="ReplicaSet",owner_name="web-1"}}', f"1+0{STEADY}"
            yield f'kube_pod_status_ready{{{pod},condition="true"}}', f"1+0{STEADY}"
            yield f'http_requests_total{{{pod},status="200"}}', f"0+{9 if wanted else 0}{STEADY}"
            yield f'http_requests_total{{{pod},status="500"}}', f"0+1{STEADY}"
            grown = "{{schema:0 sum:1 count:10 buckets:[4 3 3]}}"
            yield f"http_request_duration_seconds{{{pod}}}", f"{grown}+{grown}{STEADY}"


def _guard() -> Iterator[tuple[str, str]]:
    """The leader and its standby, of which the second says nothing of rollouts."""
    for instance, leads in (("guard-0", 1), ("guard-1", 0)):
        own = f'instance="{instance}"'
        yield f"rollguard_leading{{{own}}}", f"{leads}+0{STEADY}"
        for name in ("policy_valid", "open_rollouts", "outbox_pending", "last_tick_seconds"):
            yield f"rollguard_{name}{{{own}}}", f"1+0{STEADY}"
        for name in ("ticks", "late_ticks", "errors"):
            yield f"rollguard_{name}_total{{{own}}}", f"0+{leads}{STEADY}"
        yield f'rollguard_watch_errors_total{{{own},collection="pods"}}', f"0+0{STEADY}"
    for deployment, brought in (("", "dubbing"), ("backend-green", "dubbing"), ("lip-sync", "")):
        unit = f'{NAMED},instance="guard-0",deployment="{deployment}",set="{brought}"'
        yield f"rollguard_rollout_active{{{unit}}}", f"0+0{STEADY}"
        yield f'rollguard_rollout_phase{{{unit},phase="validation"}}', f"1+0{STEADY}"
        yield f'rollguard_rollout_verdict{{{unit},verdict="bad"}}', f"1+0{STEADY}"
        yield f'rollguard_rollout_state{{{unit},state="acting"}}', f"1+0{STEADY}"
        if not (deployment and brought):
            yield f"rollguard_hold_unanswered{{{unit}}}", f"{int(not deployment)}+0{STEADY}"
            for name in ("blind", "unit_error", "rollback_stalled", "incident_open"):
                yield f"rollguard_{name}{{{unit}}}", f"0+0{STEADY}"
    live = f'{NAMED},instance="guard-0",set="dubbing",member="backend"'
    yield f'rollguard_live_colour{{{live},colour="green"}}', f"1+0{STEADY}"
