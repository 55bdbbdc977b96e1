"""What the lab exposes is what Prometheus reads."""

import math

from prometheus_client.parser import text_string_to_metric_families

from lab.exporter import pods, workloads
from lab.exporter.database import Databases
from lab.exposition import Family, render

POD = {
    "metadata": {
        "name": "backend-1",
        "namespace": "shop",
        "uid": "u1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "ownerReferences": [{"kind": "ReplicaSet", "name": "backend-abc", "uid": "r1", "controller": True}],
    },
    "spec": {
        "nodeName": "node-a",
        "containers": [{"name": "app", "resources": {"limits": {"cpu": "250m", "memory": "256Mi"}}}],
    },
    "status": {
        "phase": "Running",
        "podIP": "10.244.0.1",
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [
            {
                "name": "app",
                "ready": False,
                "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            }
        ],
    },
}
DEPLOYMENT = {
    "metadata": {"name": "backend", "namespace": "shop", "generation": 4, "creationTimestamp": "2026-01-01T00:00:00Z"},
    "spec": {"replicas": 3, "paused": True},
    "status": {
        "observedGeneration": 3,
        "replicas": 4,
        "updatedReplicas": 1,
        "availableReplicas": 3,
        "unavailableReplicas": 1,
        "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}],
    },
}


def read(body: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by name and labels, through Prometheus' own parser."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def value(body: bytes, name: str, **labels: str) -> float:
    """The only sample of this name whose labels contain these."""
    found = [v for (n, own), v in read(body).items() if n == name and labels.items() <= dict(own).items()]
    assert len(found) == 1, (name, labels, found)
    return found[0]


def test_labels_are_escaped() -> None:
    family = Family("x", "gauge", "a\nb")
    family.add(1, path='C:\\a "b"\nc')
    assert read(render([family])) == {("x", (("path", 'C:\\a "b"\nc'),)): 1.0}


def test_infinities_and_nan_are_written_as_prometheus_reads_them() -> None:
    family = Family("x", "gauge", "x")
    for name, number in (("a", math.inf), ("b", -math.inf), ("c", math.nan), ("d", 0.25), ("e", 1e300)):
        family.add(number, at=name)
    values = {dict(labels)["at"]: number for (_, labels), number in read(render([family])).items()}
    assert values["a"] == math.inf
    assert values["b"] == -math.inf
    assert math.isnan(values["c"])
    assert (values["d"], values["e"]) == (0.25, 1e300)


def test_a_family_without_samples_is_left_out() -> None:
    assert render([Family("x", "gauge", "x")]) == b""


def test_pods_have_the_series_of_kube_state_metrics() -> None:
    body = render(pods.families([POD]))
    assert value(body, "kube_pod_container_status_restarts_total", pod="backend-1", container="app") == 3
    assert value(body, "kube_pod_container_status_waiting_reason", reason="CrashLoopBackOff") == 1
    assert value(body, "kube_pod_container_status_last_terminated_reason", reason="OOMKilled") == 1
    assert value(body, "kube_pod_status_ready", condition="false") == 1
    assert value(body, "kube_pod_status_ready", condition="true") == 0
    assert value(body, "kube_pod_status_phase", phase="Running") == 1
    assert value(body, "kube_pod_status_phase", phase="Failed") == 0
    assert value(body, "kube_pod_status_reason", reason="Evicted") == 0
    assert value(body, "kube_pod_owner", owner_kind="ReplicaSet", owner_name="backend-abc") == 1
    assert value(body, "kube_pod_container_resource_limits", resource="memory", unit="byte") == 256 * 2**20


def test_an_evicted_pod_says_so() -> None:
    body = render(pods.families([{**POD, "status": {"phase": "Failed", "reason": "Evicted"}}]))
    assert value(body, "kube_pod_status_reason", reason="Evicted") == 1
    assert value(body, "kube_pod_status_reason", reason="NodeLost") == 0


def test_deployments_show_spec_status_and_conditions() -> None:
    body = render(workloads.deployments([DEPLOYMENT]))
    assert value(body, "kube_deployment_spec_replicas", deployment="backend", namespace="shop") == 3
    assert value(body, "kube_deployment_spec_paused") == 1
    assert value(body, "kube_deployment_metadata_generation") == 4
    assert value(body, "kube_deployment_status_observed_generation") == 3
    assert value(body, "kube_deployment_status_replicas_updated") == 1
    assert value(body, "kube_deployment_status_condition", condition="Progressing", status="false") == 1
    assert value(body, "kube_deployment_status_condition", condition="Progressing", status="true") == 0


def test_a_job_shows_its_failure() -> None:
    job = {
        "metadata": {"name": "migrate", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "status": {"failed": 1, "conditions": [{"type": "Failed", "status": "True"}]},
    }
    body = render(workloads.jobs([job]))
    assert value(body, "kube_job_failed", job_name="migrate", condition="true") == 1
    assert value(body, "kube_job_failed", job_name="migrate", condition="false") == 0


def test_an_autoscaler_shows_bounds_and_conditions() -> None:
    autoscaler = {
        "metadata": {"name": "backend", "namespace": "shop"},
        "spec": {"minReplicas": 3, "maxReplicas": 10, "scaleTargetRef": {"kind": "Deployment", "name": "backend"}},
        "status": {
            "currentReplicas": 10,
            "desiredReplicas": 10,
            "conditions": [{"type": "ScalingLimited", "status": "True"}],
        },
    }
    body = render(workloads.autoscalers([autoscaler]))
    prefix = "kube_horizontalpodautoscaler_"
    assert value(body, f"{prefix}spec_max_replicas", horizontalpodautoscaler="backend") == 10
    assert value(body, f"{prefix}status_condition", condition="ScalingLimited", status="true") == 1
    assert value(body, f"{prefix}info", scaletargetref_kind="Deployment") == 1


def test_each_database_shows_what_it_was_told() -> None:
    databases = Databases()
    databases.set({"backends": 97, "max_connections": 100})
    databases.set({"namespace": "shop", "backends": 3})
    body = render(databases.families())
    assert value(body, "pg_stat_database_numbackends", datname="dubbing_prod", namespace="production") == 97
    assert value(body, "pg_settings_max_connections", namespace="production") == 100
    assert value(body, "pg_stat_database_numbackends", datname="dubbing_prod", namespace="shop") == 3


def test_a_failed_job_names_a_known_reason_and_counts_under_an_unknown_one() -> None:
    def failed(reason: str) -> dict[str, float]:
        job = {
            "metadata": {"name": "migrate", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "status": {"failed": 2, "conditions": [{"type": "Failed", "status": "True", "reason": reason}]},
        }
        samples = read(render(workloads.jobs([job]))).items()
        return {dict(labels).get("reason", "-"): v for (n, labels), v in samples if n == "kube_job_status_failed"}

    assert failed("BackoffLimitExceeded") == {"BackoffLimitExceeded": 1, "DeadlineExceeded": 0, "Evicted": 0}
    assert failed("PodFailurePolicy") == {"BackoffLimitExceeded": 0, "DeadlineExceeded": 0, "Evicted": 0, "": 2}


def test_a_reason_that_kube_state_metrics_does_not_name_is_unknown() -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    body = render(workloads.deployments([{**DEPLOYMENT, "status": {"conditions": [refused]}}]))
    condition = {"condition": "ReplicaFailure", "status": "true"}
    assert value(body, "kube_deployment_status_condition", **condition, reason="unknown") == 1
