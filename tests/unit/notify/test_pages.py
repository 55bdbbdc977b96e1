"""Which notices open, annotate or resolve an incident of PagerDuty, and by which key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.records import RolloutRecord
from rollguard.notify.pages import KEY_MAX, Page, Severity, Turn, page, paged, turn
from tests.unit.records import START, rollout_record

HOLD = Notice(id="r-1.hold.1f2e3d4c.1", class_=NoticeClass.PAGE, topic="hold", title="Held", text="why", at=START)
BLIND = replace(HOLD, id="r-1.blind.1.1", topic="blind")
UNSEEN = replace(HOLD, id="monitoring.rollguard-all.unseen.aabbccdd.1793671200", topic="unseen")


def info(topic: str) -> Notice:
    return replace(HOLD, id=f"r-1.{topic}.2.1", class_=NoticeClass.INFO, topic=topic)


def taken(notice: Notice, by: str = "pagerduty") -> Notice:
    return replace(notice, taken=("log", by))


def of(*notices: Notice, incident: str = "INC-1") -> RolloutRecord:
    return replace(rollout_record(), incident=incident, incident_resolved=None, notices=notices)


def made(notice: Notice, rollout: RolloutRecord | None = None, cluster: str = "") -> Page:
    found = page(notice, rollout, cluster=cluster)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("notice", "rollout", "expected"),
    [
        (HOLD, of(), Turn.OPEN),
        (HOLD, of(HOLD), Turn.OPEN),
        (HOLD, of(taken(HOLD)), Turn.OPEN),
        (HOLD, of(taken(BLIND, "slack-incidents"), HOLD), Turn.OPEN),
        (HOLD, of(taken(BLIND), HOLD), Turn.ANNOTATE),
        (HOLD, of(taken(BLIND, "pagerduty-events"), HOLD), Turn.ANNOTATE),
        (UNSEEN, None, Turn.OPEN),
        (info("recovered"), of(), Turn.RESOLVE),
        (info("incident-resolved"), of(), Turn.RESOLVE),
        (info("rollout-began"), of(), None),
        (info("healthy"), of(taken(HOLD)), None),
        (replace(HOLD, class_=NoticeClass.WARNING), of(), None),
        (info("recovered"), None, None),
    ],
)
def test_pages_open_an_incident_later_ones_are_notes_and_recovery_ends_it(
    notice: Notice, rollout: RolloutRecord | None, expected: Turn | None
) -> None:
    assert turn(notice, rollout) is expected


def test_a_page_from_before_the_incidents_end_opens_nothing_and_one_from_after_it_does() -> None:
    over = replace(of(), incident_resolved=START)
    assert turn(HOLD, over) is Turn.RESOLVE
    assert turn(replace(HOLD, at=START.plus(1)), over) is Turn.OPEN


def test_blindness_alone_is_over_when_the_guard_sees_again_and_a_bad_release_is_not() -> None:
    again = info("hold-over")
    assert turn(again, of(taken(BLIND), incident="")) is Turn.RESOLVE
    assert turn(again, of(taken(BLIND), taken(HOLD))) is None
    assert turn(again, of(incident="")) is None


def test_all_notices_of_a_rollout_have_one_key_and_no_other_rollouts() -> None:
    keys = {made(notice, of()).key for notice in (HOLD, BLIND, info("recovered"))}
    assert keys == {f"rollguard.{rollout_record().id}"}


def test_a_notice_without_a_rollout_has_the_key_of_unit_and_topic_in_its_cluster() -> None:
    assert made(UNSEEN).key == "rollguard.monitoring.rollguard-all.unseen"
    assert made(UNSEEN, cluster="eu-1").key == "rollguard.eu-1.monitoring.rollguard-all.unseen"
    assert made(UNSEEN, cluster="eu-1").source == "eu-1/monitoring.rollguard-all"
    later = replace(UNSEEN, id="monitoring.rollguard-all.unseen.eeff0011.1793674800")
    assert made(later).key == made(UNSEEN).key


def test_two_long_names_that_differ_at_their_ends_have_two_keys() -> None:
    one, other = (made(replace(UNSEEN, id=f"{'n' * 300}{end}.unseen.a.1")).key for end in "ab")
    assert one != other
    assert max(len(one), len(other)) == KEY_MAX


def test_what_the_guard_does_not_see_is_no_critical_fault_of_a_release() -> None:
    assert made(HOLD, of()).severity is Severity.CRITICAL
    assert {made(notice, of()).severity for notice in (BLIND, UNSEEN)} == {Severity.ERROR}


def test_the_words_are_the_notices_within_the_limits_and_with_its_id() -> None:
    assert made(HOLD, of()).body == "why\nNotice: r-1.hold.1f2e3d4c.1"
    long = made(replace(HOLD, title="t" * 2000, text="x" * 20_000), of())
    assert (len(long.title), len(long.body)) == (1024, 10_000)
    assert long.body.endswith(f"…\n{long.mark}")


def test_a_rollout_is_paged_once_a_pager_took_a_page_of_it() -> None:
    assert paged(of(taken(HOLD)))
    assert paged(of(taken(HOLD, "pagerduty-events")))
    assert not paged(of(taken(HOLD, "slack-incidents")))
    assert not paged(of(taken(info("recovered"))))
    assert not paged(of(HOLD))
