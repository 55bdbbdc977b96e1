"""Release sets: which colour of a member serves, which members changed, and which of them go back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollguard.model.facts import Pod, UnitFacts
from rollguard.model.names import RolloutId, TemplateHash, WorkloadName
from rollguard.model.policy import ReleaseSet, SetMember, Timing
from rollguard.model.records import LiveMember, Passage, RolloutRecord, Side, UnitRecord
from rollguard.model.time import Instant
from rollguard.observe.rollouts import Begun, settled_target

RELEASE = "rollguard.dev/release"
"""The annotation by which members say that they belong to one release."""
_NAME_LENGTH = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What is seen of a member now."""

    member: str
    side: Side | None
    """What serves; None where that is not known."""
    why: str = ""
    """Why it is not known, in words."""


def side_of(release_set: ReleaseSet, member: SetMember, colour: str, facts: UnitFacts) -> Side | None:
    """What the member runs on that colour; None where it has no Deployment, or one whose status is behind."""
    workload = facts.member(release_set.deployment(member, colour))
    target = settled_target(replace(facts, members=(workload,))) if workload is not None else None
    if workload is None or target is None:
        return None
    return Side(
        colour=colour,
        workload=workload.name,
        uid=workload.uid,
        hash=target.hash,
        number=target.number,
        digest=target.template.digest,
        images=target.template.images,
    )


def live_colours(
    release_set: ReleaseSet, facts: UnitFacts, known: tuple[LiveMember, ...]
) -> tuple[tuple[str, str, str], ...]:
    """(member, colour that serves, why none is known), in the set's order.

    With a Service: the colour that its selector names. Without one: the colour that has ready pods, for they work as
    soon as they run; where both have, the one that got its first only since nothing rolled out; where nothing was
    known before, the one that the set's Services name. One that is wanted stays live though none is ready for a moment.
    """
    before = {live.member: live for live in _of_set(release_set, known)}
    with_service = {m.name: _selected(release_set, m, facts) for m in release_set.members if m.service}
    named = {colour for colour, _why in with_service.values() if colour}
    found = []
    for member in release_set.members:
        if member.service:
            colour, why = with_service[member.name]
        else:
            colour, why = _working(release_set, member, facts, before.get(member.name), named)
        found.append((member.name, colour, why))
    return tuple(found)


def is_of(release_set: ReleaseSet, member: str, side: Side) -> bool:
    """Whether the set, as the policy has it now, has that member with that Deployment in that colour."""
    found = release_set.member_of(side.workload.name)
    return found is not None and (found[0].name, found[1]) == (member, side.colour)


def _of_set(release_set: ReleaseSet, known: tuple[LiveMember, ...]) -> tuple[LiveMember, ...]:
    """Without what was known of members that a changed policy has no more, or names otherwise."""
    return tuple(live for live in known if is_of(release_set, live.member, live.side))


def serving(release_set: ReleaseSet, facts: UnitFacts, known: tuple[LiveMember, ...]) -> tuple[Serving, ...]:
    """What serves now, for each member in the set's order."""
    found = []
    for member, (_, colour, unknown) in zip(release_set.members, live_colours(release_set, facts, known), strict=True):
        side = side_of(release_set, member, colour, facts) if colour else None
        behind = f"{member.workload(colour)} does not exist, or its status is behind its spec" if colour else unknown
        found.append(Serving(member=member.name, side=side, why="" if side is not None else behind))
    return tuple(found)


def _selected(release_set: ReleaseSet, member: SetMember, facts: UnitFacts) -> tuple[str, str]:
    """(colour, why there is none) of a member with a Service."""
    service, key = facts.service(member.service), release_set.selector_key
    if service is None:
        return "", f"there is no Service {member.service}"
    colour = service.selects(key)
    if colour in release_set.colours:
        return colour, ""
    seen = f"{key}={colour}" if colour else f"nothing for {key}"
    return "", f"the Service {member.service} selects {seen}: {' or '.join(release_set.colours)} is expected"


def _working(
    release_set: ReleaseSet, member: SetMember, facts: UnitFacts, before: LiveMember | None, named: set[str]
) -> tuple[str, str]:
    """(colour, why there is none) of a member without a Service."""
    at_work = {
        colour: {pod.revision for pod in ready_pods(facts, release_set.deployment(member, colour))}
        for colour in release_set.colours
    }
    working = [colour for colour in release_set.colours if at_work[colour]]
    if before is not None:
        other = release_set.other(before.side.colour)
        fresh = at_work[other] - {before.beside}
        alone = working == [other] and not _wanted(release_set, member, before.side.colour, facts)
        return (other if fresh or alone else before.side.colour), ""
    if len(working) == 1:
        return working[0], ""
    if not working:
        return "", f"no pod of {member.name} is ready"
    return (next(iter(named)), "") if len(named) == 1 else ("", f"both colours of {member.name} are at work")


def _wanted(release_set: ReleaseSet, member: SetMember, colour: str, facts: UnitFacts) -> bool:
    """Whether the colour's Deployment is there and is to have pods, ready or not."""
    workload = facts.member(release_set.deployment(member, colour))
    return workload is not None and workload.desired > 0


def pods_of(facts: UnitFacts, workload: WorkloadName) -> tuple[Pod, ...]:
    """The workload's pods."""
    return tuple(pod for pod in facts.pods if pod.workload == workload)


