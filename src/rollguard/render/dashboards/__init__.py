"""The policy as dashboards of Grafana: the same signals, bounds and names as everywhere."""

from __future__ import annotations

from rollguard.render.dashboards.files import dashboards
from rollguard.render.dashboards.filled import PanelQuery, queries

__all__ = ["PanelQuery", "dashboards", "queries"]
