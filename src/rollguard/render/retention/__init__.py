"""How long metrics are kept: Thanos with an object store, or, as the small way, Prometheus alone."""

from __future__ import annotations
