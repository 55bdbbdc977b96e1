"""Questions to a store, and the machine's clock, for tests of the adapter."""

from __future__ import annotations

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.prometheus import PrometheusMetrics
from rollguard.model.metrics import Expression, MetricsAnswer, Question
from rollguard.model.policy import MetricsStore, StoreAccess
from rollguard.model.time import Instant

AT = Instant(1_800_000_000.0)


def store(address: str, auth: StoreAccess | None = None, scrape_interval: float = 15.0) -> MetricsStore:
    return MetricsStore(
        address=address,
        namespace_label="namespace",
        pod_label="pod",
        workload_label="deployment",
        match="",
        auth=auth or StoreAccess(),
        scrape_interval=scrape_interval,
    )


def errors(*instants: Instant) -> Question:
    """A question of a ratio, with expressions that a scripted server need not read."""
    return Question(
        signal="errors",
        instants=instants or (AT,),
        expressions=tuple(Expression(part=part, promql=part) for part in ("bad", "total", "resets", "newest")),
        namespace_label="namespace",
        pod_label="pod",
        workload_label="deployment",
    )


async def asked(metrics: PrometheusMetrics, question: Question, seconds: float = 5.0) -> tuple[MetricsAnswer, ...]:
    """The answers, with the connections closed after."""
    try:
        return await metrics.ask(question, deadline=SystemClock().mono().plus(seconds))
    finally:
        await metrics.close()
