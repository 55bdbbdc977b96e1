"""The revisions that are known, and why each is a way back or is none: for a person who has to choose one."""

from __future__ import annotations

from rollguard.model.facts import Workload
from rollguard.model.records import GoodRevision
from rollguard.model.situation import Situation
from rollguard.policy import durations

SHOWN = 6
"""The newest; of older ones only the number is told."""


def no_way_back(situation: Situation) -> str:
    """That no revision may be gone back to, and of each that is known why not."""
    known = "; ".join(known_revisions(situation)) or "none"
    return f"there is no way back: no other revision was judged healthy or adopted; known: {known}"


def known_revisions(situation: Situation) -> tuple[str, ...]:
    """One clause for each revision of the history and each good one beside it, the newest first."""
    if not situation.facts.members:
        return ()
    workload = situation.facts.members[0]
    good = {one.digest: one for one in reversed(situation.good())}
    told: dict[int, str] = {}
    recorded = {revision.template.digest for revision in workload.revisions}
    for revision in workload.revisions:
        template = revision.template
        images = ", ".join(image for _, image in template.images)
        why = _why(situation, workload, template.digest, template.images, good.get(template.digest))
        told[revision.number] = f"revision {revision.number} ({images}) {why}"
    for one in good.values():
        if one.digest not in recorded and one.number not in told:
            left = "its template is saved" if one.saved else "it is not in the history, and its template was not saved"
            told[one.number] = f"revision {one.number}, {_good(situation, one)}: {left}"
    ranked = [told[number] for number in sorted(told, reverse=True)]
    older = [f"{len(ranked) - SHOWN} older ones"] if len(ranked) > SHOWN else []
    return (*ranked[:SHOWN], *older)


def _why(
    situation: Situation,
    workload: Workload,
    digest: str,
    images: tuple[tuple[str, str], ...],
    good: GoodRevision | None,
) -> str:
    if digest == workload.template.digest:
        return "runs now"
    if digest == situation.rollout.target_digest:
        return "is what this rollout brought"
    if good is not None:
        return f"is a way back: {_good(situation, good)}"
    undone = dict(situation.unit.undone).get(digest)
    if undone is not None:
        return f"was undone at {undone.iso_second()} and has not been good since"
    same = ", and has the images of what runs now" if images == workload.template.images else ""
    long = durations.format_(situation.timing.adopted_after)
    return f"was never judged healthy, nor complete and unchanged for {long}{same}"


def _good(situation: Situation, good: GoodRevision) -> str:
    how = "judged healthy" if good in situation.unit.healthy else "adopted, not judged,"
    return f"{how} since {good.since.iso_second()}"
