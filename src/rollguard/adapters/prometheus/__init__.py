"""The metrics store: any that answers Prometheus' HTTP API."""

from rollguard.adapters.prometheus.metrics import PrometheusMetrics

__all__ = ["PrometheusMetrics"]
