"""What counts as a rollout, and which revision may be adopted: by the cluster's own facts and timestamps."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.model.facts import Container, Pod, Revision, UnitFacts, Workload
from rollguard.model.names import RolloutId, TemplateHash, UnitName, WorkloadName
from rollguard.model.policy import Timing
from rollguard.model.records import GoodRevision, Passage, RolloutRecord, UnitRecord
from rollguard.model.time import Instant
from rollguard.observe.good import good_revision

_NAME_LENGTH = 253
_COMPLETE = "NewReplicaSetAvailable"
_PULLING_FAILS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A rollout that is to be taken under guard. `under_way` says that it began before the guard came."""

    id: RolloutId
    unit: UnitName
    workload: WorkloadName
    uid: str
    target: TemplateHash
    target_number: int
    target_digest: str
    target_images: tuple[tuple[str, str], ...]
    baseline: TemplateHash | None
    baseline_number: int | None
    baseline_images: tuple[tuple[str, str], ...]
    since: Instant
    """When it began as far as the cluster shows it: its first new pod, else `now`."""
    under_way: bool
    passages: tuple[Passage, ...] = ()
    """Of a release set: the members that changed."""


def rollout_id(workload: WorkloadName, number: int, hash_: TemplateHash, uid: str) -> RolloutId:
    """`<workload>-r<number>-<hash>-<start of the uid>`, the workload's name cut where the whole would be too long."""
    rest = f"-r{number}-{hash_}-{uid[:8]}"
    return RolloutId(workload.name[: _NAME_LENGTH - len(rest)].rstrip("-.") + rest)


def settled_target(facts: UnitFacts) -> Revision | None:
    """The revision that the spec asks for, once the controller has seen the spec and numbered it.

    None for a workload that is gone, and while the status is of an older spec: an old ReplicaSet that is used again
    gets its new number only then.
    """
    if not facts.members:
        return None
    workload = facts.members[0]
    target = workload.target()
    if target is None or workload.observed_generation < workload.generation:
        return None
    return target if target.number == max(revision.number for revision in workload.revisions) else None


def rollout_begun(
    unit: UnitRecord,
    facts: UnitFacts,
    now: Instant,
    *,
    current: RolloutRecord | None = None,
    replaced: Instant | None = None,
) -> Begun | None:
    """The rollout that the facts show and the record does not know; None where there is none.

    A new pod template became the target. The template of `last_target` coming back (a revert, our own undo) is none,
    nor is `current`'s plan reaching its goal; the same bad template under a new number is one. For a unit without a
    last target, one that is under way is taken up.

    `now` is the API server's time, as the pods' births are. `replaced` is when this very template was last the target,
    before another one came between: pods from then belong to that earlier rollout. None where it never was.
    """
    target = settled_target(facts)
    if target is None:
        return None
    workload = facts.members[0]
    known = unit.uid in {"", workload.uid}
    last = unit.last_target if known else None
    id_ = rollout_id(workload.name, target.number, target.hash, workload.uid)
    if known and unit.current_rollout == id_:
        return None
    since = _first_birth(facts.pods, target, now, replaced)
    if last is None:
        if not _under_way(workload, facts.pods, target):
            return None
        previous = _previous(workload, facts.pods, target)
        return _begun(unit, workload, target, previous, since=since, under_way=True)
    if target.hash == last or _own_undo(current, target):
        return None
    baseline = workload.revision(last) or _previous(workload, facts.pods, target)
    return _begun(unit, workload, target, baseline, since=since, under_way=False)


def _first_birth(pods: tuple[Pod, ...], target: Revision, now: Instant, replaced: Instant | None) -> Instant:
    births = [pod.created for pod in pods if pod.revision == target.hash and not pod.deleting]
    own = [born for born in births if replaced is None or born > replaced]
    return min([now, *own])


def _own_undo(current: RolloutRecord | None, target: Revision) -> bool:
    plan = current.plan if current is not None else None
    return plan is not None and plan.target.hash == target.hash


