"""Keeps a record small: what may go, in which order, and what never goes.

The plan is never cut: it must be carried out after a crash from this object alone. A record is larger than the budget
only where the templates that its plan puts back are.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator

import msgspec

from rollguard.model.documents import Json
from rollguard.model.notices import Notice, NoticeClass, NoticeState
from rollguard.model.records import LastLook, RolloutRecord, UnitRecord
from rollguard.record.codec import to_json

BUDGET_BYTES = 32 * 1024
FINDINGS_MAX = 8
PODS_MAX = 200
TIMELINE_MAX = 60
NOTICES_MAX = 32
LOST_MAX = 16
"""Pages that did not arrive, and that stay beyond that: the definition of the record takes no list without an end."""
HANDLED_MAX = 64
"""Requests that are gone by now, but that a late copy of a write may bring back."""
LOOK_MAX = 64
"""Readings, interlocks and gaps of the last look, each."""
RESPONSES_MAX = 16
HANDLING_MAX = 16
"""Findings of which is kept what people have done about them."""
RECURRENCES_MAX = 16
LINE_SHORT, FINDING_SHORT = 120, 300
"""Characters of a line of the timeline and of a finding, where nothing else is left to cut."""
TIMELINE_HEAD = 3
TIMELINE_TAIL = 8
TEXT_MAX = 4000
"""Longer texts of people and servers are cut; bodies of a plan's steps are not."""

Item = typing.TypeVar("Item")


def fit_rollout(record: RolloutRecord, budget: int = BUDGET_BYTES) -> RolloutRecord:
    """The record within its budget: what the last look saw in order goes first, then the oldest middle entries of the
    timeline, the oldest findings, what sent notices said, the oldest pods, the ends of long texts of what is left; the
    plan, the members, the responses, unsent notices, the first and the last entries stay."""
    record = _capped(record)
    for cut in (_cut_look, _cut_timeline, _cut_findings, _cut_notices, _cut_pods, _cut_texts):
        record = _until(record, cut, budget)
    return record


def fit_unit(record: UnitRecord) -> UnitRecord:
    """The record with at most as many notices, healthy revisions and handled requests as are of use."""
    return dataclasses.replace(
        record,
        notices=thinned(record.notices, NOTICES_MAX),
        healthy=record.healthy[-10:],
        adopted_before=record.adopted_before[-3:],
        undone=record.undone[-10:],
        handled_requests=_handled(record),
        automatic_rollbacks=record.automatic_rollbacks[-32:],
        charged_migrations=record.charged_migrations[-32:],
    )


def _handled(record: UnitRecord) -> tuple[str, ...]:
    """The last ones handled, and all that still stand: one that is forgotten would be handled again."""
    standing = {request.id for request in record.requests}
    last = record.handled_requests[-HANDLED_MAX:]
    return tuple(id_ for id_ in record.handled_requests if id_ in standing or id_ in last)


def clip(value: Json, key: str = "") -> Json:
    """The JSON with every text cut to TEXT_MAX characters, but for the bodies of steps."""
    if isinstance(value, str):
        return value if key == "body" or len(value) <= TEXT_MAX else value[: TEXT_MAX - 1] + "…"
    if isinstance(value, list):
        return [clip(item, key) for item in value]
    if isinstance(value, dict):
        return {name: clip(item, name) for name, item in value.items()}
    return value


def size(record: RolloutRecord) -> int:
    """Bytes of the record as stored."""
    return len(msgspec.json.encode(clip(to_json(record))))


def _capped(record: RolloutRecord) -> RolloutRecord:
    timeline = record.timeline
    if len(timeline) > TIMELINE_MAX:
        timeline = timeline[:TIMELINE_HEAD] + timeline[TIMELINE_HEAD - TIMELINE_MAX :]
    newest = sorted(record.findings, key=lambda finding: finding.since)[-FINDINGS_MAX:]
    return dataclasses.replace(
        record,
        timeline=timeline,
        findings=tuple(finding for finding in record.findings if finding in newest)[-FINDINGS_MAX:],
        pods=record.pods[-PODS_MAX:],
        notices=thinned(record.notices, NOTICES_MAX),
        last_look=_look(record.last_look, LOOK_MAX, LOOK_MAX) if record.last_look is not None else None,
        responses=record.responses[:RESPONSES_MAX],
        handling=record.handling[-HANDLING_MAX:],
        recurrences=record.recurrences[-RECURRENCES_MAX:],
    )


def _look(look: LastLook, readings: int, standings: int) -> LastLook:
    """The look with at most so many readings and interlocks: those that are reached or forbid stay longest."""
    reached = _dearest(look.readings, readings, lambda reading: reading.reached)
    forbids = _dearest(look.standings, standings, lambda standing: standing.forbids)
    dropped = len(look.readings) - len(reached) + len(look.standings) - len(forbids)
    if not dropped and len(look.gaps) <= LOOK_MAX:
        return look
    gaps = look.gaps[:LOOK_MAX]
    return dataclasses.replace(look, readings=reached, standings=forbids, gaps=gaps, left_out=look.left_out + dropped)


