"""The guard's own metrics, as Prometheus reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rollguard.adapters.journal.queue import JournalState
from rollguard.cli.exposition import AlertsCounted, exposition
from rollguard.loop import ChannelStatus, Status, UnitStatus
from rollguard.model.judgement import Phase, Verdict, VerdictKind
from rollguard.model.names import RolloutId
from rollguard.model.records import LifecycleState
from rollguard.model.time import Instant
from tests.unit.records import UNIT
from tests.unit.sets import PLATFORM

PAGE = Path(__file__).parents[3] / "docs" / "commands.md"


def whole_set() -> UnitStatus:
    """The platform, whose backend was switched to green a moment ago."""
    return UnitStatus(
        unit=PLATFORM.unit,
        rollout=RolloutId("platform-s1-abc"),
        state=LifecycleState.WATCHING,
        verdict=Verdict(kind=VerdictKind.DEGRADED, as_of=Instant(0), findings=(), gaps=(), readings=(), why=""),
        decision=None,
        error="",
        phase=Phase.STABILIZATION,
        brought=("backend-green",),
        live=(("backend", "green"), ("workers", "blue")),
        incident_open=True,
        automatic=True,
        stalled=True,
    )


def status() -> Status:
    """Of a leader with a workload, a release set and a policy that is not in force."""
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
        units=(unit, whole_set()),
        open_rollouts=1,
        blind_signals=("errors",),
        channels=(ChannelStatus(name="pagerduty", failed=2, detail="HTTP 401"),),
        outbox_pending=0,
        doctor_failures=(("rights", 2),),
        policy="",
        policy_mistakes=("spec.mode: ...",),
    )


AWAY = JournalState(problem="away", waiting=3, written=7, dropped=2)
CAME = AlertsCounted(deliveries={200: 4, 400: 1}, alerts={"recorded": 2, "malformed": 1})


def exposed(status: Status, watch_errors: Mapping[str, int] | None = None, journal: JournalState | None = None) -> str:
    return exposition(status, watch_errors or {}, CAME, namespace="monitoring", journal=journal)


def test_deliveries_are_counted_by_their_answer_and_alerts_by_what_became_of_them() -> None:
    lines = exposed(status()).splitlines()
    assert 'rollguard_alert_deliveries_total{status="400"} 1.0' in lines
    assert 'rollguard_alerts_total{outcome="recorded"} 2.0' in lines


def test_who_leads_is_told_by_the_guards_own_namespace() -> None:
    assert 'rollguard_leading{namespace="monitoring"} 1.0' in exposed(status())
    assert 'rollguard_leading{namespace="monitoring"} 0.0' in exposed(replace(status(), leading=False))


def test_failed_watches_and_a_policy_with_mistakes_show() -> None:
    text = exposed(status(), {"pods in production": 3, "events in production": 0})
    assert 'rollguard_watch_errors_total{collection="pods in production"} 3.0' in text
    assert 'rollguard_watch_errors_total{collection="events in production"} 0.0' in text
    assert 'rollguard_doctor_failures{check="rights"} 2.0' in text
    assert "rollguard_policy_valid 0.0" in text


def test_without_a_journal_nothing_is_said_of_one_and_with_one_whether_its_database_is_reached() -> None:
    assert "rollguard_journal" not in exposed(status())
    text = exposed(status(), journal=AWAY)
    assert {line for line in text.splitlines() if line.startswith("rollguard_journal")} == {
        'rollguard_journal_reached{namespace="monitoring"} 0.0',
        "rollguard_journal_waiting 3.0",
        "rollguard_journal_written_total 7.0",
        "rollguard_journal_dropped_total 2.0",
    }
    assert 'rollguard_journal_reached{namespace="monitoring"} 1.0' in exposed(
        status(), journal=replace(AWAY, problem="")
    )


def test_a_release_set_shows_what_is_live_how_it_stands_and_which_deployments_its_rollout_brought() -> None:
    lines = exposed(status()).splitlines()
    whole, green = 'deployment="",namespace="production",', 'deployment="backend-green",namespace="production",'
    told = {line for line in lines if line.startswith(("rollguard_rollout", "rollguard_live")) and "platform" in line}
    assert told == {
        f'rollguard_rollout_active{{{whole}set="platform"}} 1.0',
        f'rollguard_rollout_active{{{green}set="platform"}} 1.0',
        f'rollguard_rollout_phase{{{whole}phase="stabilization",set="platform"}} 1.0',
        f'rollguard_rollout_phase{{{green}phase="stabilization",set="platform"}} 1.0',
        f'rollguard_rollout_verdict{{{whole}set="platform",verdict="degraded"}} 1.0',
        f'rollguard_rollout_verdict{{{green}set="platform",verdict="degraded"}} 1.0',
        f'rollguard_rollout_state{{{whole}set="platform",state="watching"}} 1.0',
        f'rollguard_rollout_state{{{green}set="platform",state="watching"}} 1.0',
        'rollguard_live_colour{colour="green",member="backend",namespace="production",set="platform"} 1.0',
        'rollguard_live_colour{colour="blue",member="workers",namespace="production",set="platform"} 1.0',
    }


def test_an_incident_and_a_stalled_rollback_are_said_of_each_deployment_that_a_set_brought() -> None:
    lines = exposed(status()).splitlines()
    for name in ("rollguard_incident_open", "rollguard_rollback_stalled"):
        for deployment in ("", "backend-green"):
            assert f'{name}{{deployment="{deployment}",namespace="production",set="platform"}} 1.0' in lines
        assert f'{name}{{deployment="translation",namespace="production",set=""}} 0.0' in lines
    assert 'rollguard_blind{deployment="backend-green",namespace="production",set="platform"} 0.0' in lines
    assert 'rollguard_hold_unanswered{deployment="backend-green",namespace="production",set="platform"} 0.0' in lines


def test_a_hold_or_a_question_without_an_answer_is_said_of_the_set_and_of_what_it_brought() -> None:
    held = replace(whole_set(), state=LifecycleState.HELD)
    for unit, value in (held, "0.0"), (replace(held, unanswered=True), "1.0"):
        lines = exposed(replace(status(), units=(unit,))).splitlines()
        for deployment in ("", "backend-green"):
            labels = f'deployment="{deployment}",namespace="production",set="platform"'
            assert f"rollguard_hold_unanswered{{{labels}}} {value}" in lines


def test_the_page_lists_every_metric_with_its_labels() -> None:
    text = exposed(status(), {"pods in production": 3}, AWAY)
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    samples = re.findall(r"^(\w+)(?:\{([^}]*)\})? ", text, re.MULTILINE)
    assert len({name for name, _ in samples}) == len(families), "each family has a sample here"
    labelled = {name: set(re.findall(r"(\w+)=", labels)) for name, labels in samples}
    table = PAGE.read_text().partition("## The controller's own metrics")[2]
    listed = re.findall(r"`(rollguard_\w+)(?:\{([\w,]+)\})?`", table)
    assert {name: set(re.findall(r"\w+", labels)) for name, labels in listed} == labelled
    assert len(listed) == len(labelled), "each once"


def test_each_channel_shows_what_it_took_what_failed_and_whether_it_is_configured() -> None:
    channels = (
        *status().channels,
        ChannelStatus(name="slack-deployments", accepted=3),
        ChannelStatus(name="slack-warnings", detail="no secret", configured=False),
    )
    told = exposed(replace(status(), channels=channels))
    assert 'rollguard_notices_failed_total{channel="pagerduty"} 2.0' in told
    assert 'rollguard_notices_accepted_total{channel="slack-deployments"} 3.0' in told
    assert 'rollguard_channel_configured{channel="slack-deployments"} 1.0' in told
    assert 'rollguard_channel_configured{channel="slack-warnings"} 0.0' in told
