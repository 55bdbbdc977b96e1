"""The rules of dashboards: each is broken once, and is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from rollguard.render.dashboards import lint
from rollguard.render.dashboards.every import every
from rollguard.render.dashboards.grafana import json_of
from tests.unit.policy.texts import GOOD, good

Change = Callable[[dict[str, Any]], object]


def whole() -> dict[str, Any]:
    """A good dashboard: that of the small policy's rollouts."""
    made: dict[str, Any] = json.loads(json.dumps(json_of(every(good(GOOD))[0])))
    return made


def panel(dashboard: dict[str, Any], title: str = "Errors") -> dict[str, Any]:
    (found,) = (each for each in dashboard["panels"] if each["title"] == title)
    assert isinstance(found, dict)
    return found


def target(dashboard: dict[str, Any]) -> dict[str, Any]:
    found = panel(dashboard)["targets"][0]
    assert isinstance(found, dict)
    return found


def variable(dashboard: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (each for each in dashboard["templating"]["list"] if each["name"] == name)
    assert isinstance(found, dict)
    return found


def steps(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    found = panel(dashboard)["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert isinstance(found, list)
    return found


def test_our_own_dashboard_breaks_no_rule() -> None:
    assert lint.problems(whole()) == ()


BROKEN: dict[str, tuple[Change, str]] = {
    "asks at import": (lambda all_: all_.update(__inputs=[]), "it has `__inputs`"),
    "requires at import": (lambda all_: all_.update(__requires=[]), "it has `__requires`"),
    "another Grafana's number": (lambda all_: all_.update(id=7), "its `id` is not null"),
    "no uid": (lambda all_: all_.update(uid=None), "its uid is None"),
    "a uid that is too long": (lambda all_: all_.update(uid="x" * 41), "its uid is 'xxx"),
    "no title": (lambda all_: all_.update(title=""), "it has no title"),
    "no description": (lambda all_: all_.update(description=""), "it has no description"),
    "no tags": (lambda all_: all_.update(tags=[]), "it has no tags"),
    "another schema": (lambda all_: all_.update(schemaVersion=16), "its schemaVersion is 16"),
    "no panels": (lambda all_: all_.update(panels=[]), "it has no panels"),
    "variables in another order": (
        lambda all_: all_["templating"]["list"].reverse(),
        "its variables are workload, namespace, datasource",
    ),
    "no choice of the data source": (
        lambda all_: all_["templating"]["list"].pop(0),
        "it has no variable `datasource`",
    ),
    "a variable without a label": (
        lambda all_: variable(all_, "namespace").update(label=""),
        "variable `namespace` has no label",
    ),
    "a variable of a fixed data source": (
        lambda all_: variable(all_, "namespace").update(datasource={"type": "prometheus", "uid": "abc"}),
        "variable `namespace` does not ask the chosen data source",
    ),
    "a variable that asks by a later one": (
        lambda all_: variable(all_, "namespace")["query"].update(query="label_values(up{pod=~'$workload'}, namespace)"),
        "variable `namespace` asks by `$workload`",
    ),
    "a mark of a fixed data source": (
        lambda all_: all_["annotations"]["list"][0].update(datasource=None),
        "mark 'Rollouts under guard' does not ask the chosen data source",
    ),
    "a mark without a title": (
        lambda all_: all_["annotations"]["list"][0].update(titleFormat=""),
        "mark 'Rollouts under guard' has no title",
    ),
    "a panel without a title": (lambda all_: panel(all_).update(title=""), "panel '': it has no title"),
    "an old kind of panel": (lambda all_: panel(all_).update(type="graph"), "its type 'graph' is none of"),
    "a panel without a description": (lambda all_: panel(all_).update(description=""), "'Errors': it has no desc"),
    "a panel without a unit": (
        lambda all_: panel(all_)["fieldConfig"]["defaults"].update(unit=""),
        "panel 'Errors': it has no unit",
    ),
    "a panel without a query": (lambda all_: panel(all_).update(targets=[]), "panel 'Errors': it asks nothing"),
    "a panel of a fixed data source": (
        lambda all_: panel(all_).update(datasource={"type": "prometheus", "uid": "abc"}),
        "panel 'Errors': it does not ask the chosen data source",
    ),
    "a query of a fixed data source": (
        lambda all_: target(all_).pop("datasource"),
        "panel 'Errors': it does not ask the chosen data source",
    ),
    "two queries with one name": (
        lambda all_: panel(all_)["targets"].append(target(all_)),
        "its queries' refIds are not unique: A, A",
    ),
    "a legend of a label that the query drops": (
        lambda all_: target(all_).update(legendFormat="{{pod_ip}}"),
        "its legend names the label `pod_ip`",
    ),
    "no thresholds": (lambda all_: steps(all_).clear(), "it has no thresholds"),
    "thresholds that do not begin": (lambda all_: steps(all_)[0].update(value=0), "do not rise from null"),
    "thresholds that fall": (
        lambda all_: steps(all_).append({"value": 0.001, "color": "red"}),
        "do not rise from null",
    ),
    "a panel without a number": (lambda all_: panel(all_).pop("id"), "a panel has no number"),
    "two panels with one number": (
        lambda all_: panel(all_).update(id=panel(all_, "Worst verdict")["id"]),
        "2 panels have the number",
    ),
    "a panel without a place": (lambda all_: panel(all_).pop("gridPos"), "panel 'Errors' has no place"),
    "a panel beside the grid": (lambda all_: panel(all_)["gridPos"].update(x=13), "is not on the grid of 24 columns"),
    "panels over each other": (
        lambda all_: panel(all_).update(gridPos=panel(all_, "Worst verdict")["gridPos"]),
        "panel 'Errors' lies over 'Worst verdict'",
    ),
    "a variable that nobody knows": (
        lambda all_: target(all_).update(expr='up{job="$job"}'),
        "'Errors': its query names `$job`",
    ),
    "no PromQL": (lambda all_: target(all_).update(expr="sum by (deployment) (up"), "its query is no PromQL"),
    "a range of its own": (
        lambda all_: target(all_).update(expr="sum by (deployment) (rate(http_requests_total[5m]))"),
        "its query has the range [5m]",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_a_rule_is_told(name: str) -> None:
    change, told = BROKEN[name]
    dashboard = whole()
    change(dashboard)
    found = lint.problems(dashboard)
    assert any(told in each for each in found), found


def test_a_range_that_the_policy_itself_writes_is_the_policys() -> None:
    dashboard = whole()
    target(dashboard).update(expr="sum by (deployment) (rate(http_requests_total[5m]))")
    assert lint.problems(dashboard, frozenset({"5m"})) == ()
