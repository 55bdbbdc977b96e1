"""Alerts of others: evidence while they fire for the rollout's workload, began after its start, and are known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard.judge import Recovery, alerts_over, firing_alerts
from rollguard.model.alerting import Category, ReceivedAlert
from rollguard.model.judgement import Attribution, LevelReading, Verdict, VerdictKind
from rollguard.model.signals import LevelName, SignalAlert
from rollguard.model.time import Instant
from tests.unit.judge.building import ERRORS, FIRST, STARTED, Case, lost, policy, run

SLOW = ReceivedAlert(
    name="CheckoutSlow",
    fingerprint="c0ffee",
    deployment="api",
    starts=STARTED.plus(40),
    recorded=STARTED.plus(52),
    summary="Checkout takes longer than 3 s",
)
OWN = replace(
    ERRORS,
    alerts=(
        SignalAlert(
            name="RollbackErrorRate", level=LevelName.ROLLBACK, category=Category.DEPLOYMENT, seconds=300.0, over=300.0
        ),
    ),
)
NOW = STARTED.plus(60)


def after(*alerts: ReceivedAlert, muted: Instant | None = None) -> Verdict:
    return Case((OWN,)).see(alerts=alerts, muted=muted, now=NOW)


def trace(verdict: Verdict, name: str = "alert CheckoutSlow") -> LevelReading:
    (reading,) = (each for each in verdict.readings if each.signal == name)
    return reading


def test_an_alert_that_fires_since_the_rollout_began_makes_it_bad_and_says_what_since_when_and_why() -> None:
    verdict = after(SLOW)
    (finding,) = verdict.findings
    assert verdict.kind is VerdictKind.BAD
    said = f"alert CheckoutSlow: firing since {SLOW.starts.iso_second()}, bound none: Checkout takes longer than 3 s"
    assert verdict.why == finding.text == said
    assert (finding.level, finding.since, finding.attribution) == (LevelName.ROLLBACK, SLOW.starts, Attribution.RELEASE)
    # it did not fire before: the interlocks know what it is compared with
    assert (finding.reference.source, finding.reference.value) == ("before the rollout", 0.0)
    assert (trace(verdict).reached, trace(verdict).since, trace(verdict).text) == (True, SLOW.starts, said)


@pytest.mark.parametrize(
    ("alert", "why"),
    [
        (replace(SLOW, starts=STARTED), f"it began at {STARTED.iso_second()}, not after the rollout"),
        (replace(SLOW, starts=STARTED.plus(-1)), f"it began at {STARTED.plus(-1).iso_second()}, not after the rollout"),
        (replace(SLOW, ended=STARTED.plus(50)), f"it ended at {STARTED.plus(50).iso_second()}"),
    ],
    ids=["at the very start", "before it", "resolved"],
)
def test_what_began_before_or_has_ended_is_silent_and_the_trace_says_why(alert: ReceivedAlert, why: str) -> None:
    verdict = after(alert)
    assert verdict.kind is VerdictKind.UNDECIDED and verdict.findings == ()
    assert (trace(verdict).reached, trace(verdict).lacks) == (False, why)


def test_an_alert_on_a_signal_that_the_judge_reads_itself_never_counts() -> None:
    verdict = after(replace(SLOW, name="RollbackErrorRate"))
    assert verdict.kind is VerdictKind.UNDECIDED and verdict.findings == ()
    assert trace(verdict, "alert RollbackErrorRate").lacks == "the judge reads error-rate itself"


def test_it_does_not_count_beside_the_level_either_nor_while_the_judge_is_blind() -> None:
    own = replace(SLOW, name="RollbackErrorRate")
    bad = Case((OWN,)).see(run([(5, 20)] * 20), alerts=(own,))
    assert [finding.signal for finding in bad.findings if finding.level is LevelName.ROLLBACK] == ["error-rate"]
    blind = Case((OWN,)).see([lost(FIRST + n) for n in range(3)], alerts=(own,))
    assert blind.kind is VerdictKind.BLIND and blind.findings == ()


def test_while_the_guards_incident_is_open_an_alert_recorded_before_is_unknown() -> None:
    verdict = after(SLOW, muted=SLOW.recorded)
    assert verdict.kind is VerdictKind.UNDECIDED and verdict.findings == ()
    # neither firing nor ended: what was found before stands
    assert trace(verdict).value is None
    assert trace(verdict).lacks.startswith("not known")


def test_one_that_the_incident_does_not_mute_is_evidence_for_as_long_as_no_end_is_told() -> None:
    shop = replace(SLOW, inhibited=False)
    assert after(shop, muted=NOW).kind is VerdictKind.BAD
    assert after(replace(shop, ended=STARTED.plus(58)), muted=NOW).kind is VerdictKind.UNDECIDED


def test_one_that_comes_after_the_incident_was_opened_is_evidence() -> None:
    assert after(SLOW, muted=SLOW.recorded.plus(-0.001)).kind is VerdictKind.BAD


def test_an_end_is_believed_also_while_the_incident_is_open() -> None:
    verdict = after(replace(SLOW, ended=STARTED.plus(58)), muted=NOW)
    assert trace(verdict).value == 0.0


def test_the_same_alert_of_several_pods_is_one_finding() -> None:
    again = replace(SLOW, fingerprint="deaf", starts=STARTED.plus(45))
    (finding,) = after(again, SLOW, replace(SLOW, fingerprint="f00d", starts=STARTED.plus(-5))).findings
    assert (finding.value, finding.since) == (2.0, SLOW.starts)
    assert "(2 times)" in finding.text


def test_its_end_withdraws_it_and_the_release_is_not_called_healthy_for_it() -> None:
    case = Case((OWN,))
    assert case.see(alerts=(SLOW,), now=NOW).kind is VerdictKind.BAD
    gone = case.see(
        run([(0, 100)] * 40), alerts=(replace(SLOW, ended=NOW),), now=STARTED.plus(case.timing.automatic + 30)
    )
    assert gone.kind is VerdictKind.UNDECIDED
    assert gone.why == "a level or an event rule was reached in the automatic part"


def test_a_workload_suffers_by_the_alerts_of_others_that_fire() -> None:
    ended = replace(SLOW, name="Other", ended=NOW)
    found = firing_alerts(
        (SLOW, replace(SLOW, fingerprint="1"), ended, replace(SLOW, name="RollbackErrorRate")), policy(OWN)
    )
    assert found == ("alert CheckoutSlow",)


@pytest.mark.parametrize(
    ("alerts", "recovery", "detail"),
    [
        ((replace(SLOW, ended=NOW),), Recovery.YES, f"alert CheckoutSlow: ended at {NOW.iso_second()}"),
        ((SLOW,), Recovery.NO_TRAFFIC, "alert CheckoutSlow: nobody has told its end"),
        ((), Recovery.NO_TRAFFIC, "alert CheckoutSlow: nobody has told its end"),
        (
            (replace(SLOW, starts=NOW.plus(1)),),
            Recovery.NO,
            f"alert CheckoutSlow: firing again since {NOW.plus(1).iso_second()}",
        ),
    ],
    ids=["ended", "still recorded as firing", "not known any more", "began after the rollback"],
)
def test_a_rollback_has_helped_once_the_alert_has_ended(
    alerts: tuple[ReceivedAlert, ...], recovery: Recovery, detail: str
) -> None:
    look = alerts_over(("alert CheckoutSlow",), alerts, since=NOW)
    assert (look.recovery, look.detail) == (recovery, detail)
