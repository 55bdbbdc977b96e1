"""The queries of a dashboard's JSON as a metrics store takes them: with Grafana's variables filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rollguard.model.documents import Json
from rollguard.model.policy import Policy
from rollguard.render.dashboards.every import every
from rollguard.render.dashboards.grafana import json_of
from rollguard.render.labels import Object

_VARIABLE = re.compile(r"\$(?:\{([a-zA-Z_]\w*)(?::\w+)?\}|([a-zA-Z_]\w*))")
"""`$1` is none: `label_replace` writes it."""
RATE_INTERVAL_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelQuery:
    """What one query of a panel asks."""

    dashboard: str
    """Its uid."""
    panel: str
    """Its title, or the name of the mark."""
    promql: str
    mark: bool = False
    """It marks times: where nothing happens it has no answer."""


def queries(policy: Policy, namespace: str, workload: str, cluster: str = "") -> tuple[PanelQuery, ...]:
    """Every query of every panel, and of every mark, of a policy's dashboards. `workload` may be a regular expression:
    of several Deployments, or `.+` for all."""
    values = values_of(namespace=namespace, workload=workload, cluster=cluster)
    return tuple(
        PanelQuery(dashboard=dashboard.uid, panel=title, promql=filled(promql, values), mark=mark)
        for dashboard in every(policy)
        for title, promql, mark in asked(json_of(dashboard))
    )


def values_of(*, namespace: str, workload: str, cluster: str = "", seconds: int = RATE_INTERVAL_S) -> Mapping[str, str]:
    """What stands for the variables in a query. `seconds` is the range of a rate."""
    return {
        "namespace": namespace,
        "workload": workload,
        "cluster": cluster,
        "__rate_interval": f"{seconds}s",
        "__rate_interval_ms": str(1000 * seconds),
    }


def filled(promql: str, values: Mapping[str, str]) -> str:
    """The query with the values in it; a variable without one stays as it is."""
    return _VARIABLE.sub(lambda found: values.get(found[1] or found[2], found[0]), promql)


def variables_of(text: str) -> tuple[str, ...]:
    """The variables that a text names, without their `$`."""
    return tuple(found[1] or found[2] for found in _VARIABLE.finditer(text))


def asked(dashboard: Object) -> Iterator[tuple[str, str, bool]]:
    """(title, PromQL, whether it is a mark) of each query of the panels and marks."""
    for panel in objects(dashboard.get("panels")):
        for target in objects(panel.get("targets")):
            yield str(panel.get("title")), str(target.get("expr", "")), False
    for mark in objects(inside(dashboard, "annotations", "list")):
        yield str(mark.get("name")), str(mark.get("expr", "")), True


def inside(value: Json, *path: str) -> Json:
    """What lies at the end of a path of keys; None where it breaks off."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def objects(value: Json) -> list[Object]:
    """The objects of a list; none where it is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
