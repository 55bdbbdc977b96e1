"""Where a notice goes by its class and topic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard.model.destinations import WebhookChannel
from rollguard.model.handling import Ticket, TicketState
from rollguard.model.notices import Notice, NoticeClass
from rollguard.notify.routing import routes
from tests.simulation import policies
from tests.unit.records import START

POLICY = replace(policies.policy(), webhooks=(WebhookChannel(name="chat", url="https://chat.test"),))


def notice(class_: NoticeClass, topic: str) -> Notice:
    return Notice(id="n-1", class_=class_, topic=topic, title="t", text="x", at=START)


def named(class_: NoticeClass, topic: str = "topic") -> list[str]:
    return [route.name for route in routes(notice(class_, topic), POLICY)]


def test_a_message_about_a_ticket_goes_to_the_tickets_channel_alone() -> None:
    ticket = Ticket(id="t-1", number=1, state=TicketState.OPEN, signal="error-rate", actor="rollguard", at=START)
    told = replace(notice(NoticeClass.WARNING, "ticket"), ticket=ticket)
    assert [route.ways for route in routes(told, POLICY)] == [("tickets",)]


def ways(class_: NoticeClass, route: str, topic: str = "topic") -> tuple[str, ...]:
    return next(each.ways for each in routes(notice(class_, topic), POLICY) if each.name == route)


@pytest.mark.parametrize("class_", NoticeClass)
def test_every_notice_goes_to_the_deployments_each_webhook_and_the_log(class_: NoticeClass) -> None:
    assert {"deployments", "chat", "log"} <= {*named(class_)}
    assert ways(class_, "chat") == ("chat",)


def test_a_warning_goes_to_its_own_channel_and_to_nobody_s_pager() -> None:
    assert named(NoticeClass.WARNING) == ["warnings", "deployments", "chat", "log"]
    assert ways(NoticeClass.WARNING, "warnings") == ("slack-warnings", "slack-incidents", "slack-deployments")


def test_a_page_goes_to_the_pager_and_falls_over_to_whom_else_there_is() -> None:
    assert named(NoticeClass.PAGE) == ["paging", "incidents", "deployments", "chat", "log"]
    assert ways(NoticeClass.PAGE, "paging") == ("pagerduty", "pagerduty-events", "slack-incidents", "email")
    assert ways(NoticeClass.PAGE, "incidents") == ("slack-incidents", "slack-deployments", "email")


@pytest.mark.parametrize("topic", ["recovered", "incident-resolved", "hold-over"])
def test_what_ends_an_incident_goes_to_the_pager_though_it_pages_nobody(topic: str) -> None:
    assert "paging" in named(NoticeClass.INFO, topic)
    assert "incidents" not in named(NoticeClass.INFO, topic)


def test_only_the_end_of_a_rollout_is_summed_up_by_mail() -> None:
    assert ways(NoticeClass.INFO, "summary", "ended") == ("email",)
    assert "summary" in named(NoticeClass.PAGE, "did-not-help")
    assert "summary" not in named(NoticeClass.INFO, "healthy")