def _begun(
    unit: UnitRecord,
    workload: Workload,
    target: Revision,
    baseline: Revision | None,
    *,
    since: Instant,
    under_way: bool,
) -> Begun:
    return Begun(
        id=rollout_id(workload.name, target.number, target.hash, workload.uid),
        unit=unit.name,
        workload=workload.name,
        uid=workload.uid,
        target=target.hash,
        target_number=target.number,
        target_digest=target.template.digest,
        target_images=target.template.images,
        baseline=baseline.hash if baseline else None,
        baseline_number=baseline.number if baseline else None,
        baseline_images=baseline.template.images if baseline else (),
        since=since,
        under_way=under_way,
    )


def _under_way(workload: Workload, pods: tuple[Pod, ...], target: Revision) -> bool:
    if _old_pods(pods, target) or any(r.replicas > 0 for r in workload.revisions if r.hash != target.hash):
        return True
    progressing = next((c for c in workload.conditions if c.type == "Progressing"), None)
    if progressing is not None:
        return progressing.reason != _COMPLETE and min(workload.updated, workload.available) < workload.desired
    return workload.updated < workload.desired


def _old_pods(pods: tuple[Pod, ...], target: Revision) -> list[Pod]:
    return [pod for pod in pods if not pod.deleting and pod.revision not in {None, target.hash}]


def _previous(workload: Workload, pods: tuple[Pod, ...], target: Revision) -> Revision | None:
    """The newest other revision that still has pods or replicas, else the one with the next highest number."""
    others = sorted((r for r in workload.revisions if r.hash != target.hash), key=lambda r: r.number, reverse=True)
    owners = {pod.revision for pod in _old_pods(pods, target)}
    alive = [r for r in others if r.replicas > 0 or r.hash in owners]
    return next(iter(alive or others), None)


def adoption(unit: UnitRecord, facts: UnitFacts, timing: Timing, now: Instant) -> GoodRevision | None:
    """The revision to adopt now: complete, unchanged and without event findings for `timing.adopted_after` seconds.

    Only the cluster's timestamps count, so that a revision may be adopted that stood before the guard came. None where
    there is nothing new to adopt, facts are not complete or a rollout is under guard.
    """
    target = settled_target(facts)
    if target is None or not facts.complete or unit.current_rollout is not None:
        return None
    if unit.adopted is not None and unit.adopted.hash == target.hash:
        return None
    workload = facts.members[0]
    whole = workload.desired > 0 and (
        workload.total == workload.updated == workload.ready == workload.available == workload.desired
    )
    since = _complete_since(workload, facts.pods, target)
    if not whole or _old_pods(facts.pods, target) or since is None:
        return None
    oldest = now.plus(-timing.adopted_after)
    if since > oldest or any(_troubled(c, oldest) for pod in facts.pods for c in pod.containers):
        return None
    return good_revision(target, facts, since)


def _complete_since(workload: Workload, pods: tuple[Pod, ...], target: Revision) -> Instant | None:
    """The latest of the timestamps that show it complete; None where they show nothing.

    A ReplicaSet that is not the newest was used again, and nothing but its pods tells since when.
    """
    progressing = next((c for c in workload.conditions if c.type == "Progressing"), None)
    times = [target.created]
    if progressing is not None:
        if progressing.reason != _COMPLETE:
            return None
        # The status stays True from the first progress on; the reason became "complete" at the last update.
        times += [moment for moment in (progressing.since, progressing.updated) if moment is not None]
    if any(revision.created > target.created for revision in workload.revisions):
        ready = [pod.ready_since for pod in pods if pod.revision == target.hash and pod.ready_since is not None]
        if not ready:
            return None
        times.append(min(ready))
    return max(times)


def _troubled(container: Container, since: Instant) -> bool:
    """An event finding, now or within the time: a crash loop, or an image that cannot be pulled."""
    if not container.in_template:
        return False
    if container.waiting_reason in _PULLING_FAILS:
        return True
    ended = container.finished_at
    return container.restarts >= 2 and bool(container.exit_code) and ended is not None and ended > since
