"""Where a notice goes by its class and topic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard.model.destinations import SlackChannels, TeamChannels, WebhookChannel
from rollguard.model.handling import Ticket, TicketState
from rollguard.model.notices import Notice, NoticeClass
from rollguard.notify.routing import routes
from tests.simulation import policies
from tests.unit.records import START, rollout_record

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


VIDEO = TeamChannels(team="video", deployments="#video", warnings="#video-warn", incidents="#video-fire")
OF_TEAMS = replace(POLICY, slack=SlackChannels(teams=(TeamChannels(team="audio", warnings="#audio"), VIDEO)))


def ways_of(team: str, class_: NoticeClass) -> dict[str, tuple[str, ...]]:
    told = replace(notice(class_, "topic"), team=team)
    return {route.name: route.ways for route in routes(told, OF_TEAMS)}


def test_a_teams_notices_go_to_its_own_channels_and_to_those_of_all_where_these_do_not_take_them() -> None:
    found = ways_of("video", NoticeClass.WARNING)
    assert found["deployments"] == ("slack-deployments@video", "slack-deployments")
    assert found["warnings"] == ("slack-warnings@video", "slack-warnings", "slack-incidents", "slack-deployments")


def test_a_teams_page_goes_to_the_team_beside_everybody_who_is_told_of_pages() -> None:
    found = ways_of("video", NoticeClass.PAGE)
    assert found["team"] == ("slack-incidents@video", "slack-incidents", "slack-deployments", "email")
    for route in ("paging", "incidents"):
        assert found[route] == ways(NoticeClass.PAGE, route)


def test_what_a_team_has_no_channel_for_goes_where_that_of_others_goes() -> None:
    page, warning = ways_of("audio", NoticeClass.PAGE), ways_of("audio", NoticeClass.WARNING)
    assert "team" not in page
    assert page["deployments"] == ("slack-deployments",)
    assert warning["warnings"][:2] == ("slack-warnings@audio", "slack-warnings")


@pytest.mark.parametrize("team", ["", "Video", "nobody"])
def test_without_a_team_of_that_name_no_channel_of_a_team_is_told(team: str) -> None:
    assert not [way for class_ in NoticeClass for all_ in ways_of(team, class_).values() for way in all_ if "@" in way]


@pytest.mark.parametrize(("by", "also"), [("pagerduty", False), ("pagerduty-events", True)])
def test_what_ends_an_incident_goes_to_the_integration_too_where_a_page_went_by_it(by: str, also: bool) -> None:
    paged = replace(notice(NoticeClass.PAGE, "rolled-back"), taken=(by,))
    record = replace(rollout_record(), notices=(paged,))
    found = {route.name: route.ways for route in routes(notice(NoticeClass.INFO, "recovered"), POLICY, record)}
    assert found.get("events") == (("pagerduty-events",) if also else None)
    assert "events" not in {route.name for route in routes(paged, POLICY, record)}
