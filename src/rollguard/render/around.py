"""What stands around the guard's pods: how many may be taken away at once, who may connect, by which name."""

from __future__ import annotations

from rollguard.model.policy import Policy
from rollguard.render.deployment import ALERTS, ALERTS_PORT, MATCH, METRICS, METRICS_PORT, PROBES_PORT
from rollguard.render.labels import DEPLOYMENT, INSTANCE, Object, labels

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 (a place, not a value)
"""Where Prometheus finds the token of its own ServiceAccount."""


def around(namespace: str, *, alerts: bool = False) -> tuple[Object, ...]:
    """The disruption budget, the network policy and the Service, by which Prometheus finds the pods; with `alerts`
    Alertmanager does too."""
    own = {METRICS: METRICS_PORT, **({ALERTS: ALERTS_PORT} if alerts else {})}
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
            "ingress": [{"ports": [{"protocol": "TCP", "port": port} for port in (PROBES_PORT, *own.values())]}],
        },
    }
    service: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            # Each pod by itself is what Prometheus wants; of Alertmanager any of them takes an alert.
            "clusterIP": "None",
            # One that is not ready has something to tell, too.
            "publishNotReadyAddresses": True,
            "selector": MATCH,
            "ports": [{"name": name, "port": port, "targetPort": name} for name, port in own.items()],
        },
    }
    return budget, ingress, service


def service_monitor(policy: Policy, namespace: str) -> Object:
    """How the Prometheus operator's Prometheus scrapes the guard: with its own account's token, as the guard asks. It
    carries the labels by which that operator selects, as the rules do."""
    chosen: Object = {**labels(namespace), **MATCH, **dict(policy.alerting.labels)}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": {"name": DEPLOYMENT, "namespace": namespace, "labels": chosen},
        "spec": {
            "selector": {"matchLabels": {**MATCH, INSTANCE: namespace}},
            "endpoints": [
                {
                    "port": METRICS,
                    "path": "/metrics",
                    "interval": "15s",
                    "bearerTokenFile": TOKEN,
                    # The series' own `namespace` is that of the workload which they tell of.
                    "honorLabels": True,
                }
            ],
        },
    }
