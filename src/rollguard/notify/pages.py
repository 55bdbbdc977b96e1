"""What PagerDuty is told: which notices open, annotate or resolve an incident there, by which key, in which words.

One bad release is one incident: its key comes from the rollout. A notice that belongs to no rollout has the key of its
unit and topic.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from rollguard.model.channels import PAGERDUTY, PAGERDUTY_EVENTS
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.records import RolloutRecord

PAGERS = (PAGERDUTY, PAGERDUTY_EVENTS)
"""The channels that page."""
RECOVERED = "recovered"
INCIDENT_RESOLVED = "incident-resolved"
SIGHT_IS_BACK = "hold-over"
SIGHT = frozenset({"blind", "policy-invalid", "unseen"})
"""Topics that say what the guard does not see, and nothing bad of a release."""
KEY_MAX = 255
TITLE_MAX = 1024
BODY_MAX = 10_000
"""Characters, of one notice."""


class Turn(StrEnum):
    """What a notice does to the incident of its key."""

    OPEN = "open"
    ANNOTATE = "annotate"
    """It was opened by an earlier notice; where somebody has resolved it since, it is opened anew: a page must reach a
    person."""
    RESOLVE = "resolve"


class Severity(StrEnum):
    """How bad it is, in PagerDuty's words."""

    CRITICAL = "critical"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One notice as PagerDuty is told of it."""

    turn: Turn
    key: str
    """What makes a repeat harmless: at most one incident of a key is open."""
    title: str
    body: str
    severity: Severity
    source: str
    """What it is about: namespace and name, with the cluster before them where it has a name."""
    mark: str
    """In the body, and in no other notice's."""


def turn(notice: Notice, rollout: RolloutRecord | None) -> Turn | None:
    """What the notice does to an incident; None where it is none of a pager's business.

    A page that could not be sent until its incident was over opens nothing any more.
    """
    if notice.class_ is not NoticeClass.PAGE:
        return Turn.RESOLVE if _is_end(notice, rollout) else None
    if rollout is None:
        return Turn.OPEN
    if rollout.incident_resolved is not None and notice.at <= rollout.incident_resolved:
        return Turn.RESOLVE
    return Turn.ANNOTATE if _paged_before(notice, rollout) else Turn.OPEN


def page(notice: Notice, rollout: RolloutRecord | None, *, cluster: str) -> Page | None:
    """The notice for PagerDuty, within its limits; None where it is none of a pager's business."""
    what = turn(notice, rollout)
    if what is None:
        return None
    about = notice.id.rsplit(".", 3)[0] if rollout is None else f"{rollout.workload.namespace}/{rollout.workload.name}"
    mark = f"Notice: {notice.id}"
    return Page(
        turn=what,
        key=_key(notice, rollout, cluster),
        title=_cut(notice.title, TITLE_MAX),
        body=f"{_cut(notice.text, BODY_MAX - len(mark) - 1)}\n{mark}",
        severity=Severity.ERROR if notice.topic in SIGHT else Severity.CRITICAL,
        source=f"{cluster}/{about}" if cluster else about,
        mark=mark,
    )


def paged(rollout: RolloutRecord) -> bool:
    """Whether a pager has taken a page of the rollout."""
    return any(_taken(notice) for notice in rollout.notices)


def _is_end(notice: Notice, rollout: RolloutRecord | None) -> bool:
    """Only recovery and a person's word end an incident; blindness alone is over when the guard sees again."""
    if rollout is None:
        return False
    sight_alone = notice.topic == SIGHT_IS_BACK and not rollout.incident and paged(rollout)
    return notice.topic in (RECOVERED, INCIDENT_RESOLVED) or sight_alone


def _paged_before(notice: Notice, rollout: RolloutRecord) -> bool:
    return any(_taken(other) for other in rollout.notices if other.id != notice.id)


def _taken(notice: Notice) -> bool:
    return notice.class_ is NoticeClass.PAGE and not set(PAGERS).isdisjoint(notice.taken)


def _key(notice: Notice, rollout: RolloutRecord | None, cluster: str) -> str:
    """A rollout's name holds a part of its workload's uid; a unit's name may be the same in another cluster."""
    if rollout is not None:
        parts = ["rollguard", str(rollout.id)]
    else:
        parts = ["rollguard", *([cluster] if cluster else []), notice.id.rsplit(".", 2)[0]]
    key = ".".join(parts)
    if len(key) <= KEY_MAX:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"{key[: KEY_MAX - len(digest) - 1]}.{digest}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
