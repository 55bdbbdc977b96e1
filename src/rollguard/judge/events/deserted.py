"""A colour of a release set that is live and whose Deployment is gone: nobody serves, whatever was released."""

from __future__ import annotations

from rollguard.judge.reference import BESIDE, NO_REFERENCE
from rollguard.model.judgement import LIVE_COLOUR, Attribution, Finding, Reference
from rollguard.model.records import Passage
from rollguard.model.signals import LevelName
from rollguard.model.time import Instant

DESERTED_FOR = 10.0
"""Seconds: what is deleted to be made anew, or with its Service, is no finding."""


def live_colour(passage: Passage, since: Instant, now: Instant, *, old_ready: int) -> Finding | None:
    """The finding about a member whose new colour is deserted since then; None until that has lasted.

    Behind a Service every request fails, and the colour before it may serve again. Without one jobs wait: that is told.
    """
    lasts = now.since(since)
    if lasts < DESERTED_FOR:
        return None
    new, served = passage.new, passage.service
    left = f"{served} selects {new.colour}, and nobody serves it" if served else "nobody works"
    return Finding(
        signal=LIVE_COLOUR,
        level=LevelName.ROLLBACK if served else LevelName.CRITICAL,
        value=0.0,
        bound=1.0,
        unit="pods",
        text=f"{LIVE_COLOUR}: {new.workload.name} was deleted: {left} since {since.iso_second()}; bound 1 pod",
        since=since,
        slots=0,
        bad=0.0,
        total=0.0,
        arm="new pods",
        reference=_reference(old_ready),
        attribution=Attribution.RELEASE,
    )


def _reference(ready: int) -> Reference:
    if not ready:
        return NO_REFERENCE
    return Reference(source=BESIDE, value=float(ready), bad=0.0, total=float(ready), past_bound=False, not_worse=False)
