"""What quiet hours keep back, and the one message that tells it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard.model.destinations import WebhookChannel
from rollguard.model.handling import Ticket, TicketState
from rollguard.model.names import UnitName
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.policy import QuietWindow
from rollguard.model.time import Instant
from rollguard.notify.quiet import LINES, kept_until, together
from rollguard.notify.routing import at_once, routes
from rollguard.notify.said import said
from tests.unit.notify.test_words import POLICY
from tests.unit.records import rollout_record

NIGHTS = (QuietWindow(name="nights", days=(), begin=22 * 60, end=6 * 60, time_zone="UTC", reason="people sleep"),)
NIGHT, MORNING = Instant.parse("2026-11-03T23:30:00Z"), Instant.parse("2026-11-04T06:00:00Z")
ALL = UnitName("monitoring", "rollguard-all")
QUIET = replace(POLICY, quiet=NIGHTS, webhooks=(WebhookChannel(name="chat", url="https://chat.test"),))
RECORD = replace(rollout_record(), notices=())


def notice(topic: str, class_: NoticeClass = NoticeClass.INFO, *, at: Instant = NIGHT, number: int = 1) -> Notice:
    return Notice(id=f"n-{number}", class_=class_, topic=topic, title=f"{topic}: production/api", text="x", at=at)


def test_what_nobody_needs_at_once_waits_for_the_morning() -> None:
    for class_ in (NoticeClass.INFO, NoticeClass.WARNING):
        assert kept_until(notice("warning", class_), RECORD, NIGHTS) == MORNING
    assert kept_until(notice("ended"), None, NIGHTS) == MORNING


def test_a_page_never_waits() -> None:
    assert kept_until(notice("hold", NoticeClass.PAGE), RECORD, NIGHTS) is None


def test_news_of_a_rollout_that_somebody_was_paged_for_does_not_wait_also_what_waited_before() -> None:
    paged = replace(RECORD, notices=(notice("hold", NoticeClass.PAGE),))
    for topic in ("rollout-began", "warning", "recovered", "investigating", "hold-over"):
        assert kept_until(notice(topic), paged, NIGHTS) is None


@pytest.mark.parametrize("topic", ["answer-unasked", "order-refused", "quiet-over"])
def test_who_is_answered_is_awake(topic: str) -> None:
    assert kept_until(notice(topic), RECORD, NIGHTS) is None


def test_a_message_about_a_ticket_goes_to_a_machine() -> None:
    ticket = Ticket(id="t-1", number=1, state=TicketState.OPEN, signal="e", actor="rollguard", at=NIGHT)
    assert kept_until(replace(notice("ticket"), ticket=ticket), RECORD, NIGHTS) is None


def test_by_day_and_without_quiet_hours_nothing_waits() -> None:
    assert kept_until(notice("warning", at=MORNING), RECORD, NIGHTS) is None
    assert kept_until(notice("warning"), RECORD, ()) is None


def test_machines_and_mailboxes_have_at_once_what_people_in_slack_are_told_later() -> None:
    for class_, topic in ((NoticeClass.WARNING, "warning"), (NoticeClass.INFO, "ended")):
        now = at_once(routes(notice(topic, class_), QUIET))
        later = [route.name for route in routes(notice(topic, class_), QUIET) if route not in now]
        assert {"chat", "log"} <= {route.name for route in now}
        assert later == (["warnings", "deployments"] if class_ is NoticeClass.WARNING else ["deployments"])


def test_one_message_tells_all_that_waited_in_the_order_of_their_times() -> None:
    first, second = notice("rollout-began", number=1), notice("ended", at=NIGHT.plus(1800), number=2)
    told = together((second, first), ALL, QUIET, MORNING)
    assert told.title == "While it was quiet: 2 notices on eu-1"
    assert told.text.splitlines()[1:3] == [
        "- 2026-11-03 23:30:00 UTC (2026-11-04 00:30:00 Europe/Berlin), info: rollout-began: production/api",
        "- 2026-11-04 00:00:00 UTC (2026-11-04 01:00:00 Europe/Berlin), info: ended: production/api",
    ]
    assert [command.line for command in said(told, None).commands] == ["rollguard history"]
    assert told.id == together((first, second), ALL, QUIET, MORNING).id


def test_it_goes_where_what_it_tells_would_have_gone_and_to_no_machine() -> None:
    quiet = notice("rollout-began")
    info = together((quiet, replace(quiet, id="n-2")), ALL, QUIET, MORNING)
    assert [route.name for route in routes(info, QUIET)] == ["deployments"]
    warns = together((quiet, notice("warning", NoticeClass.WARNING, number=2)), ALL, QUIET, MORNING)
    assert [route.name for route in routes(warns, QUIET)] == ["warnings", "deployments"]


def test_of_a_long_night_the_first_notices_are_named_and_the_others_counted() -> None:
    many = tuple(notice("ended", number=n) for n in range(LINES + 12))
    lines = together(many, ALL, QUIET, MORNING).text.splitlines()
    assert len([line for line in lines if line.startswith("- ")]) == LINES
    assert "and 12 more" in lines
