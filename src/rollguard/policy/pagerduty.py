"""`spec.notify.pagerduty`: its keys, and what they come to."""

from __future__ import annotations

from pydantic import Field

from rollguard.model.destinations import Paging
from rollguard.policy.part import MailAddress, Part, SecuredUrl


class PagerDutyPart(Part):
    """How incidents are opened in PagerDuty."""

    from_: MailAddress | None = Field(default=None, alias="from")
    """The e-mail address of a user of the account, in whose name incidents are opened; with `pagerduty-api-key` none
    are without it."""
    api: SecuredUrl = Paging().api
    """Where the REST API is; in the European region `https://api.eu.pagerduty.com`."""
    events: SecuredUrl = Paging().events
    """Where the Events API is; in the European region `https://events.eu.pagerduty.com`."""


def paging_of(part: PagerDutyPart) -> Paging:
    """What a part without mistakes says."""
    return Paging(sender=part.from_ or "", api=part.api, events=part.events)
