"""Manifests of the platform's services as the lab runs them: an image's tag names how its app behaves."""

from collections.abc import Mapping
from typing import Any

REGISTRY = "registry.example.com/dubbing"
MODEL_SERVICES = ("speech-to-text", "translation", "text-to-speech", "lip-sync")
PORT = 8080
Manifest = dict[str, Any]


def image(service: str, tag: str) -> str:
    """The image reference of a service; the tag `v2-errors-15pct` behaves as it says."""
    return f"{REGISTRY}/{service}:{tag}"


def namespace(name: str) -> Manifest:
    """A namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def deployment(
    name: str,
    *,
    tag: str,
    replicas: int = 2,
    progress_deadline_s: int = 60,
    grace_s: int = 2,
    annotations: Mapping[str, str] | None = None,
    pod_annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """A Deployment of one container with a readiness probe, rolling out by the API's default strategy."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels, "annotations": dict(annotations or {})},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": progress_deadline_s,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": dict(pod_annotations or {})},
                "spec": {
                    "terminationGracePeriodSeconds": grace_s,
                    "containers": [_container(name, tag)],
                },
            },
        },
    }


def _container(name: str, tag: str) -> Manifest:
    return {
        "name": name,
        "image": image(name, tag),
        "ports": [{"name": "http", "containerPort": PORT}],
        "env": [{"name": "PORT", "value": str(PORT)}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 1},
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"cpu": "500m", "memory": "256Mi"},
        },
    }


def job(name: str, *, tag: str, annotations: Mapping[str, str] | None = None) -> Manifest:
    """A Job of one pod that is tried once: it ends after a second, or as its image's tag says."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "annotations": dict(annotations or {})},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": 0,
                    "containers": [{"name": "migrate", "image": image("migrate", tag)}],
                }
            },
        },
    }


def service(name: str) -> Manifest:
    """A Service in front of the pods that carry `app: <name>`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    }