def _dearest(items: tuple[Item, ...], most: int, dear: Callable[[Item], bool]) -> tuple[Item, ...]:
    """At most so many, in their order: the last of those that are not dear go first."""
    ranked = sorted(range(len(items)), key=lambda n: (not dear(items[n]), n))
    kept = set(ranked[:most])
    return tuple(item for n, item in enumerate(items) if n in kept)


def _cut_look(record: RolloutRecord) -> Iterator[RolloutRecord]:
    while (look := record.last_look) is not None:
        reached = sum(reading.reached for reading in look.readings)
        forbid = sum(standing.forbids for standing in look.standings)
        in_order = len(look.readings) > reached or len(look.standings) > forbid
        readings, standings = (reached, forbid) if in_order else (0, 0)
        smaller = _look(look, max(readings, len(look.readings) - 4), max(standings, len(look.standings) - 4))
        record = dataclasses.replace(record, last_look=smaller if look.readings or look.standings else None)
        yield record


def _until(
    record: RolloutRecord, cut: Callable[[RolloutRecord], Iterator[RolloutRecord]], budget: int
) -> RolloutRecord:
    if size(record) <= budget:
        return record
    for smaller in cut(record):
        record = smaller
        if size(record) <= budget:
            break
    return record


def _cut_timeline(record: RolloutRecord) -> Iterator[RolloutRecord]:
    timeline = record.timeline
    while len(timeline) > TIMELINE_HEAD + TIMELINE_TAIL:
        timeline = timeline[:TIMELINE_HEAD] + timeline[TIMELINE_HEAD + 1 :]
        yield dataclasses.replace(record, timeline=timeline)


def _cut_findings(record: RolloutRecord) -> Iterator[RolloutRecord]:
    findings = record.findings
    while len(findings) > 1:
        oldest = min(findings, key=lambda finding: finding.since)
        findings = tuple(finding for finding in findings if finding is not oldest)
        yield dataclasses.replace(record, findings=findings)


def _cut_notices(record: RolloutRecord) -> Iterator[RolloutRecord]:
    """Texts that were sent go before what says that they were: the last of its kind says what not to send again."""
    notices = record.notices
    for n, notice in enumerate(notices):
        if notice.state is not NoticeState.PENDING and (notice.text or notice.ticket is not None):
            notices = (*notices[:n], dataclasses.replace(notice, text="", ticket=None), *notices[n + 1 :])
            yield dataclasses.replace(record, notices=notices)
    for repeated in _repeated(notices):
        notices = tuple(notice for notice in notices if notice is not repeated)
        yield dataclasses.replace(record, notices=notices)


def _cut_pods(record: RolloutRecord) -> Iterator[RolloutRecord]:
    pods = record.pods
    while pods:
        pods = pods[10:]
        yield dataclasses.replace(record, pods=pods)


def _cut_texts(record: RolloutRecord) -> Iterator[RolloutRecord]:
    """A release set of many members has so large a plan that only the beginnings of what is left have room."""
    lines = tuple(dataclasses.replace(line, text=_short(line.text, LINE_SHORT)) for line in record.timeline)
    record = dataclasses.replace(record, timeline=lines)
    yield record
    found = tuple(dataclasses.replace(each, text=_short(each.text, FINDING_SHORT)) for each in record.findings)
    yield dataclasses.replace(record, findings=found)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def thinned(notices: tuple[Notice, ...], most: int) -> tuple[Notice, ...]:
    """At most so many notices: those that were told again since go first, then the oldest sent ones, then the oldest
    pages that did not arrive.

    An unsent one never goes, nor the last pages that did not arrive.
    """
    surplus = max(0, len(notices) - most)
    repeated = _repeated(notices)
    once = [notice for notice in notices if not any(notice is known for known in repeated)]
    lost = [notice for notice in once if _lost(notice)][:-LOST_MAX]
    sent = [notice for notice in once if notice.state is not NoticeState.PENDING and not _lost(notice)]
    gone = {id(notice) for notice in (*repeated, *sent, *lost)[:surplus]}
    return tuple(notice for notice in notices if id(notice) not in gone)


def _repeated(notices: tuple[Notice, ...]) -> tuple[Notice, ...]:
    """Those that are not on their way any more and were told again since: their ids differ in the last part alone."""
    kinds = [notice.id.rpartition(".")[0] for notice in notices]
    over = [notice.state is not NoticeState.PENDING for notice in notices]
    return tuple(n for i, n in enumerate(notices) if over[i] and kinds[i] and kinds[i] in kinds[i + 1 :])


def _lost(notice: Notice) -> bool:
    """A page that did not arrive."""
    return notice.state is NoticeState.FAILED and notice.class_ is NoticeClass.PAGE
