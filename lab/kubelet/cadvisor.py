"""Container series as cAdvisor names them, from the apps' real or declared usage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.exposition import Family, render
from lab.kubelet.container import Container
from lab.kubelet.worker import Worker

_PERIOD_US = 100_000


def exposition(workers: Iterable[Worker], node: str) -> bytes:
    """The scrape body of `/metrics/cadvisor`; only running containers have series."""
    families = {
        name: Family(name, kind, text)
        for name, kind, text in (
            ("container_memory_usage_bytes", "gauge", "Memory in use, caches included."),
            ("container_memory_working_set_bytes", "gauge", "Memory in use that cannot be reclaimed."),
            ("container_spec_memory_limit_bytes", "gauge", "Memory limit; 0 without one."),
            ("container_cpu_usage_seconds_total", "counter", "CPU time used."),
            ("container_spec_cpu_quota", "gauge", "CPU time allowed in one period, in microseconds."),
            ("container_spec_cpu_period", "gauge", "The CPU period in microseconds."),
        )
    }
    for worker in workers:
        for container in worker.containers:
            if container.app is not None:
                _expose(families, worker.pod["metadata"], container, node)
    return render(families.values())


def _expose(families: dict[str, Family], metadata: Any, container: Container, node: str) -> None:
    assert container.app is not None
    labels = {
        "namespace": metadata["namespace"],
        "pod": metadata["name"],
        "container": container.name,
        "image": container.spec["image"],
        "node": node,
    }
    memory = round(container.app.memory_bytes())
    values: dict[str, float] = {
        "container_memory_usage_bytes": memory,
        "container_memory_working_set_bytes": round(memory * 0.95),
        "container_spec_memory_limit_bytes": container.limit("memory") or 0,
        "container_cpu_usage_seconds_total": round(container.app.cpu_seconds(), 6),
        "container_spec_cpu_period": _PERIOD_US,
    }
    cpu = container.limit("cpu")
    if cpu is not None:
        values["container_spec_cpu_quota"] = round(cpu * _PERIOD_US)
    for name, value in values.items():
        families[name].add_labelled(value, labels)
