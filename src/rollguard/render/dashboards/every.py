"""All dashboards of a policy, each named here once, with the runbooks that a panel leads to."""

from __future__ import annotations

from dataclasses import replace

from rollguard.model.policy import Links, Policy
from rollguard.render.alerts.alert import Alert
from rollguard.render.alerts.table import alerts
from rollguard.render.dashboards.deployment import deployment
from rollguard.render.dashboards.guard import guard
from rollguard.render.dashboards.panel import Dashboard, Link, Panel, Row
from rollguard.render.dashboards.system import system


def every(policy: Policy) -> tuple[Dashboard, ...]:
    """The dashboards."""
    found = alerts(policy) if policy.links.runbook else ()
    made = (deployment(policy), system(policy), guard(policy))
    return tuple(replace(each, rows=tuple(_leading(row, found, policy.links) for row in each.rows)) for each in made)


def _leading(row: Row, found: tuple[Alert, ...], where: Links) -> Row:
    return replace(row, panels=tuple(replace(panel, links=_links(panel, found, where)) for panel in row.panels))


def _links(panel: Panel, found: tuple[Alert, ...], where: Links) -> tuple[Link, ...]:
    about = (
        each.name
        for each in found
        if (panel.signal and each.signal == panel.signal) or (not each.signal and each.panel is panel.about)
    )
    return tuple(Link(title=f"Runbook: {name}", url=where.runbook_of(name)) for name in dict.fromkeys(about))
