"""Alertmanager's own tool takes what is rendered, and says who is told of each alert."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab import programs
from rollguard.model.channels import SecretKey
from rollguard.model.policy import Policy, QuietWindow
from rollguard.render.routing import routing
from tests.contract.alert_cases import ALL, PLATFORM, Case, cases, platform, receivers

KEYS = {
    "the platform's": PLATFORM,
    "all channels": ALL,
    "a webhook each": (
        SecretKey.SLACK_WEBHOOK_URL_DEPLOYMENTS,
        SecretKey.SLACK_WEBHOOK_URL_WARNINGS,
        SecretKey.SLACK_WEBHOOK_URL_INCIDENTS,
    ),
    "none": (),
}
QUIET = (
    QuietWindow(name="nights", days=(4, 6), begin=1320, end=360, time_zone="Europe/Berlin", reason="nobody looks"),
    QuietWindow(name="lunch", days=(), begin=720, end=780, time_zone="UTC", reason="nobody looks"),
)
SEVERITIES = ("critical", "warning", "info", "none")
CATEGORIES = ("deployment", "resource", "database", "autoscaling", "guard", "another")


def amtool(*arguments: str) -> str:
    """What the tool prints; fails the test where it refuses."""
    found = programs.require(["amtool"])["amtool"]
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"amtool {arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def written(policy: Policy, directory: Path) -> Path:
    (file,) = routing(policy, "monitoring")
    path = directory / file.path
    path.write_text(file.text)
    return path


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a Secret that holds everything."""
    return written(platform(ALL), tmp_path_factory.mktemp("routes"))


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("quiet", [(), QUIET], ids=["always", "quiet windows"])
def test_the_configuration_is_good(keys: tuple[SecretKey, ...], quiet: tuple[QuietWindow, ...], tmp_path: Path) -> None:
    assert "SUCCESS" in amtool("check-config", str(written(platform(keys, quiet), tmp_path)))


def verify(config: Path, case: Case, *names: str) -> None:
    labels = [f"{name}={value}" for name, value in case.labels.items()]
    amtool("config", "routes", "test", f"--config.file={config}", f"--verify.receivers={','.join(names)}", *labels)


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.name}-{case.severity}")
def test_every_alert_goes_to_its_receivers(config: Path, case: Case) -> None:
    verify(config, case, *receivers(case))


def test_any_alert_of_any_severity_and_category_goes_to_somebody(config: Path) -> None:
    for severity in SEVERITIES:
        for category in CATEGORIES:
            for action in ("", "rollback"):
                case = Case(name="Any", severity=severity, category=category, action=action)
                verify(config, case, *receivers(case))


def test_an_alert_of_somebody_else_without_labels_goes_to_the_default(config: Path) -> None:
    amtool("config", "routes", "test", f"--config.file={config}", "--verify.receivers=deployment-alerts", "alertname=X")


def test_without_a_token_the_guard_is_not_told(tmp_path: Path) -> None:
    config = written(platform(PLATFORM), tmp_path)
    case = Case(name="RollbackErrorRate", severity="critical", category="deployment", action="rollback")
    verify(config, case, "pagerduty-critical", "deployment-alerts")
