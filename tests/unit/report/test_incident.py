"""The incident report tells the whole story from the record alone."""

from __future__ import annotations

from dataclasses import replace

from rollguard.model.action import DecisionKind
from rollguard.model.records import Response, TimelineEntry
from rollguard.report import account, figures, images_between, incident_markdown, numbers_between, summary
from tests.unit.records import START, rollout_record
from tests.unit.undo.colours import Cluster, run


def test_the_report_has_evidence_actions_and_timeline_with_value_and_bound() -> None:
    page = incident_markdown(rollout_record())
    for fact in (
        "# Incident INC-translation-r2: production/translation",
        "| error-rate | rollback | 14.8% | 10% | 2026-11-03T02:00:30.000Z | new pods | old pods beside it: 0.2% |",
        "`configmap/translation-r2-bbb-uid1-evidence-1`",
        "| 1 | restore-template | Deployment `translation` | done | generation 7 |",
        "| 2026-11-03T02:05:31.000Z | +331.0 s | rollguard | step | template of revision 1 restored |",
        "| Start to old version restored | 331.0 s |",
    ):
        assert fact in page


def test_what_mode_observe_kept_the_guard_from_is_in_the_summary() -> None:
    would = Response(at=START.plus(330), kind=DecisionKind.ROLL_BACK, would=True, reason="error-rate 14.8% > 10%")
    page = incident_markdown(replace(rollout_record(), responses=(would,)))
    row = "would have rolled back at 2026-11-03T02:05:30Z, because error-rate 14.8% > 10%"
    assert f"| Not done, for it only observes | {row} |" in page


def test_what_did_not_happen_has_no_figure() -> None:
    quiet = replace(rollout_record(), timeline=(), plan=None, findings=(), evidence=())
    assert figures(quiet).to_undo is None
    page = incident_markdown(quiet)
    assert "Nothing was changed in the cluster." in page
    assert "No finding was recorded." in page


def test_a_table_survives_pipes_and_line_breaks_in_texts() -> None:
    odd = TimelineEntry(at=START, kind="human", text="a|b\nc", actor="alice")
    page = incident_markdown(replace(rollout_record(), timeline=(odd,)))
    assert "| alice | human | a\\|b c |" in page


def test_the_figures_are_of_the_rollback_and_not_of_an_earlier_page() -> None:
    record = rollout_record()
    paged = TimelineEntry(at=START.plus(150), kind="decision", text="Page: error-rate 6%")
    back = TimelineEntry(at=START.plus(340), kind="recovery", text="The old version is back in all pods")
    told = replace(record, timeline=(paged, *record.timeline, back))
    assert record.plan is not None
    assert figures(told).to_decision == record.plan.created.since(START)
    assert (figures(told).to_undo, figures(told).to_recovery) == (331.0, 480.0)
    assert figures(replace(told, outcome=None)).to_recovery is None


def test_what_it_was_for_stays_after_the_end_has_a_reason_of_its_own() -> None:
    record = replace(rollout_record(), why="error-rate 0.2%, inside its warning bound")
    assert record.plan is not None
    page = incident_markdown(record)
    assert f"| Verdict | bad: {record.plan.reason} |" in page
    assert "| State | recovered: error-rate 0.2%, inside its warning bound |" in page


def test_an_order_while_nothing_rolled_out_tells_what_ran_what_came_back_and_who_wanted_it() -> None:
    before = TimelineEntry(at=START.plus(-0.01), kind="human", text="Rollback ordered", actor="ana")
    ordered = replace(
        rollout_record(),
        order="rollback-1",
        baseline=None,
        baseline_number=None,
        baseline_images=(),
        findings=(),
        timeline=(before,),
    )
    page = incident_markdown(ordered)
    assert ordered.plan is not None
    for fact in (
        "| What ran | revision 2: `registry.example.com/translation:v2` |",
        "| Put back | revision 1: `registry.example.com/translation:v1` |",
        f"| Ordered | {START.iso()}, while nothing rolled out |",
        f"| By | {ordered.plan.actor}: {ordered.plan.reason} |",
        "| Order to old version restored |",
        "Nothing was judged: a person ordered it.",
        "`configmap/translation-r2-bbb-uid1-evidence-1`",
        "| +0.0 s | ana |",
    ):
        assert fact in page, fact
    for strange in ("Version before", "Verdict", "Mode", "none known"):
        assert strange not in page
    assert (numbers_between(ordered), images_between(ordered)) == ("2->1", "v2->v1")
    assert summary([ordered]) == "1 rollout: 1 put back by order"


def test_a_first_revision_has_none_before_it() -> None:
    first = replace(rollout_record(), baseline=None, baseline_number=None, baseline_images=())
    assert numbers_between(first) == "none->2"
    assert images_between(first) == "registry.example.com/translation:v2"


def test_a_release_sets_report_names_its_members_and_the_steps_of_its_way_back() -> None:
    at = run(Cluster())
    at.turns(200)
    page = incident_markdown(at.record)
    for fact in (
        "| Member backend | from blue (revision 1: `backend:v1`) to green (revision 2: `backend:v2`) |",
        "Plan `dubbing-s1.1` by rollguard: back to blue. bad",
        "| 4 | switch backend-service to blue | Service `backend-service` | done |",
        "| 9 | scale backend-blue back to 2 | Deployment `backend-blue` | skipped | the old colour serves,",
    ):
        assert fact in page
    assert account(at.record) == "rolled back to blue by rollguard: bad"
