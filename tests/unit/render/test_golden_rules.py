"""The rule files of the platform and of three other policies, line by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollguard.cli.policy import read
from rollguard.model.alerting import ROLLBACK
from rollguard.render.alerts.table import alerts
from rollguard.render.alerts.written import RULES_PATH, rule_files
from tests.unit.policy.texts import good
from tests.unit.render.policies import POLICIES

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "rules"
PLATFORM = ROOT / "examples" / "dubbing-platform" / "policy.yaml"


@pytest.mark.golden
@pytest.mark.parametrize("name", ["platform", "smallest", "rolling", "clusters"])
def test_the_rules_of_a_policy_are_the_golden_ones(name: str, renew_golden: bool) -> None:
    policy = good(POLICIES[name]) if name in POLICIES else read(PLATFORM)
    (text,) = (file.text for file in rule_files(policy) if file.path == RULES_PATH)
    file = GOLDEN / f"{name}.yaml"
    if renew_golden:
        file.write_text(text)
    assert text == file.read_text(), "read the difference, then renew by --renew-golden"


@pytest.mark.parametrize("name", ["platform", "smallest", "rolling", "clusters"])
def test_what_asks_for_a_rollback_is_an_alert_of_a_signal_that_the_judge_knows_as_its_own(name: str) -> None:
    policy = good(POLICIES[name]) if name in POLICIES else read(PLATFORM)
    asking = [alert for alert in alerts(policy) if ROLLBACK in alert.labels]
    assert asking
    assert [policy.signal_of_alert(alert.name) for alert in asking] == [alert.signal for alert in asking]
    assert "" not in {alert.signal for alert in asking}
