"""The metrics store: any that answers Prometheus' HTTP API."""

from rollguard.adapters.prometheus.inspect import MetricsInspector, Sample, StoreProblem
from rollguard.adapters.prometheus.metrics import PrometheusMetrics

__all__ = ["MetricsInspector", "PrometheusMetrics", "Sample", "StoreProblem"]
