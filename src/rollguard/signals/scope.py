"""Which series rules and panels look at, and how each finds its Deployment."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollguard.model.policy import MetricsStore, Policy
from rollguard.policy.promql import Matcher, narrowed

NAMESPACE = "namespace"
POD = "pod"
DEPLOYMENT = "deployment"
OWNER = "namespace_pod:kube_pod_owner:deployment"
"""The recorded series with each pod's Deployment: 1 by namespace, pod and deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The series of some namespaces. What comes out is labelled `namespace` and `deployment`, whatever the store's
    series call them, and carries the cluster where they do."""

    store: MetricsStore
    matchers: tuple[Matcher, ...]
    """Added to every selector: the namespaces."""
    home: str
    """The namespace of what belongs to no workload and whose series name none."""
    shared: bool = False
    """It is of what belongs to no workload: by namespace alone, wherever it is."""

    def together(self) -> Scope:
        """The same series by namespace alone, whatever workload they are of."""
        match = ",".join([*([self.store.match] if self.store.match else []), *map(str, self.matchers)])
        return replace(self, shared=True, store=replace(self.store, match=match))

    def keys(self, *more: str) -> tuple[str, ...]:
        """The labels that a result is grouped by."""
        cluster = (self.store.cluster_label,) if self.store.cluster_label else ()
        return (*cluster, NAMESPACE, *more)

    def own(self, *more: str) -> tuple[str, ...]:
        """The same of a result by workload, or of a shared one."""
        return self.keys(*more) if self.shared else self.keys(DEPLOYMENT, *more)

    def on(self, *more: str) -> str:
        """A matching by the namespace and more labels: `on (namespace, pod)`."""
        return f"on ({', '.join(self.keys(*more))})"

    def alike(self) -> str:
        """A matching of results by workload, or of shared ones."""
        return f"on ({', '.join(self.own())})"

    def select(self, promql: str, *more: Matcher) -> str:
        """The expression over these namespaces' series only."""
        return narrowed(promql, (*more, *self.matchers), self.store.match)

    def by(self, operator: str, promql: str, *labels: str) -> str:
        """Aggregated by namespace and these labels; the expression's labels are the store's."""
        return f"{operator} by ({', '.join(self.keys(*labels))}) ({self._named(promql)})"

    def by_workload(self, operator: str, promql: str, *labels: str) -> str:
        """Aggregated by workload and these labels; a shared one by namespace. `promql` is not narrowed yet.

        Series that carry the workload's label are its; the others are found by their pod's owner.
        """
        if self.shared:
            return self._aggregated(operator, self._at_home(narrowed(promql, (), self.store.match)), labels)
        label = self.store.workload_label
        if not self.store.pod_label:
            return self._aggregated(operator, self._of_workload(self.select(promql)), labels)
        labelled = self._of_workload(self.select(promql, Matcher(label, "!=", "")))
        bare = self._named(self.select(promql, Matcher(label, "=", "")))
        return self._aggregated(operator, f"{labelled} or {self.owned(f'({bare})')}", labels)

    def owned(self, promql: str) -> str:
        """Series by pod with their Deployment's label; those of pods without a Deployment fall away."""
        return f"{promql} * {self.on(POD)} group_left ({DEPLOYMENT}) {OWNER}"

    def _aggregated(self, operator: str, promql: str, labels: tuple[str, ...]) -> str:
        return f"{operator} by ({', '.join(self.own(*labels))}) ({promql})"

    def _named(self, promql: str) -> str:
        """The expression with our names of the labels."""
        return _renamed(_renamed(promql, NAMESPACE, self.store.namespace_label), POD, self.store.pod_label)

    def _of_workload(self, promql: str) -> str:
        # Not for series about Deployments: what a store calls the workload may be a label of their exporter.
        return _renamed(self._named(promql), DEPLOYMENT, self.store.workload_label)

    def _at_home(self, promql: str) -> str:
        return f'label_replace({self._named(promql)}, "{NAMESPACE}", "{self.home}", "{NAMESPACE}", "")'


def _renamed(promql: str, ours: str, theirs: str) -> str:
    if not theirs or ours == theirs:
        return promql
    return f'label_replace({promql}, "{ours}", "$1", "{theirs}", "(.+)")'


def scope(policy: Policy) -> Scope:
    """That of the namespaces that a policy watches."""
    namespaces = policy.namespaces()
    operator = "=" if len(namespaces) == 1 else "=~"
    return Scope(
        store=policy.metrics,
        matchers=(Matcher(policy.metrics.namespace_label, operator, "|".join(namespaces)),),
        home=namespaces[0],
    )
