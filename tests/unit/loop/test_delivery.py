"""By which channels a notice goes, and by which next where one does not take it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from rollguard.loop.delivery import Answer, Delivery
from rollguard.model.notices import Notice, NoticeClass, NoticeState
from rollguard.model.time import Instant
from rollguard.notify.routing import routes
from rollguard.ports import Accepted, NotConfigured, Refused, Retry
from tests.simulation import policies
from tests.unit.records import START

ALL = ("pagerduty", "pagerduty-events", "slack-incidents", "slack-warnings", "slack-deployments", "email", "log")
TAKEN = Accepted(detail="200")
BUSY = Retry(after=1.0, detail="503")
ABSENT = NotConfigured(detail="no secret")
POLICY = replace(policies.policy(), webhooks=())


def own(channel: str) -> str:
    return channel


def one_webhook(channel: str) -> str:
    return "slack-webhook-url" if channel.startswith("slack-") else channel


def delivery(
    class_: NoticeClass = NoticeClass.PAGE,
    *,
    place: Callable[[str], str] = own,
    connected: tuple[str, ...] = ALL,
    notice: Notice | None = None,
) -> Delivery:
    told = notice or Notice(id="n-1", class_=class_, topic="hold", title="t", text="x", at=START)
    return Delivery(notice=told, routes=routes(told, POLICY), connected=frozenset(connected), place=place, attempts=10)


def send(under_way: Delivery, says: Mapping[str, Answer], now: Instant = START) -> list[str]:
    """One round of sending: what was sent, in order. A channel that says nothing takes it."""
    sent: list[str] = []
    while due := under_way.due(now):
        sent += due
        under_way.fold({channel: says.get(channel, TAKEN) for channel in due}, now)
    return sent


@pytest.mark.parametrize(
    ("class_", "channels"),
    [
        (NoticeClass.INFO, ["slack-deployments", "log"]),
        (NoticeClass.WARNING, ["slack-warnings", "slack-deployments", "log"]),
        (NoticeClass.PAGE, ["pagerduty", "slack-incidents", "slack-deployments", "log"]),
    ],
)
def test_where_all_is_configured_each_class_goes_to_its_channels_once(class_: NoticeClass, channels: list[str]) -> None:
    under_way = delivery(class_)
    assert send(under_way, {}) == channels
    ended = under_way.ended()
    assert ended.state is NoticeState.ACCEPTED
    assert (ended.taken, ended.detail) == (tuple(channels), "")


def test_channels_of_one_webhook_get_one_message() -> None:
    under_way = delivery(place=one_webhook)
    assert send(under_way, {}) == ["pagerduty", "slack-incidents", "log"]
    assert under_way.ended().state is NoticeState.ACCEPTED


def test_a_channel_that_is_not_configured_leads_to_the_next_at_once() -> None:
    under_way = delivery()
    sent = send(under_way, {"pagerduty": ABSENT, "pagerduty-events": ABSENT, "slack-incidents": ABSENT})
    assert sent[-1] == "email"
    assert under_way.ended().taken == ("slack-deployments", "log", "email")
    assert under_way.ended().state is NoticeState.ACCEPTED


def test_without_any_way_a_route_ends_and_says_so() -> None:
    under_way = delivery(NoticeClass.INFO)
    send(under_way, {"slack-deployments": ABSENT})
    ended = under_way.ended()
    assert ended.state is NoticeState.ACCEPTED
    assert ended.detail == "deployments: slack-deployments is not configured (no secret)"


def test_a_secret_that_comes_while_another_channel_is_tried_again_is_taken_up() -> None:
    first = delivery()
    send(first, {"pagerduty": BUSY, "slack-deployments": ABSENT})
    later = delivery(notice=first.ended())
    assert send(later, {}, START.plus(60)) == ["pagerduty", "slack-deployments"]


def test_a_page_that_is_refused_goes_to_the_next_pager_and_is_known_to_have_been_refused() -> None:
    under_way = delivery()
    assert send(under_way, {"pagerduty": Refused(detail="401")})[-1] == "pagerduty-events"
    ended = under_way.ended()
    assert ended.state is NoticeState.ACCEPTED
    assert ended.given_up == (("pagerduty", "refused: 401"),)
    assert "pagerduty refused: 401" in ended.detail


def test_a_channel_that_does_not_answer_is_tried_three_times_before_the_next() -> None:
    notice, sent, now = None, [], START
    for _ in range(3):
        under_way = delivery(notice=notice)
        sent.append(send(under_way, {"pagerduty": BUSY}, now))
        notice, now = under_way.ended(), now.plus(60)
    first, *others = sent
    assert "pagerduty-events" not in first
    assert others == [["pagerduty"], ["pagerduty", "pagerduty-events"]]
    assert notice is not None
    assert notice.state is NoticeState.ACCEPTED
    assert "pagerduty given up: 503" in notice.detail


def test_a_page_does_not_wait_for_a_channel_that_wants_minutes() -> None:
    under_way = delivery()
    assert send(under_way, {"pagerduty": Retry(after=300.0, detail="429")})[-1] == "pagerduty-events"


def test_a_channel_that_wants_minutes_keeps_no_other_waiting() -> None:
    under_way = delivery(NoticeClass.WARNING)
    send(under_way, {"slack-deployments": Retry(after=300.0, detail="429"), "slack-warnings": BUSY})
    ended = under_way.ended()
    assert ended.next_attempt == START.plus(1.0)
    assert send(delivery(notice=ended), {}, START.plus(1.0)) == ["slack-warnings"]


def test_the_last_way_of_a_route_is_tried_until_it_is_given_up_and_the_notice_has_failed() -> None:
    notice, now, rounds = None, START, 0
    while notice is None or notice.state is NoticeState.PENDING:
        under_way = delivery(NoticeClass.INFO, notice=notice)
        send(under_way, {"slack-deployments": BUSY}, now)
        notice, now, rounds = under_way.ended(), now.plus(400), rounds + 1
    assert rounds == 10
    assert notice.state is NoticeState.FAILED
    assert notice.detail == "slack-deployments given up: 503"


def test_who_took_it_does_not_get_it_again() -> None:
    first = delivery()
    send(first, {"slack-incidents": BUSY})
    assert send(delivery(notice=first.ended()), {}, START.plus(60)) == ["slack-incidents"]


def test_channels_that_there_are_not_count_as_not_configured() -> None:
    under_way = delivery(connected=("log",))
    assert send(under_way, {}) == ["log"]
    ended = under_way.ended()
    assert ended.state is NoticeState.ACCEPTED
    assert ended.detail == "paging: no channel; incidents: no channel; deployments: no channel"


PLATFORM = ("pagerduty", "slack-incidents", "slack-warnings", "slack-deployments", "log")
"""The channels of a policy without e-mail; with the platform's keys the three of Slack are one webhook."""


