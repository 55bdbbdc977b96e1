"""Prometheus alone: one for what was scraped, and two more for what its recording rules make of it."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.model.documents import Json
from rollguard.model.policy import Policy
from rollguard.policy.durations import format_
from rollguard.render.alerts.alert import Recording
from rollguard.render.file import File
from rollguard.render.labels import Object
from rollguard.render.retention.objects import PART_OF, Keeper, annotated, closed, kept_for, service, workload

IMAGE = "quay.io/prometheus/prometheus:v3.5.0"
CONFIG, CONFIG_PATH = "prometheus-keepers", "/etc/prometheus"
HTTP = ("http", 9090)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Store:
    """One of the two stores beside the Prometheus that scrapes."""

    name: str
    step: str
    """How far apart its samples are."""
    seconds: float
    """How long it keeps them."""
    lookback: str
    """Longer than a step: else a query that falls between two samples finds nothing."""
    size: str

    @property
    def regex(self) -> str:
        """The names of what it is sent."""
        return f".+:.+:.+_(avg|max){self.step}"


def small(policy: Policy, recordings: tuple[Recording, ...], namespace: str) -> tuple[File, ...]:
    """`prometheus-small.yaml`: the two stores and the recording rules; `prometheus-small-remote-write.yaml`: the
    patch of the Prometheus that scrapes."""
    kept = policy.operations.retention
    stores = (
        _Store(name="prometheus-aggregated", step="5m", seconds=kept.aggregated, lookback="11m", size="20Gi"),
        _Store(name="prometheus-long-term", step="1h", seconds=kept.long_term, lookback="2h5m", size="10Gi"),
    )
    retention = format_(kept.real_time)
    words = {**kept_for(policy), "retention": retention, "namespace": namespace}
    config: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": PART_OF}},
        "data": {"prometheus.yml": "# They scrape nothing: all comes by remote write.\nglobal: {}\n"},
    }
    keepers = [_keeper(store, namespace) for store in stores]
    objects = [each for keeper in keepers for each in (service(keeper), workload(keeper))]
    rule: Object = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": "rollguard-retention",
            "namespace": namespace,
            "labels": {"app.kubernetes.io/part-of": PART_OF, **dict(policy.alerting.labels)},
        },
        "spec": {"groups": groups(policy, recordings)},
    }
    patch: Object = {"spec": {"retention": retention, "remoteWrite": [_sent(each, namespace) for each in stores]}}
    return (
        annotated("prometheus-small.yaml", words, [closed(namespace), config, *objects, rule]),
        annotated("prometheus-small-remote-write.yaml", words, [patch]),
    )


def groups(policy: Policy, recordings: tuple[Recording, ...]) -> list[Json]:
    """The rule groups by which the signals' recorded series are thinned out."""
    names = [each.record for each in recordings if is_kept(each.record, policy)]
    return [
        {
            "name": f"rollguard-retention-{step}",
            "interval": step,
            "rules": [
                {"record": f"{name}_{how}{step}", "expr": f"{how}_over_time({name}[{step}])"}
                for name in names
                for how in ("avg", "max")
            ],
        }
        for step in ("5m", "1h")
    ]


def is_kept(record: str, policy: Policy) -> bool:
    """Whether a recorded series is a signal's, by workload or for all: not a single pod's, not a help of the rules."""
    level, _, rest = record.partition(":")
    signal = rest.partition(":")[0].replace("_", "-")
    return level in ("deployment", "namespace") and any(each.name == signal for each in policy.signals)


def _keeper(store: _Store, namespace: str) -> Keeper:
    return Keeper(
        name=store.name,
        namespace=namespace,
        image=IMAGE,
        args=(
            f"--config.file={CONFIG_PATH}/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            f"--storage.tsdb.retention.time={format_(store.seconds)}",
            f"--query.lookback-delta={store.lookback}",
            "--web.enable-remote-write-receiver",
        ),
        ports=(HTTP,),
        ready="/-/ready",
        data="/prometheus",
        size=store.size,
        files=(("configMap", CONFIG, CONFIG_PATH),),
    )


def _sent(store: _Store, namespace: str) -> Json:
    return {
        "name": store.name,
        "url": f"http://{store.name}.{namespace}.svc:{HTTP[1]}/api/v1/write",
        "writeRelabelConfigs": [{"sourceLabels": ["__name__"], "regex": store.regex, "action": "keep"}],
    }
