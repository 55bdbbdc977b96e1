"""A member of a release set seen as one workload, and a side of it as a revision that may be gone back to."""

from __future__ import annotations

from dataclasses import replace

from rollguard.model.facts import UnitFacts
from rollguard.model.policy import Timing
from rollguard.model.records import GoodRevision, LiveMember, Passage, RolloutRecord, Side, UnitRecord
from rollguard.model.situation import Situation
from rollguard.model.time import Instant
from rollguard.observe.good import good_revision
from rollguard.observe.rollouts import adoption
from rollguard.observe.sets import pods_of


def member_facts(facts: UnitFacts, passage: Passage) -> UnitFacts:
    """The member as one workload: the new side's Deployment, with the revisions and pods of both sides.

    Without members where the new side's Deployment does not exist (any more).
    """
    new, old = facts.member(passage.new.workload), facts.member(passage.old.workload)
    mine = {passage.new.workload: passage.new.hash, passage.old.workload: passage.old.hash}
    pods = tuple(pod for pod in facts.pods if pod.revision is not None and mine.get(pod.workload) == pod.revision)
    events = tuple(event for event in facts.events if any(event.pod == pod.name for pod in pods))
    if new is None:
        return replace(facts, members=(), pods=pods, events=events)
    before = tuple(r for r in old.revisions if r.hash == passage.old.hash) if old is not None else ()
    seen = replace(new, revisions=(*before, *(r for r in new.revisions if r.hash != passage.old.hash)))
    return replace(facts, members=(seen,), pods=pods, events=events)


def member_record(record: RolloutRecord, passage: Passage) -> RolloutRecord:
    """The rollout as the member's own: from the old side's template to the new side's."""
    old, new = passage.old, passage.new
    return replace(
        record,
        workload=new.workload,
        uid=new.uid,
        target=new.hash,
        target_number=new.number,
        target_digest=new.digest,
        target_images=new.images,
        baseline=old.hash,
        baseline_number=old.number,
        baseline_images=old.images,
        passages=(),
    )


def member_situation(situation: Situation, passage: Passage) -> Situation:
    """The situation as the member's own: its only way back is the old colour as it stands."""
    old = situation.facts.member(passage.old.workload)
    stands = old.template.digest if old is not None else ""
    unit = situation.unit

    def mine(good: GoodRevision) -> bool:
        back = good.workload == passage.old.workload.name and good.digest == stands
        return back or (good.workload == passage.new.workload.name and good.digest == passage.new.digest)

    seen = replace(
        unit,
        workload=passage.new.workload,
        healthy=tuple(good for good in unit.healthy if mine(good)),
        adopted=None,
        adopted_before=tuple(good for good in unit.adopted_before if mine(good)),
    )
    return replace(
        situation,
        unit=seen,
        rollout=member_record(situation.rollout, passage),
        facts=member_facts(situation.facts, passage),
    )


def side_adopted(
    unit: UnitRecord, live: LiveMember, facts: UnitFacts, timing: Timing, now: Instant
) -> GoodRevision | None:
    """The live side's revision, where it is to be adopted now by the rules for a plain workload; else None."""
    workload = facts.member(live.side.workload)
    if workload is None or workload.template.digest != live.side.digest:
        return None
    known = next((good for good in unit.adopted_before if good.workload == workload.name.name), None)
    alone = replace(facts, members=(workload,), pods=pods_of(facts, workload.name))
    found = adoption(replace(unit, adopted=known), alone, timing, now)
    return replace(found, workload=workload.name.name) if found is not None else None


def good_side(side: Side, facts: UnitFacts, since: Instant, saved: str = "") -> GoodRevision | None:
    """The side's revision as one that may be gone back to; None where it is not in sight."""
    workload = facts.member(side.workload)
    revision = workload.revision(side.hash) if workload is not None else None
    if revision is None:
        return None
    pods = replace(facts, pods=pods_of(facts, side.workload))
    return replace(good_revision(revision, pods, since, saved), workload=side.workload.name)
