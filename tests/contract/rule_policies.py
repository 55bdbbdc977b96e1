"""Four policies whose rules are tested: the platform's, and three that are as different as policies are."""

from __future__ import annotations

from pathlib import Path

from rollguard.model.policy import Policy
from rollguard.policy import load

PLATFORM = (Path(__file__).parents[2] / "examples/dubbing-platform/policy.yaml").read_text()
HEAD = """\
apiVersion: rollguard.dev/v1alpha1
kind: GuardPolicy
metadata:
  name: rules
spec:
"""
SMALLEST = (
    HEAD
    + """\
  metrics: {address: http://prometheus:9090}
  watch: [{name: web, namespace: shop, workloads: [web]}]
  signals:
    errors:
      kind: ratio
      bad: http_requests_total{code=~"5.."}
      total: http_requests_total
      levels: {rollback: {above: 10%, for: 5m}}
"""
)
ROLLING = (
    HEAD
    + """\
  preset: generic
  metrics: {address: http://prometheus:9090}
  watch:
    - {name: shop, namespace: shop, selector: {matchLabels: {guarded: "true"}}}
    - {name: pay, namespace: pay, workloads: [pay, ledger]}
  signals:
    latency: {levels: {warning: {p90: 250ms, for: 90s}}}
    restarts: {alerts: []}
  migration: {pattern: ["migrate-*", "db?-up"]}
  alerts:
    labels: {release: prometheus}
    for: {RolloutStuck: 15m, GuardHeld: 90s}
  links: {dashboard: https://grafana.example.com/d/deployments, runbook: https://runbooks.example.com/guard}
"""
)
CLUSTERS = (
    HEAD
    + """\
  preset: generic
  cluster: eu
  metrics:
    address: https://mimir.example.com/prometheus
    match: cluster="eu"
    labels: {namespace: k8s_namespace, pod: k8s_pod, workload: app, cluster: cluster}
  watch: [{name: web, namespace: shop, workloads: [web]}]
  signals:
    latency: {buckets: rpc_server_duration_seconds_bucket}
  journal: {postgres: {}}
"""
)
POLICIES = {"platform": PLATFORM, "smallest": SMALLEST, "rolling": ROLLING, "clusters": CLUSTERS}


def policy_of(text: str) -> Policy:
    """The policy of a text without mistakes."""
    policy = load(text, "policy.yaml")
    assert isinstance(policy, Policy), "\n".join(map(str, policy))
    return policy
