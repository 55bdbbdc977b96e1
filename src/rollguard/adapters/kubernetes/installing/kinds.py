"""The kinds of object that are installed and removed, and how each is reached."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.adapters.kubernetes.connection.rights import Right
from rollguard.model.permissions import Scope

_RBAC = ("rbac.authorization.k8s.io", "v1")
_ADMISSION = ("admissionregistration.k8s.io", "v1")
_OWN = ("rollguard.dev", "v1alpha1")
CLUSTER_KINDS = frozenset(
    {
        "Namespace",
        "CustomResourceDefinition",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ClusterRole",
        "ClusterRoleBinding",
    }
)
FOREIGN_KINDS = frozenset({"PrometheusRule", "ServiceMonitor"})
"""Of the Prometheus operator: rendered, where it is not known whether the cluster has it."""
_MONITORING = ("monitoring.coreos.com", "v1")
_KINDS = {
    "Namespace": ("", "v1", "namespaces"),
    "ServiceAccount": ("", "v1", "serviceaccounts"),
    "ConfigMap": ("", "v1", "configmaps"),
    "Secret": ("", "v1", "secrets"),
    "Service": ("", "v1", "services"),
    "Pod": ("", "v1", "pods"),
    "PersistentVolumeClaim": ("", "v1", "persistentvolumeclaims"),
    "Deployment": ("apps", "v1", "deployments"),
    "StatefulSet": ("apps", "v1", "statefulsets"),
    "DaemonSet": ("apps", "v1", "daemonsets"),
    "ControllerRevision": ("apps", "v1", "controllerrevisions"),
    "Job": ("batch", "v1", "jobs"),
    "CronJob": ("batch", "v1", "cronjobs"),
    "PodDisruptionBudget": ("policy", "v1", "poddisruptionbudgets"),
    "NetworkPolicy": ("networking.k8s.io", "v1", "networkpolicies"),
    "HorizontalPodAutoscaler": ("autoscaling", "v2", "horizontalpodautoscalers"),
    "Lease": ("coordination.k8s.io", "v1", "leases"),
    "Role": (*_RBAC, "roles"),
    "RoleBinding": (*_RBAC, "rolebindings"),
    "ClusterRole": (*_RBAC, "clusterroles"),
    "ClusterRoleBinding": (*_RBAC, "clusterrolebindings"),
    "CustomResourceDefinition": ("apiextensions.k8s.io", "v1", "customresourcedefinitions"),
    "ValidatingAdmissionPolicy": (*_ADMISSION, "validatingadmissionpolicies"),
    "ValidatingAdmissionPolicyBinding": (*_ADMISSION, "validatingadmissionpolicybindings"),
    "PrometheusRule": (*_MONITORING, "prometheusrules"),
    "ServiceMonitor": (*_MONITORING, "servicemonitors"),
    "GuardedUnit": (*_OWN, "guardedunits"),
    "GuardedRollout": (*_OWN, "guardedrollouts"),
}


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """An object by kind, namespace (empty for the cluster's) and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        place = f" in {self.namespace}" if self.namespace else ""
        return f"{self.kind} {self.name}{place}"


def right(kind: str, verb: str, why: str = "installing") -> Right:
    """The right for a verb on a kind; the scope says only whether the kind lives in namespaces."""
    group, version, resource = _KINDS[kind]
    scope = Scope.CLUSTER if kind in CLUSTER_KINDS else Scope.WATCHED
    return Right(group=group, version=version, resource=resource, verb=verb, why=why, scope=scope)


def needed(asked: Right, namespace: str) -> str:
    """The right in words, for whoever has to give it."""
    group = f".{asked.group}" if asked.group else ""
    where = f"in namespace {namespace}" if namespace else "for the cluster"
    return f"the right to {asked.verb} {asked.resource}{group} {where}"
