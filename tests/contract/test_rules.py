"""Prometheus' own tool takes the rendered rules, and their rendered tests hold; broken rules fail them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab import programs
from rollguard.model.policy import Policy
from rollguard.render.alerts import alerts, recordings, rule_files
from rollguard.render.alerts import test_file as file_of_tests
from rollguard.render.alerts.proof import cases
from tests.contract.alert_stories import STORIES
from tests.contract.prove_alerts import differences, seen
from tests.contract.rule_policies import POLICIES, policy_of


def promtool(*arguments: str) -> tuple[int, str]:
    """Exit code and what the tool prints."""
    found = programs.require(["promtool"])["promtool"]
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def written(policy: Policy, directory: Path) -> tuple[Path, Path]:
    """The bare rules and their tests, as they are rendered."""
    for file in (*rule_files(policy), file_of_tests(policy)):
        path = directory / file.path
        path.parent.mkdir(exist_ok=True)
        path.write_text(file.text)
    return directory / "rules/rollguard.rules.yaml", directory / "rules/rollguard.rules.test.yaml"


every_policy = pytest.mark.parametrize("policy", [policy_of(text) for text in POLICIES.values()], ids=list(POLICIES))


@every_policy
def test_the_rules_are_good(policy: Policy, tmp_path: Path) -> None:
    rules, _ = written(policy, tmp_path)
    code, said = promtool("check", "rules", "--lint=all", "--lint-fatal", str(rules))
    assert code == 0, said
    assert "SUCCESS" in said


@every_policy
def test_the_rendered_tests_of_the_rules_hold(policy: Policy, tmp_path: Path) -> None:
    _, tests = written(policy, tmp_path)
    code, said = promtool("test", "rules", str(tests))
    assert code == 0, said


@every_policy
def test_every_alert_is_tested(policy: Policy) -> None:
    assert {case.fires.alert for case in cases(policy)} == set(alerts(policy))


def test_each_fault_of_the_platform_sets_off_its_own_alerts_and_no_other() -> None:
    assert differences(policy_of(POLICIES["platform"])) == []


def test_a_bound_that_is_changed_changes_what_fires() -> None:
    policy = policy_of(POLICIES["platform"].replace("  signals:\n", f"  signals:\n{STRICTER}", 1))
    story = next(each for each in STORIES if each.name == "8% errors")
    fired = seen(policy, (story,))[story.name]
    assert fired == story.fires | {"RollbackErrorRate critical"}


@pytest.mark.parametrize("workloads", [1, 1000])
def test_the_number_of_rules_does_not_grow_with_the_workloads(workloads: int) -> None:
    names = [f"service-{number}" for number in range(workloads)]
    policy = policy_of(POLICIES["smallest"].replace("workloads: [web]", f"workloads: {names}".replace("'", "")))
    assert (len(alerts(policy)), len(recordings(policy))) == (13, 5)
    assert len(rule_files(policy)[1].text) < 20_000


STRICTER = "    errors: {levels: {rollback: {above: 7%}}}\n"
BROKEN = {
    "a bound": ("deployment:errors:ratio_rate5m > 0.1", "deployment:errors:ratio_rate5m > 0.2"),
    "a duration": ('for: "10m"', 'for: "9m"'),
    "a label": ('severity: "critical"', 'severity: "warning"'),
    "a description": ("the bound is > 10%", "the bound is > 8%"),
    "the minimum of traffic": ("requests_increase5m >= 20", "requests_increase5m >= 0"),
    "two exporters": (
        "max by (namespace, deployment) (kube_deployment_spec_replicas",
        "(kube_deployment_spec_replicas",
    ),
}


@pytest.mark.parametrize(("old", "new"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_fails_its_test(old: str, new: str, tmp_path: Path) -> None:
    rules, tests = written(policy_of(POLICIES["smallest"]), tmp_path)
    text = rules.read_text()
    assert old in text
    rules.write_text(text.replace(old, new))
    code, said = promtool("test", "rules", str(tests))
    assert code == 1
    assert "FAILED" in said or "error" in said
