"""The cluster, the records and the leadership on a real Kubernetes API server."""

from __future__ import annotations

from rollguard.adapters.kubernetes.api import Api, NoAnswer
from rollguard.adapters.kubernetes.cache import Look
from rollguard.adapters.kubernetes.cluster import KubernetesCluster
from rollguard.adapters.kubernetes.install import InstallError, install_manifests
from rollguard.adapters.kubernetes.kept import KubernetesKeptPolicies
from rollguard.adapters.kubernetes.kubeconfig import ConfigError, Connection, load
from rollguard.adapters.kubernetes.leadership import KubernetesLeadership, read_holder
from rollguard.adapters.kubernetes.policy_object import KubernetesPolicy
from rollguard.adapters.kubernetes.records import KubernetesRecords

__all__ = [
    "Api",
    "ConfigError",
    "Connection",
    "InstallError",
    "KubernetesCluster",
    "KubernetesKeptPolicies",
    "KubernetesLeadership",
    "KubernetesPolicy",
    "KubernetesRecords",
    "Look",
    "NoAnswer",
    "install_manifests",
    "load",
    "read_holder",
]
