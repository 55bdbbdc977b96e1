"""The objects that keep metrics: a pod without privileges behind a Service that only its own namespace reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rollguard.model.documents import Json
from rollguard.model.policy import Policy
from rollguard.render.file import HEADER, File
from rollguard.render.labels import Object
from rollguard.render.pages.describing import days
from rollguard.render.pages.text import filled, packaged
from rollguard.render.yaml_text import to_yaml

PART_OF = "rollguard-metrics"
"""Not one of the guard's own labels: uninstalling the guard takes no metrics along."""
NOBODY = 65534
TMP: Object = {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """A program that keeps, or reads, metrics."""

    name: str
    namespace: str
    image: str
    args: tuple[str, ...]
    ports: tuple[tuple[str, int], ...]
    ready: str
    """The path of its readiness probe, on its port `http`."""
    data: str = ""
    """Where its volume is mounted; empty where it keeps nothing."""
    size: str = ""
    files: tuple[tuple[str, str, str], ...] = ()
    """(kind of volume, name of the object, path) of what it reads: a `secret` or a `configMap`."""
    memory: str = "1Gi"


def labels(name: str) -> Object:
    """The labels of one keeper's objects."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": PART_OF}


def service(keeper: Keeper) -> Object:
    """Its Service: headless, so that each pod is found by itself."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(keeper),
        "spec": {
            "clusterIP": "None",
            "selector": labels(keeper.name),
            "ports": [{"name": name, "port": port, "targetPort": name} for name, port in keeper.ports],
        },
    }


def workload(keeper: Keeper) -> Object:
    """A StatefulSet of one pod with its volume; a Deployment where it keeps nothing."""
    template: Object = {"metadata": {"labels": labels(keeper.name)}, "spec": _pod(keeper)}
    spec: Object = {"replicas": 1, "selector": {"matchLabels": labels(keeper.name)}, "template": template}
    kind = "Deployment"
    if keeper.data:
        kind = "StatefulSet"
        claim: Object = {
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": keeper.size}}},
        }
        spec = {"serviceName": keeper.name, **spec, "volumeClaimTemplates": [claim]}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": _metadata(keeper), "spec": spec}


def closed(namespace: str) -> Object:
    """Nothing outside the namespace reaches the keepers: none of them asks who is there."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": PART_OF, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": PART_OF}},
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/part-of": PART_OF}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {}}]}],
        },
    }


def kept_for(policy: Policy) -> dict[str, str]:
    """How long metrics are kept, in words."""
    kept = policy.operations.retention
    return {"raw": days(kept.real_time), "five": days(kept.aggregated), "hour": days(kept.long_term)}


def annotated(path: str, words: Mapping[str, str], documents: Iterable[Json]) -> File:
    """A YAML file that begins with what it is, what it keeps, and how it is applied; `words` are for that text."""
    about = filled(packaged("retention", path.replace(".yaml", ".txt")), words)
    comment = "".join(f"# {line}".rstrip() + "\n" for line in about.strip().split("\n"))
    return File(path=path, text=HEADER + comment + to_yaml(documents))


def _metadata(keeper: Keeper) -> Json:
    return {"name": keeper.name, "namespace": keeper.namespace, "labels": labels(keeper.name)}


def _pod(keeper: Keeper) -> Object:
    mounts: list[Json] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 (the container's own, in memory)
    volumes: list[Json] = [TMP]
    if keeper.data:
        mounts.append({"name": "data", "mountPath": keeper.data})
    for kind, name, path in keeper.files:
        mounts.append({"name": "files", "mountPath": path, "readOnly": True})
        key = "secretName" if kind == "secret" else "name"
        volumes.append({"name": "files", kind: {key: name}})
    return {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": NOBODY,
            "runAsGroup": NOBODY,
            "fsGroup": NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": keeper.name,
                "image": keeper.image,
                "args": list(keeper.args),
                "ports": [{"name": name, "containerPort": port} for name, port in keeper.ports],
                "readinessProbe": {"httpGet": {"path": keeper.ready, "port": "http"}, "periodSeconds": 10},
                "resources": {"requests": {"cpu": "100m", "memory": keeper.memory}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }
