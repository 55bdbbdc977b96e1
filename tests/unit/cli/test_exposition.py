"""The guard's own metrics, as Prometheus reads them."""

from __future__ import annotations

import re
from pathlib import Path

from rollguard.cli.exposition import exposition
from rollguard.loop import Status, UnitStatus
from tests.unit.records import UNIT

PAGE = Path(__file__).parents[3] / "docs" / "commands.md"


def status() -> Status:
    """Of a leader with a workload and a policy that is not in force."""
    unit = UnitStatus(unit=UNIT, rollout=None, state=None, verdict=None, decision=None, error="")
    return Status(
        leading=True,
        active=True,
        waiting="",
        standby=False,
        epoch=4,
        ticks=1,
        late_ticks=0,
        last_tick_seconds=0.1,
        since_look=3.0,
        tick=15.0,
        errors=0,
        units=(unit,),
        open_rollouts=0,
        blind_signals=("errors",),
        outbox_pending=0,
        doctor_failures=(("rights", 2),),
        policy="",
        policy_mistakes=("spec.mode: ...",),
    )


def test_failed_watches_and_a_policy_with_mistakes_show() -> None:
    text = exposition(status(), {"pods in production": 3, "events in production": 0})
    assert 'rollguard_watch_errors_total{collection="pods in production"} 3.0' in text
    assert 'rollguard_watch_errors_total{collection="events in production"} 0.0' in text
    assert 'rollguard_doctor_failures{check="rights"} 2.0' in text
    assert "rollguard_policy_valid 0.0" in text


def test_the_page_lists_every_metric_with_its_labels() -> None:
    text = exposition(status(), {"pods in production": 3})
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    samples = re.findall(r"^(\w+)(?:\{([^}]*)\})? ", text, re.MULTILINE)
    assert len({name for name, _ in samples}) == len(families), "each family has a sample here"
    labelled = {name: set(re.findall(r"(\w+)=", labels)) for name, labels in samples}
    table = PAGE.read_text().partition("## The controller's own metrics")[2]
    listed = re.findall(r"`(rollguard_\w+)(?:\{([\w,]+)\})?`", table)
    assert {name: set(re.findall(r"\w+", labels)) for name, labels in listed} == labelled
    assert len(listed) == len(labelled), "each once"
