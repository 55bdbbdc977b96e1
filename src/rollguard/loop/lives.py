"""What each member of a release set is live on once a rollout of it is over, as functions of the unit's record."""

from __future__ import annotations

from dataclasses import replace

from rollguard import undo
from rollguard.model.records import LiveMember, RolloutRecord, UnitRecord


def with_live(unit: UnitRecord, record: RolloutRecord, *, restored: bool, replaced: bool) -> UnitRecord:
    """The release set with the colour that each member is live on once the rollout is over.

    `restored`: the guard put it back, as far as its plan went; `replaced`: something else came before it was judged.
    A member that stayed when others went back alone is guarded anew, unless it was judged healthy.
    """
    passages = {passage.member: passage for passage in record.passages}
    went_back = undo.members_moved(record.plan) if restored and record.plan is not None else frozenset[str]()
    good = {each.digest for each in unit.healthy}

    def after(live: LiveMember) -> LiveMember:
        passage = passages.get(live.member)
        if passage is not None and live.member in went_back:
            return replace(live, side=passage.old, beside=passage.new.hash)
        if passage is not None and not replaced and not (restored and passage.new.digest not in good):
            return replace(live, side=passage.new, beside=passage.old.hash)
        return live

    return replace(unit, live=tuple(after(each) for each in unit.live))


def with_put_back(unit: UnitRecord, record: RolloutRecord) -> UnitRecord:
    """The release set whose members are live again, by hand, on what they were before the rollout."""
    passages = {passage.member: passage for passage in record.passages}

    def after(live: LiveMember) -> LiveMember:
        passage = passages.get(live.member)
        return live if passage is None else replace(live, side=passage.old, beside=passage.new.hash)

    return replace(unit, live=tuple(after(each) for each in unit.live))
