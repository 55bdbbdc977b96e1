"""What panels ask, with Grafana's variables in the places of the namespace and the workloads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rollguard.model.policy import Policy
from rollguard.policy.promql import Matcher, narrowed
from rollguard.render.dashboards.panel import Variable
from rollguard.signals.scope import DEPLOYMENT, NAMESPACE, POD, Scope, scope

REPLICAS = "kube_deployment_spec_replicas"
"""Every Deployment has this series: the variables list its labels."""
WORKLOADS = Matcher(DEPLOYMENT, "=~", "$workload")
_HERE = Matcher(NAMESPACE, "=", "$namespace")
RATE_INTERVAL = "$__rate_interval"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The series that a dashboard of a policy looks at."""

    policy: Policy
    scope: Scope

    def deployments(self, selector: str, *labels: str) -> str:
        """Of the chosen Deployments, by Deployment and these labels; the series carry the Deployment's name."""
        return self.scope.by("max", self.scope.select(selector, WORKLOADS), DEPLOYMENT, *labels)

    def pods(self, selector: str, *labels: str) -> str:
        """Of the chosen Deployments' pods, summed by Deployment and these labels; the series carry the pod's name.
        Whatever the number of exporters, a pod counts once."""
        label = self.policy.metrics.pod_label or POD
        each = self.scope.by("max", self.scope.select(selector, Matcher(label, "=~", "($workload)-.*")), POD, *labels)
        keys = ", ".join(self.scope.keys(DEPLOYMENT, *labels))
        return self.chosen(f"sum by ({keys}) ({self.scope.owned(each)})")

    def chosen(self, promql: str) -> str:
        """Of what is by Deployment, the chosen ones."""
        ours = self.scope.by("max", self.scope.select(REPLICAS, WORKLOADS), DEPLOYMENT)
        return f"{promql} and {self.scope.on(DEPLOYMENT)} {ours}"

    def namespaced(self, selector: str, *labels: str) -> str:
        """Of the chosen namespace, by these labels."""
        return self.scope.by("max", self.scope.select(selector), *labels)

    def guard(self, selector: str, *labels: str) -> str:
        """The controller's own series of the chosen Deployments; they carry our names of the labels."""
        return self.own(selector, DEPLOYMENT, *labels, matchers=(_HERE, WORKLOADS))

    def in_namespace(self, selector: str, *labels: str) -> str:
        """The controller's own series of the chosen namespace that belong to no Deployment."""
        return self.own(selector, *labels, matchers=(_HERE,))

    def own(self, selector: str, *labels: str, matchers: tuple[Matcher, ...] = ()) -> str:
        """The controller's own series, by namespace and these labels."""
        keys = ", ".join(self.scope.keys(*labels))
        return f"max by ({keys}) ({narrowed(selector, matchers, self.scope.store.match)})"

    def everywhere(self, operator: str, promql: str, *labels: str) -> str:
        """The controllers' own series, whatever namespace they are about, by these labels."""
        by = f" by ({', '.join(labels)})" if labels else ""
        return f"{operator}{by} ({narrowed(promql, (), self.scope.store.match)})"

    def coded(self, series: str, label: str, values: tuple[str, ...]) -> str:
        """The controller's series of 1 for one of a label's values, as the number of that value, from 1 on."""
        return " or ".join(
            f"{self.guard(only(series, label, value))} * {number}" for number, value in enumerate(values, start=1)
        )

    def variables(self, *, workloads: bool = True) -> tuple[Variable, ...]:
        """Those beside the data source: cluster where the policy names its label, namespace, and the workloads."""
        store = self.policy.metrics
        cluster, watched = store.cluster_label, scope(self.policy).matchers
        namespaces = _values(narrowed(REPLICAS, watched, self.scope.store.match), store.namespace_label)
        names = _values(self.scope.select(REPLICAS), DEPLOYMENT)
        return (
            *([Variable(name="cluster", title="Cluster", promql=_values(REPLICAS, cluster))] if cluster else []),
            Variable(name="namespace", title="Namespace", promql=namespaces, first=self.policy.namespaces()[0]),
            *([Variable(name="workload", title="Workload", promql=names, several=True)] if workloads else []),
        )


def view(policy: Policy) -> View:
    """The view of a policy's dashboards."""
    store = policy.metrics
    cluster = [str(Matcher(store.cluster_label, "=", "$cluster"))] if store.cluster_label else []
    match = ",".join([*([store.match] if store.match else []), *cluster])
    return View(
        policy=policy,
        scope=Scope(
            store=replace(store, match=match),
            matchers=(Matcher(store.namespace_label, "=", "$namespace"),),
            home="$namespace",
        ),
    )


def only(series: str, label: str, value: str) -> str:
    """The series whose label is the value."""
    return narrowed(series, (Matcher(label, "=", value),))


def of_units(series: str) -> str:
    """The controller's series of what it guards, each once: of what a set brought to its Deployments it tells again."""
    return f"{only(series, 'set', '')} or {only(series, 'deployment', '')}"


def among(series: str, label: str, values: Iterable[str]) -> str:
    """The series whose label is one of the values, which are plain words."""
    return narrowed(series, (Matcher(label, "=~", "|".join(values)),))


def at_least(promql: str, label: str) -> str:
    """The same, and a 0 called `none` where it has no series: nothing reads as none, not as no data."""
    return f'{promql} or on () label_replace(vector(0), "{label}", "none", "", "")'


def _values(selector: str, label: str) -> str:
    return f"label_values({selector}, {label})"
