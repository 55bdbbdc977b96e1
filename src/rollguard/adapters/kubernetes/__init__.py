"""The cluster, the records and the leadership on a real Kubernetes API server."""

from __future__ import annotations

from rollguard.adapters.kubernetes.cluster import KubernetesCluster
from rollguard.adapters.kubernetes.connection.api import Api, NoAnswer
from rollguard.adapters.kubernetes.connection.kubeconfig import ConfigError, Connection, load
from rollguard.adapters.kubernetes.installing.install import InstallError, install_manifests
from rollguard.adapters.kubernetes.store.kept import KubernetesKeptPolicies
from rollguard.adapters.kubernetes.store.leadership import KubernetesLeadership, read_holder
from rollguard.adapters.kubernetes.store.policy_object import KubernetesPolicy
from rollguard.adapters.kubernetes.store.records import KubernetesRecords
from rollguard.adapters.kubernetes.watching.cache import Look

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
