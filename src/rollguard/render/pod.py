"""What the guard's pods have in common: no privileges, a read-only root, the guard's account."""

from __future__ import annotations

from rollguard.model.documents import Json
from rollguard.render.labels import ACCOUNT, Object

USER = 65532


def pod(container: Object, *, volumes: tuple[Json, ...] = ()) -> Object:
    """The spec of a pod that passes the restricted Pod Security Standard."""
    temporary: Json = {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}}
    mounted = container.get("volumeMounts")
    mounts: list[Json] = [*(mounted if isinstance(mounted, list) else []), {"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108
    whole: Object = {**container, "securityContext": _restricted(), "volumeMounts": mounts}
    return {
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": True,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [whole],
        "volumes": [*volumes, temporary],
    }


def _restricted() -> Json:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def from_field(name: str, path: str) -> Json:
    """An environment variable with a field of the pod."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