def test_a_page_waits_for_the_one_webhook_of_slack_as_long_as_for_any_last_way() -> None:
    notice, now, rounds = None, START, 0
    while notice is None or notice.state is NoticeState.PENDING:
        under_way = delivery(place=one_webhook, connected=PLATFORM, notice=notice)
        send(under_way, {"slack-incidents": BUSY, "slack-deployments": BUSY}, now)
        notice, now, rounds = under_way.ended(), now.plus(400), rounds + 1
    assert rounds == 10
    assert notice.state is NoticeState.FAILED


def test_a_page_outlasts_a_pause_that_the_one_webhook_of_slack_asks_for() -> None:
    under_way = delivery(place=one_webhook, connected=PLATFORM)
    send(under_way, {"slack-incidents": Retry(after=60.0, detail="429")})
    later = delivery(place=one_webhook, connected=PLATFORM, notice=under_way.ended())
    assert send(later, {}, START.plus(60)) == ["slack-incidents"]
    assert later.ended().state is NoticeState.ACCEPTED


def test_a_page_that_went_by_mail_still_comes_to_the_one_webhook_of_slack_later() -> None:
    under_way = delivery(place=one_webhook)
    sent = send(under_way, {"slack-incidents": Retry(after=60.0, detail="429")})
    assert sent[-1] == "email"
    later = delivery(place=one_webhook, notice=under_way.ended())
    assert send(later, {}, START.plus(60)) == ["slack-deployments"]
