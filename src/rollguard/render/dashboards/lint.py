"""The rules that every dashboard keeps, and what of a given one breaks them. Works on the JSON, whoever made it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from rollguard.model.documents import Json
from rollguard.model.policy import Policy
from rollguard.policy.promql import problem_of_expression
from rollguard.render.dashboards.filled import asked, filled, inside, objects, values_of, variables_of
from rollguard.render.dashboards.grafana import COLUMNS, SCHEMA, SOURCE
from rollguard.render.labels import Object

ORDER = ("datasource", "cluster", "namespace", "workload")
"""The variables, as far as a dashboard has them."""
OF_GRAFANA = frozenset({"__rate_interval", "__rate_interval_ms"})
KINDS = frozenset({"row", "stat", "state-timeline", "table", "timeseries"})
_UID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_RANGE = re.compile(r"\[([^\]]+)\]")
_LEGEND = re.compile(r"\{\{(\w+)\}\}")


def problems(dashboard: Object, ranges: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """What is wrong with a dashboard, each in a sentence that names the panel; empty where nothing is.

    `ranges` are those that the policy's own expressions write (`ranges_of`): all others are `$__rate_interval`.
    """
    panels = objects(dashboard.get("panels"))
    found: list[str] = [*_whole(dashboard), *_variables(dashboard), *_marks(dashboard)]
    for panel in panels:
        found += [f"panel {panel.get('title')!r}: {each}" for each in _panel(panel)]
    found += _places(panels)
    for title, promql, _ in asked(dashboard):
        found += [f"{title!r}: {each}" for each in _query(promql, _names(dashboard), ranges)]
    return tuple(found)


def ranges_of(policy: Policy) -> frozenset[str]:
    """The ranges that the policy's own expressions write: of a gauge, which may be any."""
    texts = (text for signal in policy.signals for text in (signal.gauge, signal.limit))
    return frozenset(each for text in texts for each in _RANGE.findall(text))


def _whole(dashboard: Object) -> Iterator[str]:
    for key in ("__inputs", "__requires"):
        if key in dashboard:
            yield f"it has `{key}`: an import would ask questions"
    if dashboard.get("id") is not None:
        yield "its `id` is not null: that number is Grafana's own"
    uid = dashboard.get("uid")
    if not (isinstance(uid, str) and _UID.fullmatch(uid)):
        yield f"its uid is {uid!r}: expected up to 40 small letters, digits and dashes"
    for key in ("title", "description", "tags"):
        if not dashboard.get(key):
            yield f"it has no {key}"
    if dashboard.get("schemaVersion") != SCHEMA:
        yield f"its schemaVersion is {dashboard.get('schemaVersion')}, expected {SCHEMA}"
    if not objects(dashboard.get("panels")):
        yield "it has no panels"


def _names(dashboard: Object) -> tuple[str, ...]:
    return tuple(str(each.get("name")) for each in objects(inside(dashboard, "templating", "list")))


def _variables(dashboard: Object) -> Iterator[str]:
    names = _names(dashboard)
    if names != tuple(name for name in ORDER if name in names):
        yield f"its variables are {', '.join(names)}: expected them in the order {', '.join(ORDER)}"
    if "datasource" not in names:
        yield "it has no variable `datasource`"
    for each in objects(inside(dashboard, "templating", "list")):
        name, asks = each.get("name"), str(inside(each, "query", "query") or "")
        if not each.get("label"):
            yield f"variable `{name}` has no label"
        if each.get("type") == "datasource":
            continue
        if each.get("datasource") != SOURCE:
            yield f"variable `{name}` does not ask the chosen data source"
        unknown = [found for found in variables_of(asks) if found not in names[: names.index(str(name))]]
        if unknown:
            yield f"variable `{name}` asks by `${unknown[0]}`, which is not chosen before it"


def _marks(dashboard: Object) -> Iterator[str]:
    for each in objects(inside(dashboard, "annotations", "list")):
        if each.get("datasource") != SOURCE:
            yield f"mark {each.get('name')!r} does not ask the chosen data source"
        if not each.get("titleFormat"):
            yield f"mark {each.get('name')!r} has no title"


