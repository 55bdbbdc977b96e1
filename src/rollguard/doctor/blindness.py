"""Why a question found no series: told from what the store has without the question's narrowing."""

from __future__ import annotations

from rollguard.doctor.facts import Series
from rollguard.model.action import Unknown
from rollguard.model.policy import MetricsStore


def series_missing(series: Series | Unknown, store: MetricsStore, namespace: str) -> str:
    """What is missing, in words; empty where that is not known."""
    if isinstance(series, Unknown):
        return ""
    matching = f" (with {store.match})" if store.match else ""
    if not series.anywhere:
        return f"the store has no series of {series.selector}{matching}"
    by_namespace = dict(series.by_namespace)
    there = by_namespace.get(namespace, 0)
    label = store.namespace_label
    if not there and set(by_namespace) <= {""}:
        return f"none of {series.anywhere} series of {series.selector} carries the label `{label}`"
    if not there:
        return f'none of {series.anywhere} series of {series.selector} has {label}="{namespace}"'
    if store.pod_label and not dict(series.with_pod).get(namespace, 0):
        return f"none of {there} series of {series.selector} in {namespace} carries the label `{store.pod_label}`"
    whose = f"`{store.pod_label}`" if store.pod_label else f"`{store.workload_label}`"
    return f"none of {there} series of {series.selector} in {namespace} names this workload in {whose}"
