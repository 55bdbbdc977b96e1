"""What the objects, their group and our annotations are called in the cluster."""

from __future__ import annotations

GROUP = "rollguard.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
UNIT_KIND = "GuardedUnit"
ROLLOUT_KIND = "GuardedRollout"
UNITS = "guardedunits"
ROLLOUTS = "guardedrollouts"
GUARD_POLICY_KIND = "GuardPolicy"
GUARD_POLICIES = "guardpolicies"
POLICY_NAME = "rollguard-actor"

LABEL_UNIT = f"{GROUP}/unit"
LABEL_ROLLOUT = f"{GROUP}/rollout"
LABEL_SAVED = f"{GROUP}/saved"
LABEL_POLICY = f"{GROUP}/policy"
ANNOTATION_IN_FORCE = f"{GROUP}/in-force"
"""On a kept policy: when it came into force last."""
ANNOTATION_EPOCH = f"{GROUP}/epoch"
ANNOTATION_COMPATIBLE = f"{GROUP}/backward-compatible"
"""On a migration Job or pod, with the value true: old code works on what it leaves."""
ANNOTATION_STEP = f"{GROUP}/step"
ANNOTATION_WORKLOAD = f"{GROUP}/workload"
ANNOTATION_PAUSED = f"{GROUP}/paused"
"""On a Deployment that the guard itself has paused."""
ANNOTATION_MIN_REPLICAS = f"{GROUP}/min-replicas"
"""On an autoscaler whose minimum the guard has raised: what it was before."""


def label_value(text: str) -> str:
    """The text as the value of a label: at most 63 characters that begin and end with a letter or digit."""
    return text[:63].strip("-_.")
