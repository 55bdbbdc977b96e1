"""How each kind of panel is drawn: its queries, fields and options in Grafana's words."""

from __future__ import annotations

from rollguard.model.documents import Json
from rollguard.render.dashboards.panel import Line, Panel, PanelKind, Query, Word
from rollguard.render.labels import Object

GOOD = "green"
NO_LINE: Object = {"mode": "off"}
DASHED: Object = {"mode": "dashed"}
TO_THE_ROLLOUT: Object = {
    "title": "The rollout of ${__field.labels.deployment}",
    "url": "/d/deployment-monitoring?var-datasource=${datasource}&var-namespace=${__field.labels.namespace}"
    "&var-workload=${__field.labels.deployment}&${__url_time_range}",
    "targetBlank": False,
}
"""From a series to the Deployment's own view."""


def drawn(panel: Panel, source: Object) -> Object:
    """What stands in the panel beside its place and title."""
    options = {
        PanelKind.TIME_SERIES: _time_series,
        PanelKind.STAT: _stat,
        PanelKind.TABLE: _table,
        PanelKind.STATES: _states,
    }[panel.kind]()
    made: Object = {
        "targets": [_target(panel, query, ref, source) for query, ref in zip(panel.queries, REFS, strict=False)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": options,
    }
    return {**made, "transformations": _joined(panel)} if panel.kind is PanelKind.TABLE else made


REFS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _target(panel: Panel, query: Query, ref: str, source: Object) -> Json:
    target: Object = {"refId": ref, "datasource": source, "expr": query.promql, "editorMode": "code"}
    if panel.kind is PanelKind.TABLE:
        return {**target, "instant": True, "range": False, "format": "table"}
    now = panel.kind is PanelKind.STAT
    return {**target, "instant": now, "range": not now, "format": "time_series", "legendFormat": query.legend}


def _defaults(panel: Panel) -> Json:
    fields: Object = {
        "unit": panel.unit,
        "color": {"mode": "thresholds" if panel.kind is not PanelKind.TIME_SERIES else "palette-classic"},
        "thresholds": {"mode": "absolute", "steps": _steps(panel.lines)},
        "mappings": [_mapping(panel.words)] if panel.words else [],
        "custom": _custom(panel),
    }
    if panel.none:
        fields["noValue"] = panel.none
    if panel.kind is PanelKind.TIME_SERIES:
        # Nothing that is shown is below zero.
        fields["min"] = 0
    if any("deployment" in query.legend for query in panel.queries):
        fields["links"] = [TO_THE_ROLLOUT]
    return fields


def _steps(lines: tuple[Line, ...]) -> list[Json]:
    """Grafana wants them ascending, and one below all others."""
    steps: list[Json] = [{"value": None, "color": GOOD}]
    for line in sorted(lines, key=lambda each: each.bound):
        steps.append({"value": line.bound, "color": line.colour})
    return steps


def _mapping(words: tuple[Word, ...]) -> Json:
    options: Object = {
        str(word.value): {"text": word.text, "color": word.colour, "index": index} for index, word in enumerate(words)
    }
    return {"type": "value", "options": options}


def _custom(panel: Panel) -> Json:
    if panel.kind is PanelKind.TIME_SERIES:
        return {
            "drawStyle": "line",
            "lineInterpolation": "linear",
            "lineWidth": 1,
            "fillOpacity": 10,
            "showPoints": "auto",
            # A gap is a gap.
            "spanNulls": False,
            "thresholdsStyle": DASHED if panel.lines else NO_LINE,
        }
    if panel.kind is PanelKind.STATES:
        return {"fillOpacity": 70, "lineWidth": 0}
    if panel.kind is PanelKind.TABLE:
        return {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}
    return {}


def _time_series() -> Object:
    return {
        "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _stat() -> Object:
    return {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "showPercentChange": False,
        "textMode": "auto",
        "wideLayout": True,
    }


def _table() -> Object:
    return {"showHeader": True, "cellHeight": "sm", "frameIndex": 0}


def _states() -> Object:
    return {
        "mergeValues": True,
        "showValue": "auto",
        "alignValue": "left",
        "rowHeight": 0.8,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
        "tooltip": {"mode": "single", "sort": "none"},
    }


def _joined(panel: Panel) -> list[Json]:
    """One row for each of the labels' values, one column for each query."""
    values = [(f"Value #{ref}", query.legend) for query, ref in zip(panel.queries, REFS, strict=False)]
    titles: Object = {label: label.capitalize() for label in panel.columns}
    order: Object = {name: index for index, name in enumerate((*panel.columns, *(name for name, _ in values)))}
    organize: Json = {
        "excludeByName": {"Time": True},
        "includeByName": {},
        "indexByName": order,
        "renameByName": {**titles, **dict(values)},
    }
    return [{"id": "merge", "options": {}}, {"id": "organize", "options": organize}]
