"""Dashboards against the schema that Grafana publishes, as its own generated code reads it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from lab import programs
from rollguard.cli.policy import read
from rollguard.model.policy import Policy
from rollguard.render.dashboards import dashboards
from tests.unit.policy.texts import WITH_SET, added, good

PLATFORM = Path(__file__).parents[2] / "examples" / "dubbing-platform" / "policy.yaml"


def problems(text: str) -> str:
    """What the schema does not know, misses or wants otherwise; empty where nothing is wrong."""
    check = programs.require(["dashboard-check"])["dashboard-check"]
    answer = subprocess.run([check], input=text, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode in (0, 1), answer.stderr
    assert bool(answer.stdout.strip()) is (answer.returncode == 1)
    return answer.stdout


def policies() -> dict[str, Policy]:
    return {
        "the platform": read(PLATFORM),
        "a small one": good(WITH_SET),
        "with runbooks": good(added("links: {runbook: 'https://example.com/runbooks'}")),
    }


@pytest.mark.parametrize("name", ["the platform", "a small one", "with runbooks"])
def test_every_dashboard_is_as_grafanas_schema_wants_it(name: str) -> None:
    for file in dashboards(policies()[name], "monitoring"):
        if file.path.endswith(".json"):
            assert problems(file.text) == "", file.path


def test_the_schema_reaches_into_panels_queries_and_options() -> None:
    text = dashboards(good(WITH_SET), "monitoring")[0].text
    dashboard = json.loads(text)
    first = next(panel for panel in dashboard["panels"] if panel["type"] == "timeseries")
    first["options"]["unheard"] = True
    first["targets"][0]["unheard"] = True
    first["fieldConfig"]["defaults"]["custom"]["lineWidth"] = "thick"
    del dashboard["templating"]
    told = problems(json.dumps(dashboard))
    for each in ("options.Options: unexpected field 'unheard'", "Dataquery: unexpected field 'unheard'", "lineWidth"):
        assert each in told
    assert "templating: required field is missing" in told
