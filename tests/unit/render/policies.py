"""Policies other than the platform's, for what is rendered of them."""

from __future__ import annotations

from tests.unit.policy.texts import GOOD, WITH_SET, changed

ROLLING = """\
apiVersion: rollguard.dev/v1alpha1
kind: GuardPolicy
metadata:
  name: rolling
spec:
  preset: generic
  mode: approve
  metrics:
    address: http://prometheus:9090
  watch:
    - {name: web, namespace: production, workloads: [web, api]}
    - {name: staging, namespace: staging, selector: {matchLabels: {team: web}}}
  migration: {pattern: migrate-*}
  links: {dashboard: https://grafana.example.com/d/deployment-monitoring, runbook: https://example.com/runbooks}
"""

CLUSTERS = """\
apiVersion: rollguard.dev/v1alpha1
kind: GuardPolicy
metadata:
  name: clusters
spec:
  preset: generic
  metrics:
    address: http://prometheus:9090
    match: prometheus_replica="a"
    labels: {namespace: kubernetes_namespace, pod: kubernetes_pod, cluster: cluster}
  watch:
    - {name: web, namespace: production, workloads: [web]}
    - {name: jobs, namespace: batch, selector: {matchLabels: {team: jobs}}}
  journal: {postgres: {}}
"""
"""Several clusters in one store, which calls the labels otherwise, and one journal."""

WITHOUT_PODS = changed(
    "    address: http://prometheus:9090\n",
    "    address: http://prometheus:9090\n    labels: {pod: '', workload: app}\n",
)
"""Series that carry the workload alone."""

POLICIES = {
    "smallest": GOOD,
    "rolling": ROLLING,
    "clusters": CLUSTERS,
    "a set": WITH_SET,
    "without pods": WITHOUT_PODS,
}
