"""Series that a rule test plays: values at the times of its interval, kube-state-metrics' own from two of its pods."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.model.policy import MetricsStore, Policy
from rollguard.signals.measure import EXPORTED

WORKLOAD = "web"
POD_NAME = "web-abc-1"
SET = "web-abc"
EXPORTERS = ("10.0.0.1:8080", "10.0.0.2:8080")
"""Two pods of kube-state-metrics show everything twice: no rule may mind."""

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series, and its values from the beginning; the last lasts on."""

    name: str
    labels: Labels
    values: tuple[tuple[float | None, int], ...]
    """(value, how many times); None where the series is not there."""

    def written(self, length: int) -> list[dict[str, str]]:
        """As promtool plays it over so many times: twice where kube-state-metrics would show it."""
        owners = EXPORTERS if self.name.startswith(EXPORTED) else ("",)
        runs = self._filled(length)
        before = (None, *(value for value, _ in runs))
        text = " ".join(_run(value, times, last) for (value, times), last in zip(runs, before, strict=False))
        return [{"series": f"{self.name}{{{_text(_owned(self.labels, owner))}}}", "values": text} for owner in owners]

    def _filled(self, length: int) -> tuple[tuple[float | None, int], ...]:
        given = sum(times for _, times in self.values)
        value, times = self.values[-1]
        return (*self.values[:-1], (value, times + max(length - given, 0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """The one Deployment of a test, in the first namespace that the policy watches, as its store labels it."""

    store: MetricsStore
    namespace: str

    @classmethod
    def of(cls, policy: Policy) -> Cast:
        """For that policy."""
        return cls(store=policy.metrics, namespace=policy.namespaces()[0])

    def own(self, **more: str) -> dict[str, str]:
        """The labels of what rules record, and of their alerts."""
        return {**self._cluster(), "namespace": self.namespace, **more}

    def _cluster(self) -> dict[str, str]:
        label = self.store.cluster_label
        return {label: _of_match(self.store.match).get(label, "eu")} if label else {}

    def recorded(self, name: str, *values: tuple[float | None, int], **more: str) -> Series:
        """A recorded series."""
        return Series(name=name, labels=tuple(self.own(**more).items()), values=values)

    def scraped(self, name: str, *values: tuple[float | None, int], **more: str) -> Series:
        """A series of the store."""
        pod = more.pop("pod", "")
        named = {self.store.pod_label or "pod": pod} if pod else {}
        labels = {**self._common(), self.store.namespace_label: self.namespace, **named, **more}
        return Series(name=name, labels=tuple(labels.items()), values=values)

    def told(self, name: str, *values: tuple[float | None, int], **more: str) -> Series:
        """A series of the guard's own."""
        labels = {**self._common(), "namespace": self.namespace, **more}
        return Series(name=name, labels=tuple(labels.items()), values=values)

    def _common(self) -> dict[str, str]:
        return {**self._cluster(), **_of_match(self.store.match)}

    def owned(self, pod: str = POD_NAME) -> tuple[Series, ...]:
        """A pod, its ReplicaSet and its Deployment."""
        return (
            self.scraped("kube_pod_owner", (1, 1), pod=pod, owner_kind="ReplicaSet", owner_name=SET),
            self.scraped("kube_replicaset_owner", (1, 1), replicaset=SET, owner_kind="Deployment", owner_name=WORKLOAD),
        )

    def deployment(self, name: str, *values: tuple[float | None, int], **more: str) -> Series:
        """A series of kube-state-metrics about the Deployment."""
        return self.scraped(f"kube_deployment_{name}", *values, deployment=WORKLOAD, **more)


def _of_match(match: str) -> dict[str, str]:
    """The labels of a series that the matchers of a text choose: of several values the first."""
    found: dict[str, str] = {}
    for part in match.split(","):
        label, equals, value = part.strip().partition("=")
        if equals and not label.endswith("!"):
            found[label] = value.removeprefix("~").strip('"').partition("|")[0]
    return found


def _owned(labels: Labels, exporter: str) -> Labels:
    return (*labels, ("instance", exporter), ("job", "kube-state-metrics")) if exporter else labels


def _text(labels: Labels) -> str:
    return ",".join(f'{name}="{value}"' for name, value in labels)


def _run(value: float | None, times: int, last: float | None) -> str:
    if value is not None:
        return f"{value:.12g}+0x{times - 1}"
    if last is None:
        return f"_x{times}"
    # Gone, not merely missing: without the mark the last value would be seen for five more minutes.
    return f"stale _x{times - 1}" if times > 1 else "stale"
