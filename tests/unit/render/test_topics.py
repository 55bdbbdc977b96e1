"""Where a signal stands on a dashboard."""

from __future__ import annotations

import pytest

from rollguard.cli.policy import read
from rollguard.model.signals import Signal, SignalKind
from rollguard.render.topics import Topic, topic
from tests.unit.render.dashboards.test_dashboards import PLATFORM

OF_THE_PLATFORM = {
    "errors": Topic.API,
    "latency": Topic.API,
    "restarts": Topic.PODS,
    "pods-not-ready": Topic.PODS,
    "memory": Topic.RESOURCES,
    "cpu": Topic.RESOURCES,
    "database-connections": Topic.DATABASE,
    "database-errors": Topic.DATABASE,
    "job-failures": Topic.WORKERS,
    "queue-depth": Topic.QUEUE,
    "oldest-job": Topic.QUEUE,
    "crash-loop": Topic.EVENTS,
    "image-pull": Topic.EVENTS,
    "progress-deadline": Topic.EVENTS,
    "migration-failed": Topic.EVENTS,
}


def test_each_signal_of_the_platform_finds_its_row() -> None:
    assert {signal.name: topic(signal) for signal in read(PLATFORM).signals} == OF_THE_PLATFORM


@pytest.mark.parametrize(
    ("gauge", "found"),
    [
        ("redis_memory_used_bytes", Topic.DATABASE),
        ("kafka_consumergroup_lag", Topic.QUEUE),
        ("worker_busy", Topic.WORKERS),
        ("kube_job_status_active", Topic.PODS),
        ("websocket_connections", Topic.RESOURCES),
        ("enqueued", Topic.RESOURCES),
    ],
)
def test_whole_words_of_a_series_tell_what_it_is_about(gauge: str, found: Topic) -> None:
    signal = Signal(
        name="own", kind=SignalKind.GAUGE, levels=(), required=False, shared=False, minimum_traffic=0, gauge=gauge
    )
    assert topic(signal) is found
