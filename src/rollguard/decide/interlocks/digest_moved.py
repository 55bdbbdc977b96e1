"""A tag that was pushed again: the old version's image is another program by now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.facts import Pod
from rollguard.model.judgement import Verdict
from rollguard.model.records import GoodRevision
from rollguard.model.situation import Situation
from rollguard.model.time import Instant
from rollguard.observe import content_of

NAME = "image digest moved"


def digest_moved(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Forbids where an image reference of the good revision does not give the content that its pods ran.

    That shows where its own pods run, or ran, under two digests, and where pods started later got another one under the
    same reference. What it doubts is not the judgement but what would come back: an untried program. It binds people
    all the same, as the interlocks of judgement do, until they say `force`: else a plain order would pass it unseen.
    """
    good = situation.way_back()
    if good is None:
        return clear(NAME, "there is no revision to go back to", judging=True)
    known = _known(good)
    moved = next(_moved(situation, good, known), "")
    if moved:
        return forbids(NAME, moved, judging=True)
    said = "its images' digests were not seen while it was good" if not known else "no digest is known to have moved"
    return clear(NAME, said, judging=True)


def _known(good: GoodRevision) -> dict[str, set[str]]:
    """The contents by image reference, of those references that can move."""
    contents: defaultdict[str, set[str]] = defaultdict(set)
    images = dict(good.images)
    for container, content in good.image_ids:
        image = images.get(container, "")
        if image and "@sha256:" not in image:
            contents[image].add(content)
    return contents


def _moved(situation: Situation, good: GoodRevision, known: dict[str, set[str]]) -> Iterator[str]:
    for image, contents in known.items():
        if any(_differ(one, other) for one in contents for other in contents):
            yield f"{image} was pushed again while revision {good.number} ran: its pods had two digests"
    for pod in situation.facts.pods:
        if pod.revision != good.hash and pod.created <= good.since:
            continue
        for image, content in _contents(situation, pod):
            if any(_differ(content, was) for was in known.get(image, ())):
                digest = content.removeprefix("@")
                yield f"{image} gives {digest} now, not what revision {good.number} ran"


def _contents(situation: Situation, pod: Pod) -> Iterator[tuple[str, str]]:
    """(image reference, content) of the pod's own containers."""
    for member in situation.facts.members:
        revision = member.revision(pod.revision) if pod.revision is not None else None
        images = dict(revision.template.images) if revision is not None else {}
        for container in pod.containers:
            if container.image_id and container.name in images:
                yield images[container.name], content_of(container.image_id)


def _differ(one: str, other: str) -> bool:
    """Two contents of the same form that are not the same; of two forms nothing is known."""
    return one.startswith("@") == other.startswith("@") and one != other