def passages(unit: UnitRecord, release_set: ReleaseSet, facts: UnitFacts, now: Instant) -> tuple[Passage, ...]:
    """The members that do not serve as they did when nothing was rolling out, in the set's order.

    One that runs another template on the same colour is none: nothing was switched. `now` is the API server's time.
    """
    known = {live.member: live.side for live in _of_set(release_set, unit.live)}
    found = []
    for member, seen in zip(release_set.members, serving(release_set, facts, unit.live), strict=True):
        old, new = known.get(member.name), seen.side
        if old is None or new is None or old.colour == new.colour:
            continue
        needed = max(1, len(ready_pods(facts, old.workload)))
        found.append(Passage(member=member.name, service=member.service, old=old, new=new, since=now, needed=needed))
    return tuple(found)


def ready_pods(facts: UnitFacts, workload: WorkloadName) -> tuple[Pod, ...]:
    """The workload's pods that are ready and stay."""
    return tuple(pod for pod in pods_of(facts, workload) if pod.ready and not pod.deleting)


def at_rest(unit: UnitRecord, release_set: ReleaseSet, facts: UnitFacts) -> tuple[LiveMember, ...]:
    """What serves, to be remembered while nothing rolls out; of a member that is not seen, what was known of it."""
    known = {live.member: live for live in _of_set(release_set, unit.live)}
    found = []
    for member, seen in zip(release_set.members, serving(release_set, facts, unit.live), strict=True):
        live = known.get(member.name)
        if seen.side is not None:
            live = LiveMember(
                member=member.name, side=seen.side, beside=_beside(release_set, member, seen.side, live, facts)
            )
        if live is not None:
            found.append(live)
    return tuple(found)


def _beside(
    release_set: ReleaseSet, member: SetMember, side: Side, before: LiveMember | None, facts: UnitFacts
) -> TemplateHash | None:
    """What the other colour's ready pods run; what they ran, where none is ready for a moment and it stays wanted."""
    other = release_set.other(side.colour)
    if ready := ready_pods(facts, release_set.deployment(member, other)):
        return max(ready, key=lambda pod: pod.created).revision
    same = before is not None and before.side.colour == side.colour
    return before.beside if before is not None and same and _wanted(release_set, member, other, facts) else None


def switch_id(unit: UnitRecord, release_set: ReleaseSet, first: Passage, facts: UnitFacts) -> RolloutId:
    """`<set>-s<number>-<start of the uid of the first switched Service>`, or of the Deployment where there is none."""
    service = facts.service(first.service) if first.service else None
    uid = service.uid if service is not None else first.new.uid
    rest = f"-s{unit.switches + 1}-{uid[:8]}"
    return RolloutId(release_set.name[: _NAME_LENGTH - len(rest)].rstrip("-.") + rest)


def switch_begun(
    unit: UnitRecord, release_set: ReleaseSet, seen: tuple[Passage, ...], facts: UnitFacts, now: Instant
) -> Begun:
    """The set's rollout of these members; what a record says of one workload is the first member's."""
    first = seen[0]
    return Begun(
        id=switch_id(unit, release_set, first, facts),
        unit=unit.name,
        workload=unit.workload,
        uid="",
        target=first.new.hash,
        target_number=first.new.number,
        target_digest=first.new.digest,
        target_images=first.new.images,
        baseline=first.old.hash,
        baseline_number=first.old.number,
        baseline_images=first.old.images,
        since=now,
        under_way=False,
        passages=seen,
    )


def ways_back(
    unit: UnitRecord, release_set: ReleaseSet, facts: UnitFacts, now: Instant, *, only: str = ""
) -> tuple[Passage, ...]:
    """Which members an order takes back, `only` that one, while no rollout is under guard.

    Those that were switched since, where there are any: the order is about them. Else every member, with the colour
    beside the live one as its old side. A member whose other colour has no Deployment, or one that is not settled, is
    left out; so is, where the members are live on two colours, one whose other side was undone. None where two colours
    are left.
    """
    if changed := passages(unit, release_set, facts, now):
        return changed
    live = {each.member: each.side for each in _of_set(release_set, unit.live)}
    found = []
    for member in release_set.members:
        new = live.get(member.name) if only in ("", member.name) else None
        old = side_of(release_set, member, release_set.other(new.colour), facts) if new is not None else None
        if new is not None and old is not None:
            needed = max(1, len(ready_pods(facts, new.workload)))
            found.append(
                Passage(member=member.name, service=member.service, old=old, new=new, since=now, needed=needed)
            )
    if len({way.old.colour for way in found}) > 1:
        undone = {digest for digest, _at in unit.undone}
        found = [way for way in found if way.old.digest not in undone]
    return tuple(found) if len({way.old.colour for way in found}) == 1 else ()


def joined(record: RolloutRecord, seen: tuple[Passage, ...], facts: UnitFacts, timing: Timing, now: Instant) -> bool:
    """Whether the members that changed since the rollout began belong to it.

    They do within `join_within` of its start, and later where they carry the same release id as a member of it.
    """
    known = {passage.member for passage in record.passages}
    late = [passage for passage in seen if passage.member not in known]
    if not late or now.since(record.started) <= timing.join_within:
        return True
    releases = {release_of(passage, facts) for passage in record.passages} - {""}
    return all(release_of(passage, facts) in releases for passage in late)


def release_of(passage: Passage, facts: UnitFacts) -> str:
    """The release id of the new side, empty where it carries none."""
    workload = facts.member(passage.new.workload)
    return workload.annotation(RELEASE) if workload is not None else ""
