"""Which notices quiet hours keep back, and what tells them together at their end."""

from __future__ import annotations

import hashlib

from rollguard.model.names import UnitName
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.policy import Policy, QuietWindow
from rollguard.model.quiet import quiet_through
from rollguard.model.records import RolloutRecord
from rollguard.model.time import Instant
from rollguard.notify.routing import QUIET_OVER
from rollguard.notify.words import NEXT, TIME, TITLES, both_times
from rollguard.policy.amounts import counted

ANSWERS = frozenset({"answer-unasked", "order-refused"})
"""Topics that answer a person, who is awake."""
LINES = 30
"""Notices that are named."""


def kept_until(notice: Notice, rollout: RolloutRecord | None, windows: tuple[QuietWindow, ...]) -> Instant | None:
    """Until when the notice is kept back, by the time when it was written; None where it never is.

    A page never is, nor what belongs to a rollout that somebody was paged for: that is news of an incident.
    """
    if notice.class_ is NoticeClass.PAGE or notice.ticket is not None or notice.topic in (*ANSWERS, QUIET_OVER):
        return None
    if rollout is not None and any(other.class_ is NoticeClass.PAGE for other in rollout.notices):
        return None
    return quiet_through(windows, notice.at)


def together(notices: tuple[Notice, ...], of_all: UnitName, policy: Policy, now: Instant) -> Notice:
    """One notice that tells all of these, of one team; it is a warning where one of them is."""
    told = sorted(notices, key=lambda notice: (notice.at, notice.id))
    warns = any(notice.class_ is NoticeClass.WARNING for notice in told)
    lines = [
        f"- {both_times(each.at, policy.time_zone)}, {each.class_.value}: {' '.join(each.title.split())}"
        for each in told[:LINES]
    ]
    more = [f"and {len(told) - LINES} more"] if len(told) > LINES else []
    head = f"The policy's quiet hours kept back {counted(len(told), 'notice')}; pages are never kept back."
    end = [f"{TIME}{both_times(now, policy.time_zone)}", f"{NEXT}rollguard history"]
    place = f" on {policy.cluster}" if policy.cluster else ""
    ids = hashlib.sha256("\n".join(each.id for each in told).encode()).hexdigest()[:8]
    return Notice(
        id=f"{of_all.namespace}.{of_all.object_name}.{QUIET_OVER}.{ids}.{int(now.seconds)}",
        class_=NoticeClass.WARNING if warns else NoticeClass.INFO,
        topic=QUIET_OVER,
        title=f"{TITLES[QUIET_OVER]}: {counted(len(told), 'notice')}{place}",
        text="\n".join([head, *lines, *more, *end]),
        at=now,
        team=told[0].team,
    )
