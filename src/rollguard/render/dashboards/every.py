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
from rollguard.render.places import Board, Place


def every(policy: Policy) -> tuple[Dashboard, ...]:
    """The dashboards."""
    found = alerts(policy) if policy.links.runbook else ()
    made = (deployment(policy), system(policy), guard(policy))
    return tuple(
        replace(each, rows=tuple(_leading(row, each.uid, found, policy.links) for row in each.rows)) for each in made
    )


def _leading(row: Row, uid: Board, found: tuple[Alert, ...], where: Links) -> Row:
    return replace(row, panels=tuple(replace(panel, links=_links(panel, uid, found, where)) for panel in row.panels))


def _links(panel: Panel, uid: Board, found: tuple[Alert, ...], where: Links) -> tuple[Link, ...]:
    here = Place(board=uid, key=panel.key)
    about = (each.name for each in found if (panel.signal and each.signal == panel.signal) or each.panel == here)
    return tuple(Link(title=f"Runbook: {name}", url=where.runbook_of(name)) for name in dict.fromkeys(about))
