"""Container series as cAdvisor names them, from the apps' real or declared usage."""

from __future__ import annotations

from collections.abc import Iterable

from lab.exposition import Family, render
from lab.kubelet.app import App
from lab.kubelet.container import Container
from lab.kubelet.worker import Worker

_PERIOD_US = 100_000


def exposition(workers: Iterable[Worker], node: str) -> bytes:
    """The scrape body of `/metrics/cadvisor`; only running containers, and their pods, have series."""
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
        running = [(container, container.app) for container in worker.containers if container.app is not None]
        readings = [_reading(container, app) for container, app in running]
        for (container, _), reading in zip(running, readings, strict=True):
            image = container.spec["image"]
            own = {"container": container.name, "image": image, "id": f"{_cgroup(worker)}/{container.name}"}
            _expose(families, reading, _labels(worker, node) | own)
        if readings:
            # The pod's own control group: what has no `container` counts everything once more.
            whole = {name: sum(reading.get(name, 0) for reading in readings) for name in readings[0]}
            whole["container_spec_cpu_period"] = _PERIOD_US
            _expose(families, whole, _labels(worker, node) | {"id": _cgroup(worker)})
    return render(families.values())


def _labels(worker: Worker, node: str) -> dict[str, str]:
    metadata = worker.pod["metadata"]
    return {"namespace": metadata["namespace"], "pod": metadata["name"], "node": node}


def _cgroup(worker: Worker) -> str:
    return f"/kubepods/burstable/pod{worker.uid}"


def _reading(container: Container, app: App) -> dict[str, float]:
    memory = round(app.memory_bytes())
    values: dict[str, float] = {
        "container_memory_usage_bytes": memory,
        "container_memory_working_set_bytes": round(memory * 0.95),
        "container_spec_memory_limit_bytes": container.limit("memory") or 0,
        "container_cpu_usage_seconds_total": round(app.cpu_seconds(), 6),
        "container_spec_cpu_period": _PERIOD_US,
    }
    cpu = container.limit("cpu")
    if cpu is not None:
        values["container_spec_cpu_quota"] = round(cpu * _PERIOD_US)
    return values


def _expose(families: dict[str, Family], reading: dict[str, float], labels: dict[str, str]) -> None:
    for name, value in reading.items():
        more = {"cpu": "total"} if name == "container_cpu_usage_seconds_total" else {}
        families[name].add_labelled(value, labels | more)
