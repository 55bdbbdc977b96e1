"""What three other policies are rendered to, line by line: the smallest possible, rolling Deployments only, and several
clusters whose store calls the labels otherwise. Their rules are golden in test_golden_rules.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollguard.cli.install import objects_of
from rollguard.render.around import service_monitor
from rollguard.render.automation import MONITOR_PATH
from rollguard.render.automation import PATH as AUTOMATION_PATH
from rollguard.render.routing import PATH as ROUTING_PATH
from rollguard.render.routing import routing
from rollguard.render.yaml_text import to_yaml
from tests.unit.policy.texts import good
from tests.unit.render.pages import pages
from tests.unit.render.policies import POLICIES
from tests.unit.render.test_installation import DEFINITIONS

GOLDEN = Path(__file__).parents[2] / "golden" / "others"
GUIDES = ("DEPLOYMENT_RUNBOOK.md", "NORMAL_RANGES.md", "PRODUCTION_ENVIRONMENT.md", "runbooks/README.md")
SOME = {
    "smallest": ("runbooks/RollbackErrors.md", "runbooks/RolloutStuck.md"),
    "rolling": ("runbooks/HighErrorRate.md", "runbooks/DatabaseMigrationFailed.md"),
    "clusters": ("runbooks/HighResponseTime.md", "runbooks/TargetMissing.md", "runbooks/GuardJournalUnreached.md"),
}
"""Some runbooks of each: all of them would only repeat the same commands."""


def rendered(name: str, directory: Path) -> dict[str, str]:
    """The files by their paths, without the definitions, which are the same for all."""
    text = POLICIES[name]
    policy, file = good(text), directory / "policy.yaml"
    file.write_text(text)
    (alertmanager,) = routing(policy, "monitoring")
    objects = objects_of(file, namespace="monitoring", image="rollguard:golden")
    written = pages(policy)
    return {
        AUTOMATION_PATH: to_yaml(each for each in objects if each["kind"] not in DEFINITIONS),
        MONITOR_PATH: to_yaml([service_monitor(policy, "monitoring")]),
        ROUTING_PATH: alertmanager.text,
        **{path: written[path] for path in (*GUIDES, *SOME[name])},
    }


@pytest.mark.golden
@pytest.mark.parametrize("name", SOME)
def test_what_another_policy_is_rendered_to_is_golden(name: str, renew_golden: bool, tmp_path: Path) -> None:
    found = rendered(name, tmp_path)
    if renew_golden:
        for path, text in found.items():
            (GOLDEN / name / path).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / name / path).write_text(text)
    here = {
        file.relative_to(GOLDEN / name).as_posix(): file.read_text()
        for file in (GOLDEN / name).rglob("*")
        if file.is_file()
    }
    assert found.keys() == here.keys()
    for path, text in found.items():
        assert text == here[path], f"{path}: read the difference, then renew by --renew-golden"
