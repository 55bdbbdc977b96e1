"""The guard's own Deployment: two replicas of which one acts, without privileges, on a read-only root."""

from __future__ import annotations

from rollguard.model.destinations import JournalKind
from rollguard.model.documents import Json
from rollguard.model.policy import Policy
from rollguard.render.labels import CONFIG_NAME, DEPLOYMENT, POLICY_KEY, Object, labels
from rollguard.render.pod import from_field, pod

PROBES_PORT = 9096
LOOPBACK_PORT = 9095
METRICS_PORT = 9097
"""At the pod's address, for callers whom the API server allows to get /metrics."""
METRICS = "metrics"
"""That port's name, in the pod and in the Service."""
ALERTS_PORT = 9098
"""At the pod's address, for Alertmanager, which shows a token."""
ALERTS = "alerts"
"""That port's name."""
ALERTS_PATH = "/alerts"
CONFIG_PATH = "/etc/rollguard"
SECRETS_PATH = "/var/run/secrets/rollguard"
SECRET_NAME = "notification-secrets"  # noqa: S105 (a name, not a value)
JOURNAL = "rollguard-journal"
"""The claim of the volume that has the journal's file."""
JOURNAL_SIZE = "1Gi"
_ROLLING: Object = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}
ANNOTATION_POLICY = "rollguard.dev/policy-digest"
ANNOTATION_GUARD = "rollguard.dev/guard"
MATCH: Object = {"app.kubernetes.io/name": "rollguard", "app.kubernetes.io/component": "guard"}
SELECTOR = ",".join(f"{key}={value}" for key, value in MATCH.items())
"""Selects the guard's pods."""


def deployment(*, namespace: str, image: str, policy: Policy) -> Object:
    """The Deployment. A changed policy changes an annotation of the template, and so rolls it out.
    Where the Secret holds a token for alerts, it takes those of Alertmanager.

    With a journal in a file there is one replica, for its volume is written by one guard at a time.
    """
    both: Object = {**labels(namespace), **MATCH}
    file = journal_file(policy)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": DEPLOYMENT,
            "namespace": namespace,
            "labels": both,
            "annotations": {ANNOTATION_GUARD: "off"},
        },
        "spec": {
            # The Lease decides which of them acts; the other takes over within 15 s.
            "replicas": 1 if file else 2,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": 120,
            "strategy": {"type": "Recreate"} if file else _ROLLING,
            "selector": {"matchLabels": MATCH},
            "template": {
                "metadata": {"labels": both, "annotations": {ANNOTATION_POLICY: policy.digest}},
                "spec": _pod(image, file, alerts=policy.takes_alerts),
            },
        },
    }


def journal_file(policy: Policy) -> str:
    """The journal's file, empty where the policy asks for none."""
    place = policy.journal
    return place.path if place is not None and place.kind is JournalKind.SQLITE else ""


def journal_claim(namespace: str) -> Object:
    """The volume of the journal's file, of the cluster's usual storage."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": JOURNAL, "namespace": namespace, "labels": labels(namespace)},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": JOURNAL_SIZE}}},
    }


def _pod(image: str, journal: str, *, alerts: bool) -> Object:
    kept: tuple[Json, ...] = ({"name": "journal", "persistentVolumeClaim": {"claimName": JOURNAL}},) if journal else ()
    volumes: tuple[Json, ...] = (
        {"name": "policy", "configMap": {"name": CONFIG_NAME}},
        # The pod starts before the Secret exists, and takes it up when it comes.
        {"name": "secrets", "secret": {"secretName": SECRET_NAME, "optional": True}},
        *kept,
    )
    spread: Json = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": MATCH},
    }
    return {**pod(_container(image, journal, alerts=alerts), volumes=volumes), "topologySpreadConstraints": [spread]}


def _container(image: str, journal: str, *, alerts: bool) -> Object:
    mounts: tuple[Json, ...] = ({"name": "journal", "mountPath": journal.rpartition("/")[0]},) if journal else ()
    takes: list[Json] = ["--alerts", f"$(POD_IP):{ALERTS_PORT}"] if alerts else []
    ports: list[Json] = [{"name": ALERTS, "containerPort": ALERTS_PORT}] if alerts else []
    return {
        "name": "rollguard",
        "image": image,
        "args": [
            "run",
            "--policy",
            f"{CONFIG_PATH}/{POLICY_KEY}",
            "--listen",
            f"127.0.0.1:{LOOPBACK_PORT}",
            "--probes",
            f"$(POD_IP):{PROBES_PORT}",
            "--metrics",
            f"$(POD_IP):{METRICS_PORT}",
            *takes,
        ],
        "env": [
            from_field("POD_NAMESPACE", "metadata.namespace"),
            from_field("POD_IP", "status.podIP"),
        ],
        "ports": [
            {"name": "probes", "containerPort": PROBES_PORT},
            {"name": METRICS, "containerPort": METRICS_PORT},
            *ports,
        ],
        "livenessProbe": _probe("/healthz", failures=3),
        "readinessProbe": _probe("/readyz", failures=2),
        "resources": {
            "requests": {"cpu": "50m", "memory": "128Mi"},
            "limits": {"cpu": "1", "memory": "512Mi"},
        },
        "volumeMounts": [
            {"name": "policy", "mountPath": CONFIG_PATH, "readOnly": True},
            {"name": "secrets", "mountPath": SECRETS_PATH, "readOnly": True},
            *mounts,
        ],
    }


def _probe(path: str, *, failures: int) -> Object:
    get: Json = {"path": path, "port": "probes"}
    return {"httpGet": get, "periodSeconds": 5, "timeoutSeconds": 3, "failureThreshold": failures}
