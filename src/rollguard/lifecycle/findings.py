"""What people do about single findings of a rollout: each member and signal by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rollguard.model.handling import Acknowledgement, Handling
from rollguard.model.records import RolloutRecord
from rollguard.model.time import Instant

MOST = 16
NOTE = 300
"""Characters of a note."""


def named(record: RolloutRecord) -> tuple[str, ...]:
    """The signals in which something was found, or about which a person has said something, in their order."""
    found = (each.signal for each in record.findings)
    return tuple(dict.fromkeys((*found, *(each.signal for each in record.handling))))


def acknowledged(record: RolloutRecord, signal: str, member: str, by: Acknowledgement) -> RolloutRecord:
    """The record of which that person has taken note of the signal's findings."""
    return changed(record, signal, member, lambda known: replace(known, acknowledged=by))


def noted(record: RolloutRecord, signal: str, member: str, text: str, by: Acknowledgement) -> RolloutRecord:
    """The record with what that person found out about the signal; a note of nothing changes none."""
    if not text:
        return record
    note = text if len(text) <= NOTE else text[: NOTE - 1] + "…"
    return changed(record, signal, member, lambda known: replace(known, note=note, noted=by))


def closed(record: RolloutRecord, signal: str, member: str, by: Acknowledgement) -> RolloutRecord:
    """The record of which that person has closed the signal's findings; to close is to have taken note."""
    return changed(
        record, signal, member, lambda known: replace(known, closed=by, acknowledged=known.acknowledged or by)
    )


def all_seen(record: RolloutRecord, moment: Instant) -> bool:
    """Whether people have taken note of each single finding since then; False where there is none."""
    seen = {(each.member, each.signal) for each in record.handling if _since(each, moment)}
    return bool(record.findings) and all((found.member, found.signal) in seen for found in record.findings)


def _since(handling: Handling, moment: Instant) -> bool:
    return handling.acknowledged is not None and handling.acknowledged.at >= moment


def changed(record: RolloutRecord, signal: str, member: str, change: Callable[[Handling], Handling]) -> RolloutRecord:
    """The record with what is kept about that signal changed: for the member, or (empty) each in which it was found."""
    wanted = _meant(record, signal, member)
    known = {(each.member, each.signal): each for each in record.handling}
    for one in wanted:
        known[one] = change(known.get(one, Handling(signal=signal, member=one[0])))
    return replace(record, handling=tuple(known.values())[-MOST:])


def _meant(record: RolloutRecord, signal: str, member: str) -> tuple[tuple[str, str], ...]:
    found = [(each.member, each.signal) for each in record.findings]
    found += [(each.member, each.signal) for each in record.handling]
    meant = tuple(dict.fromkeys(one for one in found if one[1] == signal and member in ("", one[0])))
    return meant or ((member, signal),)
