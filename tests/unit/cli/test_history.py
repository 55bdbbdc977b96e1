"""The history of rollouts, and what a team reads from it after a week in mode observe."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard import report
from rollguard.cli import status, why
from rollguard.cli.history import Span, page
from rollguard.cli.main import call
from rollguard.model.records import Outcome
from tests.unit.cli.stories import LOOK, NOW, ended, held, observed, unit, watched
from tests.unit.records import rollout_record

WEEK = Span(seconds=7 * 86400.0, now=NOW)


def test_a_week_in_mode_observe_is_summed_up_in_a_line() -> None:
    kept = [held(), observed(7), observed(6), *(ended(n, Outcome.HEALTHY) for n in (3, 2, 1))]
    assert page(kept, WEEK).splitlines()[-1] == (
        "7 days: 6 rollouts: 3 healthy, 2 would have been rolled back,"
        " 1 held because error-rate: 14.8% of 1,234 requests over 5m, bound 10%, on the new pods; but frozen by ana"
    )


def test_a_row_says_when_and_why_it_would_have_rolled_back_though_it_ended_otherwise() -> None:
    header, row, *_ = page([observed()], WEEK).splitlines()
    assert header.split() == [
        *("STARTED", "NAMESPACE", "WORKLOAD", "REVISION", "IMAGES", "MODE", "VERDICT", "OUTCOME", "TOOK", "FIGURES"),
        "WHAT",
    ]
    assert row.startswith("2026-11-03T02:50:00Z   production   translation   4->5       v1->v2   observe")
    assert "error-rate 14.8% of 1,234" in row
    assert row.endswith(
        "would have rolled back at 2026-11-03T02:05:30Z, because"
        " error-rate: 14.8% of 1,234 requests over 5m, bound 10%, on the new pods"
    )


def test_wide_adds_verdicts_decisions_and_the_rollouts_name() -> None:
    header, row, *_ = page([rollout_record()], WEEK, wide=True).splitlines()
    assert header.split()[-4:] == ["VERDICTS", "DECISIONS", "ROLLOUT", "WHAT"]
    assert "translation-r2-bbb-uid1" in row
    assert row.endswith("rolled back to revision 1 by rollguard: error-rate 14.8% > 10%")


def test_it_says_where_older_rollouts_are_gone() -> None:
    ten = [ended(n, Outcome.HEALTHY) for n in range(10, 0, -1)]
    gone = "Of production/translation only the last 10 rollouts are kept: older ones are gone and not counted."
    assert page(ten, WEEK).splitlines()[-1] == gone
    assert gone not in page(ten[:9], WEEK)
    assert gone not in page(ten, Span(seconds=3600.0, now=NOW.plus(600 * 4)))  # what is kept reaches further back


def test_nothing_in_the_time_names_the_older_ones() -> None:
    later = Span(seconds=86400.0, now=NOW.plus(10 * 86400.0))
    assert page([observed()], later) == "No rollouts in the last 1 day; 1 older ones are kept: give a longer --since."
    assert "-> 2" not in page([watched()], later)
    assert "1 under way" in page([watched()], later)  # an open one is always shown


def test_without_headers_only_rows_stay() -> None:
    assert page([observed()], WEEK, headers=False).startswith("2026-")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ((("app", "r.io/a:v1"),), (("app", "r.io/a:v2"),), "v1->v2"),
        ((("app", "r.io/a:v1"),), (("app", "r.io/b:v2"),), "r.io/a:v1->r.io/b:v2"),
        ((("app", "r.io:80/a"),), (("app", "r.io:80/b"),), "r.io:80/a->r.io:80/b"),
        ((("app", "a:1"), ("side", "s:1")), (("app", "a:1"), ("side", "s:2")), "1->2"),
        ((("app", "a:1"),), (("app", "a:1"),), "same images"),
        ((), (("app", "a:1"),), "a:1"),
    ],
)
def test_images_are_told_by_what_changed(
    old: tuple[tuple[str, str], ...], new: tuple[tuple[str, str], ...], said: str
) -> None:
    assert report.images_between(watched(baseline_images=old, target_images=new)) == said


def test_a_rollout_that_was_held_and_then_replaced_counts_as_held() -> None:
    replaced = ended(3, Outcome.SUPERSEDED, responses=held().responses, last_look=LOOK)
    assert report.ending(replaced) == "held"
    assert report.ending(ended(3, Outcome.SUPERSEDED)) == "replaced before a conclusion"
    assert report.ending(rollout_record()) == "rolled back"


def test_what_was_put_back_by_hand_says_so_also_where_it_would_have_been_rolled_back() -> None:
    by_hand = ended(4, Outcome.PUT_BACK, why="revision 3 was put back by hand, not by the guard")
    would = replace(observed(), outcome=Outcome.PUT_BACK, why=by_hand.why)
    assert report.ending(by_hand) == "put back by hand"
    assert report.account(by_hand) == "put back by hand at 2026-11-03T02:45:00Z"
    assert report.account(would).startswith("would have rolled back at ")
    assert "; put back by hand at 2026-11-03T02:55:00Z" in report.account(would)
    told = report.summary([by_hand, would])
    assert told == "2 rollouts: 1 would have been rolled back, 1 put back by hand, of these 1 put back by hand"


def test_an_order_has_neither_mode_nor_verdict() -> None:
    ordered = replace(rollout_record(), order="rollback-1")
    row = page([ordered], WEEK, headers=False).splitlines()[0].split()
    assert row[3:7] == ["2->1", "v2->v1", "order", "-"]
    assert "ordered 2026-11-03T02:00:00Z" in why.page(ordered, NOW)
    assert "nothing is judged" in why.page(ordered, NOW)
    steady = status.page([unit()], {str(ordered.unit): ordered}, NOW).splitlines()[1]
    assert steady.endswith("rolled back to revision 1 by rollguard: error-rate 14.8% > 10% (recovered)")


def test_a_wrong_span_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["history", "--since", "yesterday"]) == 2
    assert "expected a duration such as 12h or 30d" in capsys.readouterr().err
