"""Which alerts fire in which scenario, expected and seen, by promtool: `python -m tests.contract.prove_alerts`."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from lab import programs
from rollguard.model.documents import Json
from rollguard.model.policy import Policy
from rollguard.render.alerts import alerts, rule_files
from rollguard.render.alerts.written import groups
from rollguard.render.yaml_text import to_yaml
from tests.contract.alert_scenarios import A_MINUTE, LOOK, Scenario
from tests.contract.alert_stories import STORIES
from tests.contract.rule_policies import PLATFORM, policy_of

_TEST = re.compile(r"name: (.*),$", re.MULTILINE)
_FIRED = re.compile(r'Labels:\{alertname="(\w+)".*?severity="(\w+)"')


def seen(policy: Policy, stories: tuple[Scenario, ...]) -> dict[str, frozenset[str]]:
    """The alerts that fire in each scenario, as `Name severity`, and what promtool says against a rule.

    Each is said to fire nowhere: what promtool says against that is what fires.
    """
    names = list(dict.fromkeys(alert.name for alert in alerts(policy)))
    order = [each["name"] for each in groups(policy) if isinstance(each, dict)]
    with tempfile.TemporaryDirectory() as folder:
        for file in rule_files(policy):
            (Path(folder) / Path(file.path).name).write_text(file.text)
        document: Json = {
            "rule_files": ["rollguard.rules.yaml"],
            "evaluation_interval": "1m",
            "group_eval_order": order,
            "tests": [_silent(story, names) for story in stories],
        }
        tests = Path(folder) / "tests.yaml"
        tests.write_text(to_yaml([document]))
        promtool = programs.require(["promtool"])["promtool"]
        done = subprocess.run([promtool, "test", "rules", tests], capture_output=True, text=True, check=False)
    return _read(done.stdout + done.stderr, stories)


def _silent(story: Scenario, names: list[str]) -> Json:
    """A test by which no alert fires."""
    return {
        "name": story.name,
        "interval": f"{60 // A_MINUTE}s",
        "input_series": [{"series": key, "values": values} for key, values in story.series.items()],
        "alert_rule_test": [{"eval_time": f"{LOOK}m", "alertname": name, "exp_alerts": []} for name in names],
    }


def _read(said: str, stories: tuple[Scenario, ...]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {story.name: set() for story in stories}
    parts = _TEST.split(said)
    for name, text in zip(parts[1::2], parts[2::2], strict=True):
        found[name] |= {f"{alert} {severity}" for alert, severity in _FIRED.findall(text)}
        if "err:" in text:
            found[name].add(text.strip())
    if not any(found.values()):
        raise RuntimeError(f"promtool tried nothing: {said}")
    return {name: frozenset(fired) for name, fired in found.items()}


def differences(policy: Policy) -> list[str]:
    """What is missing or too much, and which alerts are in no scenario, in words; prints the table."""
    fired = seen(policy, STORIES)
    found: list[str] = []
    for story in STORIES:
        is_ = fired[story.name]
        print(f"{story.name}\n  expected {_line(story.fires)}\n  fired    {_line(is_)}")
        if is_ != story.fires:
            found.append(f"{story.name}: missing {_line(story.fires - is_)}, too much {_line(is_ - story.fires)}")
    never = {f"{alert.name} {alert.severity.value}" for alert in alerts(policy)}
    never -= {each for story in STORIES for each in story.fires}
    print(f"\n{len(STORIES)} scenarios")
    return [*found, *([f"in no scenario: {_line(frozenset(never))}"] if never else [])]


def _line(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def main() -> int:
    """Prints the table; 1 where an alert does not fire as it should."""
    found = differences(policy_of(PLATFORM))
    for each in found:
        print(f"DIFFERENCE {each}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
