"""Which tool a workload comes from, by its metadata alone."""

from __future__ import annotations

import pytest

from rollguard.model.facts import Owner, Tool
from rollguard.observe import owners
from tests.unit.observe.building import NAME

TRACKING = "argocd.argoproj.io/tracking-id"
SELF = "apps/Deployment:production/translation"


def owner(tool: Tool, name: str = "", namespace: str = "") -> Owner:
    return Owner(tool=tool, name=name, namespace=namespace)


@pytest.mark.parametrize(
    ("annotations", "labels", "managers", "found"),
    [
        ({TRACKING: f"shop:{SELF}"}, {}, (), owner(Tool.ARGO_CD, "shop")),
        ({TRACKING: f"team_shop:{SELF}"}, {}, (), owner(Tool.ARGO_CD, "shop", "team")),
        (
            {TRACKING: f"shop:{SELF}"},
            {"app.kubernetes.io/instance": "other"},
            (),
            owner(Tool.ARGO_CD, "shop"),
        ),
        ({}, {"argocd.argoproj.io/instance": "shop"}, (), owner(Tool.ARGO_CD, "shop")),
        ({}, {}, ("argocd-controller",), owner(Tool.ARGO_CD)),
        (
            {},
            {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"},
            ("kustomize-controller",),
            owner(Tool.FLUX_KUSTOMIZATION, "apps", "flux-system"),
        ),
        ({}, {}, ("kubectl", "kustomize-controller"), owner(Tool.FLUX_KUSTOMIZATION)),
        (
            {},
            {"helm.toolkit.fluxcd.io/name": "shop", "helm.toolkit.fluxcd.io/namespace": "team"},
            (),
            owner(Tool.FLUX_HELM, "shop", "team"),
        ),
        ({}, {}, ("helm-controller",), owner(Tool.FLUX_HELM)),
        (
            {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "releases"},
            {"app.kubernetes.io/managed-by": "Helm"},
            ("helm",),
            owner(Tool.HELM, "shop", "releases"),
        ),
        (
            {"meta.helm.sh/release-name": "shop"},
            {"app.kubernetes.io/managed-by": "Helm"},
            (),
            owner(Tool.HELM, "shop", "production"),
        ),
    ],
)
def test_each_tool_is_known_by_its_marks(
    annotations: dict[str, str], labels: dict[str, str], managers: tuple[str, ...], found: Owner
) -> None:
    assert owners(NAME, labels, annotations, frozenset(managers)) == (found,)


@pytest.mark.parametrize(
    ("annotations", "labels", "managers"),
    [
        ({}, {}, ()),
        ({}, {"app.kubernetes.io/instance": "shop", "app.kubernetes.io/managed-by": "Helm"}, ("kubectl", "helm")),
        ({TRACKING: "shop:apps/Deployment:production/other"}, {}, ()),
        ({TRACKING: "shop"}, {"app.kubernetes.io/instance": "shop"}, ()),
        ({"meta.helm.sh/release-name": "shop"}, {}, ()),
        ({}, {}, ("rollguard", "kube-controller-manager")),
    ],
)
def test_marks_that_anybody_may_set_or_that_were_copied_from_elsewhere_name_no_owner(
    annotations: dict[str, str], labels: dict[str, str], managers: tuple[str, ...]
) -> None:
    assert owners(NAME, labels, annotations, frozenset(managers)) == ()


def test_a_release_that_flux_installs_has_two_owners() -> None:
    labels = {"helm.toolkit.fluxcd.io/name": "shop", "app.kubernetes.io/managed-by": "Helm"}
    annotations = {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "production"}
    tools = [found.tool for found in owners(NAME, labels, annotations, frozenset({"helm-controller"}))]
    assert tools == [Tool.FLUX_HELM, Tool.HELM]
