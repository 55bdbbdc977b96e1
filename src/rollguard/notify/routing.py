"""Where a notice goes: routes, each with its ways in order. One way that takes the notice is enough for its route."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.model.channels import (
    EMAIL,
    LOG,
    PAGERDUTY,
    PAGERDUTY_EVENTS,
    SLACK_DEPLOYMENTS,
    SLACK_INCIDENTS,
    SLACK_WARNINGS,
    TICKETS,
)
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.policy import Policy
from rollguard.model.records import RolloutRecord

RESOLVING = frozenset({"recovered", "incident-resolved", "hold-over"})
"""Topics that go where the page went, for they end its incident."""
ENDING = frozenset(
    {
        "ended",
        "recovered",
        "unconfirmed",
        "did-not-help",
        "held-to-the-end",
        "new-target",
        "put-back",
        "verification-cut-short",
    }
)
"""Topics of a rollout's last notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Alternatives: the first way counts, and the next where it does not take the notice."""

    name: str
    ways: tuple[str, ...]
    """Names of channels."""


_WARNINGS = (SLACK_WARNINGS, SLACK_INCIDENTS, SLACK_DEPLOYMENTS)
_INCIDENTS = Route(name="incidents", ways=(SLACK_INCIDENTS, SLACK_DEPLOYMENTS, EMAIL))
_PAGING = Route(name="paging", ways=(PAGERDUTY, PAGERDUTY_EVENTS, SLACK_INCIDENTS, EMAIL))
_SUMMARY = Route(name="summary", ways=(EMAIL,))
_TICKETS = Route(name="tickets", ways=(TICKETS,))
_EVENTS = Route(name="events", ways=(PAGERDUTY_EVENTS,))
_LOG = Route(name="log", ways=(LOG,))


QUIET_OVER = "quiet-over"
"""The topic of what tells in one message what quiet hours kept back."""
_KEPT_BACK = frozenset({"warnings", "deployments"})


def at_once(found: tuple[Route, ...]) -> tuple[Route, ...]:
    """Of the routes of a notice that is kept back those by which it goes at once: to machines, and to a mailbox."""
    return tuple(route for route in found if route.name not in _KEPT_BACK)


def routes(notice: Notice, policy: Policy, rollout: RolloutRecord | None = None) -> tuple[Route, ...]:
    """All routes of the notice, the most urgent first: each must end with a channel that took it, or without any.

    What is about a team's workloads goes to the team's own channel of Slack where it has one, and to that of all where
    this does not take it. A page goes to both: an incident is everybody's business, whoever's workload it began in.
    What ends an incident goes wherever one of its pages went: the REST API need not see what an integration opened.
    """
    if notice.ticket is not None:
        return (_TICKETS,)
    paged = notice.class_ is NoticeClass.PAGE
    incidents, warnings, deployments = (
        policy.slack.own(channel, notice.team) for channel in (SLACK_INCIDENTS, SLACK_WARNINGS, SLACK_DEPLOYMENTS)
    )
    found = [_PAGING] if paged or notice.topic in RESOLVING else []
    found += [_EVENTS] if notice.topic in RESOLVING and rollout is not None and _by_events(rollout) else []
    found += [_INCIDENTS] if paged else []
    found += [Route(name="team", ways=(*incidents, *_INCIDENTS.ways))] if paged and incidents else []
    found += [Route(name="warnings", ways=(*warnings, *_WARNINGS))] if notice.class_ is NoticeClass.WARNING else []
    found += [Route(name="deployments", ways=(*deployments, SLACK_DEPLOYMENTS))]
    found += [_SUMMARY] if notice.topic in ENDING else []
    if notice.topic == QUIET_OVER:
        return tuple(found)
    return (*found, *(Route(name=hook.name, ways=(hook.name,)) for hook in policy.webhooks), _LOG)


def _by_events(rollout: RolloutRecord) -> bool:
    """Whether one of its pages went by PagerDuty's Events API."""
    return any(PAGERDUTY_EVENTS in told.taken for told in rollout.notices if told.class_ is NoticeClass.PAGE)
