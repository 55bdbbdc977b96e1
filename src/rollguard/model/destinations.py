"""Where notices, tickets and the journal go, as the policy says: addresses and names, never a secret."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollguard.model.channels import SLACK_DEPLOYMENTS, SLACK_INCIDENTS, SLACK_WARNINGS, of_team
from rollguard.model.signals import LevelName


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChannel:
    """A generic webhook: every notice as JSON."""

    name: str
    url: str
    hmac_key_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tickets:
    """Where findings become tickets."""

    channel: WebhookChannel
    always: tuple[LevelName, ...] = ()
    """Levels whose findings become one without a word of a person; `critical` stands for `rollback` too."""

    def levels(self) -> frozenset[LevelName]:
        """The levels of findings that always become one."""
        more = {LevelName.ROLLBACK} if LevelName.CRITICAL in self.always else set()
        return frozenset(self.always) | more


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamChannels:
    """A team's own channels of Slack, by what goes there: names with their `#`, or ids; empty where it has none."""

    team: str
    deployments: str = ""
    warnings: str = ""
    incidents: str = ""

    def named(self) -> dict[str, str]:
        """Channel of notices -> channel of Slack, for those that it has."""
        found = {
            SLACK_DEPLOYMENTS: self.deployments,
            SLACK_WARNINGS: self.warnings,
            SLACK_INCIDENTS: self.incidents,
        }
        return {of_team(channel, self.team): name for channel, name in found.items() if name}


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackChannels:
    """The channels of Slack by what goes there: names with their `#`, or ids."""

    deployments: str = "#deployments"
    warnings: str = "#deployment-warnings"
    incidents: str = "#production-incidents"
    api: str = "https://slack.com/api"
    teams: tuple[TeamChannels, ...] = ()
    """By team, sorted."""

    def named(self, channel: str) -> str:
        """Which of them one of Slack's channels of notices is. KeyError for any other."""
        found = {
            SLACK_DEPLOYMENTS: self.deployments,
            SLACK_WARNINGS: self.warnings,
            SLACK_INCIDENTS: self.incidents,
        }
        return {**found, **self.of_teams()}[channel]

    def of_teams(self) -> dict[str, str]:
        """Channel of notices -> channel of Slack, for those that are a team's own."""
        return {channel: name for team in self.teams for channel, name in team.named().items()}

    def own(self, channel: str, team: str) -> tuple[str, ...]:
        """The team's own channel of notices for what goes to that one of all; none where it has none."""
        name = of_team(channel, team)
        return (name,) if name in self.of_teams() else ()

    @property
    def post_message(self) -> str:
        """The address at which a bot writes."""
        return f"{self.api}/chat.postMessage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How PagerDuty is reached."""

    sender: str = ""
    """The e-mail address of a user there in whose name incidents are opened by the REST API; empty: by it none are."""
    api: str = "https://api.pagerduty.com"
    events: str = "https://events.pagerduty.com"


class MailTls(StrEnum):
    """How the way to the mail server is kept from others."""

    STARTTLS = "starttls"
    """Begun in the clear, then TLS before anything is said; a server that does not offer it gets no mail."""
    TLS = "tls"
    """From the first byte."""
    NONE = "none"
    """Not at all: without a user name and password, for they would be read on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailChannel:
    """The mail server, from whom, and to whom mails go."""

    to: tuple[str, ...]
    """Who gets all of them."""
    sender: str
    host: str
    port: int = 587
    tls: MailTls = MailTls.STARTTLS
    ca_file: str = ""
    """Certificates that vouch for the server; those of the system where empty."""
    teams: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(team, who gets what is about its workloads besides), sorted."""

    def recipients(self, team: str) -> tuple[str, ...]:
        """Who gets what is about that team's workloads, each once."""
        own = dict(self.teams).get(team, ())
        known = {address.lower() for address in self.to}
        return (*self.to, *(address for address in own if address.lower() not in known))


class JournalKind(StrEnum):
    """What keeps the journal."""

    POSTGRES = "postgres"
    """Any number of guards may write to it; where it is, the Secret says."""
    SQLITE = "sqlite"
    """A file, for one guard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPlace:
    """Where the copy of every rollout's story is kept for readers."""

    kind: JournalKind
    path: str = ""
    """Of SQLite's file; empty for PostgreSQL."""
