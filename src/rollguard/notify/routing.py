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


_DEPLOYMENTS = Route(name="deployments", ways=(SLACK_DEPLOYMENTS,))
_WARNINGS = Route(name="warnings", ways=(SLACK_WARNINGS, SLACK_INCIDENTS, SLACK_DEPLOYMENTS))
_INCIDENTS = Route(name="incidents", ways=(SLACK_INCIDENTS, SLACK_DEPLOYMENTS, EMAIL))
_PAGING = Route(name="paging", ways=(PAGERDUTY, PAGERDUTY_EVENTS, SLACK_INCIDENTS, EMAIL))
_SUMMARY = Route(name="summary", ways=(EMAIL,))
_TICKETS = Route(name="tickets", ways=(TICKETS,))
_LOG = Route(name="log", ways=(LOG,))


def routes(notice: Notice, policy: Policy) -> tuple[Route, ...]:
    """All routes of the notice, the most urgent first: each must end with a channel that took it, or without any."""
    if notice.ticket is not None:
        return (_TICKETS,)
    paged = notice.class_ is NoticeClass.PAGE
    found = [_PAGING] if paged or notice.topic in RESOLVING else []
    found += [_INCIDENTS] if paged else []
    found += [_WARNINGS] if notice.class_ is NoticeClass.WARNING else []
    found += [_DEPLOYMENTS]
    found += [_SUMMARY] if notice.topic in ENDING else []
    return (*found, *(Route(name=hook.name, ways=(hook.name,)) for hook in policy.webhooks), _LOG)
