"""A dashboard as Grafana's JSON, in the form that Grafana 11 and later import without questions."""

from __future__ import annotations

import json

from rollguard.model.documents import Json
from rollguard.render.dashboards.drawn import drawn
from rollguard.render.dashboards.panel import Dashboard, Link, Mark, Panel, Row, Variable
from rollguard.render.labels import Object
from rollguard.render.places import panel_id

COLUMNS = 24
"""Of Grafana's grid."""
MOST = 3
"""Panels in a line: more would be too narrow for a legend."""
SCHEMA = 39
"""Grafana 11 reads it as it is, later ones migrate it."""
SOURCE: Object = {"type": "prometheus", "uid": "${datasource}"}
TAG = "rollguard"


def text_of(dashboard: Dashboard) -> str:
    """The file: JSON, with a line break at its end."""
    return json.dumps(json_of(dashboard), indent=2, ensure_ascii=False) + "\n"


def json_of(dashboard: Dashboard) -> Object:
    """The dashboard. Its `id` is Grafana's own, so null; its uid is ours and stays."""
    return {
        "id": None,
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": [TAG],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": f"now-{dashboard.hours}h", "to": "now"},
        "templating": {"list": [_source(), *(_variable(each) for each in dashboard.variables)]},
        "annotations": {"list": [_mark(each) for each in dashboard.marks]},
        "links": [_others(), *(_link(each) for each in dashboard.links)],
        "panels": _panels(dashboard.rows),
    }


def _panels(rows: tuple[Row, ...]) -> list[Json]:
    """Row by row, each panel to the right of the one before it while there is room."""
    placed: list[Json] = []
    y = 0
    for row in rows:
        placed.append(_heading(row, y))
        y += 1
        x = height = 0
        for panel, width in zip(row.panels, _widths(row.panels), strict=True):
            if x + width > COLUMNS:
                x, y, height = 0, y + height, 0
            placed.append(_panel(panel, {"h": panel.height, "w": width, "x": x, "y": y}))
            x, height = x + width, max(height, panel.height)
        y += height
    return placed


def _widths(panels: tuple[Panel, ...]) -> list[int]:
    """Those without a width of their own fill whole lines: five stand as three and two."""
    sharing = sum(1 for panel in panels if not panel.width)
    lines = -(-sharing // MOST)
    sizes = [sharing // lines + (line < sharing % lines) for line in range(lines)]
    shared = (COLUMNS // size for size in sizes for _ in range(size))
    return [panel.width or next(shared) for panel in panels]


def _heading(row: Row, y: int) -> Json:
    return {
        "id": panel_id(f"row {row.title}"),
        "type": "row",
        "title": row.title,
        "collapsed": False,
        "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y},
        "panels": [],
    }


def _panel(panel: Panel, place: Object) -> Json:
    return {
        "id": panel_id(panel.key),
        "type": panel.kind.value,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "gridPos": place,
        "links": [_link(each) for each in panel.links],
        **drawn(panel, SOURCE),
    }


def _source() -> Json:
    return {
        "type": "datasource",
        "name": "datasource",
        "label": "Data source",
        "query": "prometheus",
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
    }


def _variable(variable: Variable) -> Json:
    query: Json = {"query": variable.promql, "refId": "A"}
    made: Object = {
        "type": "query",
        "name": variable.name,
        "label": variable.title,
        "datasource": SOURCE,
        "definition": variable.promql,
        "query": query,
        "hide": 0,
        "includeAll": variable.several,
        "multi": variable.several,
        "options": [],
        # When the time range changes too: what is gone today was there last week.
        "refresh": 2,
        "regex": "",
        "skipUrlSync": False,
        "sort": 1,
    }
    if variable.several:
        # Of series with the label: a release set as a whole has no Deployment.
        return {**made, "allValue": ".+", "current": {"text": ["All"], "value": ["$__all"]}}
    return {**made, "current": {"text": variable.first, "value": variable.first}} if variable.first else made


def _mark(mark: Mark) -> Json:
    return {
        "name": mark.name,
        "enable": True,
        "hide": False,
        "iconColor": mark.colour,
        "datasource": SOURCE,
        "expr": mark.promql,
        "step": "30s",
        "titleFormat": mark.title,
        "textFormat": mark.text,
        "tagKeys": "",
        "useValueForTime": False,
    }


def _others() -> Json:
    made = _as_link("Rollguard", "", icon="dashboard")
    return {**made, "type": "dashboards", "tags": [TAG], "asDropdown": True, "includeVars": True, "keepTime": True}


def _link(link: Link) -> Json:
    return _as_link(link.title, link.url, icon="external link")


def _as_link(title: str, url: str, *, icon: str) -> Object:
    return {
        "title": title,
        "type": "link",
        "icon": icon,
        "tooltip": "",
        "url": url,
        "tags": [],
        "asDropdown": False,
        "targetBlank": bool(url),
        "includeVars": False,
        "keepTime": False,
    }