def _panel(panel: Object) -> Iterator[str]:
    if not panel.get("title"):
        yield "it has no title"
    if panel.get("type") not in KINDS:
        yield f"its type {panel.get('type')!r} is none of {', '.join(sorted(KINDS))}"
    if panel.get("type") == "row":
        return
    if not panel.get("description"):
        yield "it has no description"
    if not inside(panel, "fieldConfig", "defaults", "unit"):
        yield "it has no unit"
    targets = objects(panel.get("targets"))
    if not targets:
        yield "it asks nothing"
    if any(each.get("datasource") != SOURCE for each in (panel, *targets)):
        yield "it does not ask the chosen data source"
    refs = [str(each.get("refId")) for each in targets]
    if len(set(refs)) < len(refs):
        yield f"its queries' refIds are not unique: {', '.join(refs)}"
    for target in targets:
        unknown = [label for label in _LEGEND.findall(str(target.get("legendFormat", ""))) if not _has(target, label)]
        if unknown:
            yield f"its legend names the label `{unknown[0]}`, which its query does not keep"
    yield from _lines(objects(inside(panel, "fieldConfig", "defaults", "thresholds", "steps")))


def _has(target: Object, label: str) -> bool:
    """Whether the query groups by the label, or sets it."""
    promql = str(target.get("expr"))
    lists = re.findall(r"(?:by|group_left) \(([^)]*)\)", promql) + re.findall(r'vector\(0\), "(\w+)"', promql)
    return any(label in names.split(", ") for names in lists)


def _lines(steps: list[Object]) -> Iterator[str]:
    if not steps:
        yield "it has no thresholds, not even the colour of what is good"
        return
    bounds = [each.get("value") for each in steps]
    rest = [bound for bound in bounds[1:] if isinstance(bound, int | float)]
    if bounds[0] is not None or len(rest) < len(bounds) - 1 or any(a >= b for a, b in pairwise(rest)):
        yield f"its thresholds {bounds} do not rise from null"


def _places(panels: list[Object]) -> Iterator[str]:
    numbers = Counter(panel.get("id") if isinstance(panel.get("id"), int) else None for panel in panels)
    if None in numbers:
        yield "a panel has no number"
    for number, count in numbers.items():
        if number is not None and count > 1:
            yield f"{count} panels have the number {number}"
    taken: dict[tuple[int, int], Json] = {}
    for panel in panels:
        title = panel.get("title")
        x, y, width, height = (inside(panel, "gridPos", key) for key in ("x", "y", "w", "h"))
        if not (isinstance(x, int) and isinstance(y, int) and isinstance(width, int) and isinstance(height, int)):
            yield f"panel {title!r} has no place"
            continue
        if not (x >= 0 and y >= 0 and width > 0 and height > 0 and x + width <= COLUMNS):
            yield f"panel {title!r} is not on the grid of {COLUMNS} columns"
            continue
        cells = [(column, line) for column in range(x, x + width) for line in range(y, y + height)]
        beneath = next((taken[cell] for cell in cells if cell in taken), None)
        if beneath is not None:
            yield f"panel {title!r} lies over {beneath!r}"
        taken |= dict.fromkeys(cells, title)


def _query(promql: str, names: tuple[str, ...], ranges: frozenset[str]) -> Iterator[str]:
    unknown = [name for name in variables_of(promql) if name not in names and name not in OF_GRAFANA]
    if unknown:
        yield f"its query names `${unknown[0]}`, which is no variable of the dashboard"
        return
    values = values_of(namespace="some-namespace", workload="(one|other)", cluster="some-cluster")
    problem = problem_of_expression(filled(promql, values))
    if problem is not None:
        yield f"its query is no PromQL: {problem}"
    fixed = [each for each in _RANGE.findall(promql) if each != "$__rate_interval" and each not in ranges]
    if fixed:
        yield f"its query has the range [{fixed[0]}], expected [$__rate_interval]"
