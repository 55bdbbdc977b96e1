"""Which tools a workload belongs to: by their marks in its metadata alone."""

from __future__ import annotations

from collections.abc import Mapping

from rollguard.model.facts import Owner, Tool
from rollguard.model.names import WorkloadName

TRACKING = "argocd.argoproj.io/tracking-id"
INSTANCE = "argocd.argoproj.io/instance"
COMMON_INSTANCE = "app.kubernetes.io/instance"
KUSTOMIZE, HELM_TOOLKIT = "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"
MANAGED_BY = "app.kubernetes.io/managed-by"
RELEASE, RELEASE_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
ARGO_MANAGERS = frozenset({"argocd-controller", "argocd-application-controller"})


def owners(
    workload: WorkloadName, labels: Mapping[str, str], annotations: Mapping[str, str], managers: frozenset[str]
) -> tuple[Owner, ...]:
    """The tools' objects that the workload comes from, at most one of each tool.

    `managers` are the names in its managedFields: they show a tool, but not its object.
    """
    found = (
        _argo_cd(workload, labels, annotations, managers),
        _flux(Tool.FLUX_KUSTOMIZATION, KUSTOMIZE, "kustomize-controller", labels, managers),
        _flux(Tool.FLUX_HELM, HELM_TOOLKIT, "helm-controller", labels, managers),
        _helm(workload, labels, annotations),
    )
    return tuple(owner for owner in found if owner is not None)


def _argo_cd(
    workload: WorkloadName, labels: Mapping[str, str], annotations: Mapping[str, str], managers: frozenset[str]
) -> Owner | None:
    application, _, tracked = annotations.get(TRACKING, "").partition(":")
    # An annotation that was copied from another object names that one: Argo CD itself passes it over.
    if application and tracked == f"apps/{workload.kind.value}:{workload.namespace}/{workload.name}":
        namespace, _, name = application.rpartition("_")
        return Owner(tool=Tool.ARGO_CD, name=name, namespace=namespace)
    if labels.get(INSTANCE):
        return Owner(tool=Tool.ARGO_CD, name=labels[INSTANCE], namespace="")
    if managers & ARGO_MANAGERS:
        return Owner(tool=Tool.ARGO_CD, name=labels.get(COMMON_INSTANCE, ""), namespace="")
    return None


def _flux(tool: Tool, prefix: str, manager: str, labels: Mapping[str, str], managers: frozenset[str]) -> Owner | None:
    name = labels.get(f"{prefix}/name", "")
    if not name and manager not in managers:
        return None
    return Owner(tool=tool, name=name, namespace=labels.get(f"{prefix}/namespace", ""))


def _helm(workload: WorkloadName, labels: Mapping[str, str], annotations: Mapping[str, str]) -> Owner | None:
    name = annotations.get(RELEASE, "")
    if labels.get(MANAGED_BY) != "Helm" or not name:
        return None
    return Owner(tool=Tool.HELM, name=name, namespace=annotations.get(RELEASE_NAMESPACE) or workload.namespace)
