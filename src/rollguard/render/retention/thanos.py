"""Thanos: everything at its three resolutions, in an object store."""

from __future__ import annotations

from rollguard.model.alerting import Category, Severity
from rollguard.model.policy import Policy
from rollguard.policy.durations import format_
from rollguard.policy.promql import Matcher, narrowed
from rollguard.render.alerts.alert import Alert
from rollguard.render.alerts.written import rule
from rollguard.render.file import File
from rollguard.render.labels import Object
from rollguard.render.places import SCRAPED
from rollguard.render.retention.objects import Keeper, annotated, closed, kept_for, labels, service, workload

IMAGE = "quay.io/thanos/thanos:v0.39.2"
SECRET, KEY = "thanos-objstore", "objstore.yml"
CONFIG = "/etc/thanos"
GRPC, HTTP = ("grpc", 10901), ("http", 10902)
HALTED_FOR = 300.0


def thanos(policy: Policy, namespace: str) -> tuple[File, ...]:
    """`thanos.yaml`: store, compactor, query and the compactor's alert; `thanos-sidecar.yaml`: the patch of the
    Prometheus that scrapes."""
    kept = policy.operations.retention
    words = {**kept_for(policy), "namespace": namespace, "secret": SECRET, "key": KEY}
    keepers = (_store(namespace), _compactor(policy, namespace), _query(namespace))
    objects = [each for keeper in keepers for each in (service(keeper), workload(keeper))]
    patch: Object = {
        "spec": {
            "retention": format_(kept.real_time),
            "thanos": {"image": IMAGE, "objectStorageConfig": {"name": SECRET, "key": KEY}},
        }
    }
    return (
        annotated(
            "thanos.yaml", words, [closed(namespace), *objects, _scraped(policy, namespace), _rule(policy, namespace)]
        ),
        annotated("thanos-sidecar.yaml", words, [patch]),
    )


def halted(policy: Policy, namespace: str) -> Alert:
    """The alert on a compactor that has halted, or says nothing: from then on nothing is thinned out or deleted."""
    own = Matcher(policy.metrics.namespace_label, "=", namespace)
    said = f"max({narrowed('thanos_compact_halted', (own,), policy.metrics.match)})"
    return Alert(
        name="MetricsCompactorHalted",
        severity=Severity.WARNING,
        category=Category.RESOURCE,
        expr=f"{said} == 1 or absent({said})",
        for_seconds=HALTED_FOR,
        summary="The compactor of the metrics has halted, or is not there",
        description=f"The compactor in {namespace} has halted, or is not scraped, for {format_(HALTED_FOR)}: metrics "
        "are not thinned out and not deleted until it runs.",
        meaning="A compactor that meets blocks which it cannot put together stops, and does not try again. One that "
        "has no series is gone, or nobody scrapes it: whether it has halted is not known then.",
        panel=SCRAPED,
        labels=(("namespace", namespace),),
        deployment=False,
    )


def _store(namespace: str) -> Keeper:
    return Keeper(
        name="thanos-store",
        namespace=namespace,
        image=IMAGE,
        args=("store", "--data-dir=/var/thanos/store", f"--objstore.config-file={CONFIG}/{KEY}"),
        ports=(GRPC, HTTP),
        ready="/-/ready",
        data="/var/thanos/store",
        size="10Gi",
        files=(("secret", SECRET, CONFIG),),
    )


def _compactor(policy: Policy, namespace: str) -> Keeper:
    kept = policy.operations.retention
    return Keeper(
        name="thanos-compact",
        namespace=namespace,
        image=IMAGE,
        args=(
            "compact",
            "--wait",
            "--data-dir=/var/thanos/compact",
            f"--objstore.config-file={CONFIG}/{KEY}",
            f"--retention.resolution-raw={format_(kept.real_time)}",
            f"--retention.resolution-5m={format_(kept.aggregated)}",
            f"--retention.resolution-1h={format_(kept.long_term)}",
        ),
        ports=(HTTP,),
        ready="/-/ready",
        data="/var/thanos/compact",
        size="100Gi",
        files=(("secret", SECRET, CONFIG),),
        memory="2Gi",
    )


def _query(namespace: str) -> Keeper:
    found = (
        f"--endpoint=dnssrv+_grpc._tcp.{each}.{namespace}.svc.cluster.local"
        for each in ("prometheus-operated", "thanos-store")
    )
    return Keeper(
        name="thanos-query",
        namespace=namespace,
        image=IMAGE,
        args=("query", "--query.replica-label=prometheus_replica", "--query.auto-downsampling", *found),
        ports=(GRPC, HTTP),
        ready="/-/ready",
    )


def _scraped(policy: Policy, namespace: str) -> Object:
    """The compactor's own metrics, for its alert."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": {
            "name": "thanos-compact",
            "namespace": namespace,
            "labels": {**labels("thanos-compact"), **dict(policy.alerting.labels)},
        },
        "spec": {"selector": {"matchLabels": labels("thanos-compact")}, "endpoints": [{"port": "http"}]},
    }


def _rule(policy: Policy, namespace: str) -> Object:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": "thanos-compact",
            "namespace": namespace,
            "labels": {**labels("thanos-compact"), **dict(policy.alerting.labels)},
        },
        "spec": {"groups": [{"name": "thanos-compact", "rules": [rule(halted(policy, namespace), policy)]}]},
    }
