"""`spec.notify.teams`: how teams are told, what is wrong between the keys, and what they come to."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rollguard.model.channels import SecretKey
from rollguard.model.destinations import TeamChannels
from rollguard.policy.email import check_once
from rollguard.policy.mistakes import nearest
from rollguard.policy.part import MailAddress, Part, SlackChannel
from rollguard.policy.yaml_text import Marked

TEAMS = ("spec", "notify", "teams")


class TeamSlackPart(Part):
    """A team's own channels of Slack; those of `notify.slack` where it has none. They need `slack-bot-token`: an app's
    webhook cannot choose its channel."""

    deployments: SlackChannel | None = None
    """All notices about its workloads, in place of `notify.slack.deployments`."""
    warnings: SlackChannel | None = None
    """Its warnings, in place of `notify.slack.warnings`."""
    incidents: SlackChannel | None = None
    """Its incidents, beside `notify.slack.incidents`."""


class TeamPart(Part):
    """How a team is told: by mail, in channels of its own, or both."""

    email: Annotated[list[MailAddress], Field(min_length=1, max_length=50)] | None = None
    """Who gets mail about its workloads, beside those of `notify.email`."""
    slack: TeamSlackPart = TeamSlackPart()
    """Its own channels of Slack."""


def check_means(teams: dict[str, TeamPart], marked: Marked, *, by_mail: bool) -> None:
    """A team that nothing tells, and mails that no server sends; `by_mail`: there is a `notify.email`, good or
    bad."""
    for name, team in teams.items():
        wrong_itself = any(path[: len(TEAMS) + 1] == (*TEAMS, name) for path in marked.dropped)
        if team.email is None and team.slack == TeamSlackPart() and not wrong_itself:
            marked.wrong((*TEAMS, name), name, "`email` or `slack` in it: how the team is told", key=True)
        place = (*TEAMS, name, "email")
        check_once(team.email or [], place, marked)
        if team.email and not by_mail:
            marked.wrong(place, team.email[0], "`notify.email` beside it: it says by which server mails go")


def check_teams(teams: dict[str, TeamPart], known: frozenset[str], marked: Marked) -> None:
    """A team that no watch names would never be told."""
    for name in teams.keys() - known:
        words = "the `team` of a watch"
        marked.wrong((*TEAMS, name), name, words, near=nearest(name, known), key=True)


def remark_on_slack(teams: tuple[TeamChannels, ...], secrets: tuple[SecretKey, ...], marked: Marked) -> None:
    """Channels of teams are not used without a bot's token."""
    for team in teams if SecretKey.SLACK_BOT_TOKEN not in secrets else ():
        words = f"`{SecretKey.SLACK_BOT_TOKEN}` among `notify.secrets`: a webhook cannot choose its channel"
        marked.wrong((*TEAMS, team.team, "slack"), "slack", words, key=True)


def channels_of(teams: dict[str, TeamPart]) -> tuple[TeamChannels, ...]:
    """The channels of Slack that parts without mistakes give to teams, sorted by team."""
    return tuple(
        TeamChannels(
            team=name,
            deployments=team.slack.deployments or "",
            warnings=team.slack.warnings or "",
            incidents=team.slack.incidents or "",
        )
        for name, team in sorted(teams.items())
        if team.slack != TeamSlackPart()
    )


def mails_of(teams: dict[str, TeamPart]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(team, who gets mail about its workloads), sorted."""
    return tuple(sorted((name, tuple(team.email)) for name, team in teams.items() if team.email))
