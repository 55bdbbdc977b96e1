"""What a signal is about, by its kind and the words in its series' names: so it finds its row of a dashboard."""

from __future__ import annotations

import re
from enum import StrEnum

from rollguard.model.signals import Signal, SignalKind
from rollguard.policy.promql import metric_of, selectors


class Topic(StrEnum):
    """A row of a dashboard."""

    API = "api"
    DATABASE = "database"
    QUEUE = "queue"
    WORKERS = "workers"
    RESOURCES = "resources"
    PODS = "pods"
    EVENTS = "events"
    """Of the cluster's own statuses: it has no series."""


_BEGINNINGS = {"kube": Topic.PODS, "container": Topic.RESOURCES}
_WORDS = {
    Topic.DATABASE: {"database", "db", "mongodb", "mysql", "pg", "postgres", "postgresql", "redis"},
    Topic.QUEUE: {"backlog", "kafka", "lag", "queue", "queues", "rabbitmq"},
    Topic.WORKERS: {"job", "jobs", "task", "tasks", "worker", "workers"},
}


def topic(signal: Signal) -> Topic:
    """The signal's topic. Where no word tells: requests are the API's, and what has a value is a resource."""
    if signal.kind is SignalKind.EVENT:
        return Topic.EVENTS
    names = [re.split(r"[_:]", metric_of(each)) for each in _selectors(signal)]
    for name in names:
        if name[0] in _BEGINNINGS:
            return _BEGINNINGS[name[0]]
    words = {word for name in names for word in name}
    for found, telling in _WORDS.items():
        if words & telling:
            return found
    return Topic.RESOURCES if signal.kind is SignalKind.GAUGE else Topic.API


def _selectors(signal: Signal) -> list[str]:
    texts = (signal.bad, signal.total, signal.buckets, signal.counter, signal.gauge)
    return [selector for text in texts if text for selector in selectors(text)]
