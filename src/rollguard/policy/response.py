"""`spec.notify.respond`: how soon somebody has to answer a page."""

from __future__ import annotations

from rollguard.model.policy import Timing
from rollguard.policy.part import Duration, Part


class RespondPart(Part):
    """How soon a page is answered; what an approval that nobody gave in time does is `onTimeout`."""

    within: Duration = Timing().respond_within
    """So long after a page that calls for a person somebody has to acknowledge it; then it is paged that nobody has."""
