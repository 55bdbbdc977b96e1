"""`spec.notify.respond` and `tickets`: how soon somebody has to answer a page, and where findings become tickets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator

from rollguard.model.channels import TICKETS
from rollguard.model.destinations import Tickets, WebhookChannel
from rollguard.model.policy import Timing
from rollguard.model.signals import LevelName
from rollguard.policy.checks import expected
from rollguard.policy.part import Duration, File, Part, Url


class RespondPart(Part):
    """How soon a page is answered; what an approval that nobody gave in time does is `onTimeout`."""

    within: Duration = Timing().respond_within
    """So long after a page that calls for a person somebody has to acknowledge it; then it is paged that nobody has."""


def _without_rollback(value: object) -> object:
    if isinstance(value, list) and LevelName.ROLLBACK.value in value:
        raise expected("`warning` or `critical`, which stands for `rollback` too")
    return value


class TicketsPart(Part):
    """Where a finding becomes a ticket, one for each finding of a rollout; none where this is not given."""

    url: Url
    """Where each message about a ticket is sent, as JSON."""
    hmac_key_file: File | None = None
    """A file with the key that signs each body."""
    always: Annotated[list[Literal["warning", "critical"]], BeforeValidator(_without_rollback)] = []
    """Findings of these levels become tickets by themselves; `critical` stands for `rollback` too. Others do where a
    person says so, with `rollguard ticket`."""


def tickets_of(part: TicketsPart | None) -> Tickets | None:
    """The tickets of a part without mistakes."""
    if part is None:
        return None
    channel = WebhookChannel(name=TICKETS, url=part.url, hmac_key_file=part.hmac_key_file or "")
    return Tickets(channel=channel, always=tuple(sorted({LevelName(level) for level in part.always})))
