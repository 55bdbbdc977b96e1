"""What stands around the guard's pods: how many may be taken away at once, who may connect, by which name."""

from __future__ import annotations

from rollguard.render.deployment import MATCH, PROBES_PORT
from rollguard.render.labels import DEPLOYMENT, Object, labels


def around(namespace: str) -> tuple[Object, ...]:
    """The disruption budget and the network policy."""
    metadata: Object = {"name": DEPLOYMENT, "namespace": namespace, "labels": {**labels(namespace), **MATCH}}
    budget: Object = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": MATCH},
            # A pod that is not ready guards nothing: a node with one can be drained.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
    ingress: Object = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {
            "podSelector": {"matchLabels": MATCH},
            # Where the guard itself connects to (API server, metrics store, channels) only the policy's author knows.
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": PROBES_PORT}]}],
        },
    }
    return budget, ingress
