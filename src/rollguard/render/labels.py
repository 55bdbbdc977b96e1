"""What the installed objects are called, and the labels by which they are found again."""

from __future__ import annotations

from rollguard.model.documents import Json

Object = dict[str, Json]
"""An object of the cluster."""

DEPLOYMENT = "monitoring"
"""The platform's commands name it: `kubectl exec deployment/monitoring -n monitoring`."""
ACCOUNT = "rollguard"
CONFIG_NAME = "rollguard-policy"
POLICY_KEY = "policy.yaml"
OURS = "app.kubernetes.io/managed-by=rollguard"
"""Selects every object that an installation made."""
INSTANCE = "app.kubernetes.io/instance"
"""Its value is the guard's namespace: there may be a guard for each team."""


def labels(instance: str) -> Object:
    """The labels of every object of the guard in that namespace."""
    return {
        "app.kubernetes.io/name": "rollguard",
        INSTANCE: instance,
        "app.kubernetes.io/part-of": "rollguard",
        "app.kubernetes.io/managed-by": "rollguard",
    }


def shared_labels() -> Object:
    """The labels of what all guards of a cluster share."""
    return {key: value for key, value in labels("").items() if key != INSTANCE}


def labelled(manifest: Object, added: Object) -> Object:
    """The object with more labels."""
    metadata = manifest["metadata"]
    if not isinstance(metadata, dict):
        raise TypeError("an object without metadata")
    own = metadata.get("labels")
    merged: Object = {**(own if isinstance(own, dict) else {}), **added}
    return {**manifest, "metadata": {**metadata, "labels": merged}}
