"""A rollback that a person ordered."""

from __future__ import annotations

from rollguard.model.action import Standing, Target
from rollguard.model.facts import Revision, Workload
from rollguard.model.requests import HumanRequest
from rollguard.model.situation import Situation
from rollguard.model.time import Instant
from rollguard.observe import known_revisions, no_way_back
from rollguard.undo.planning import Refused
from rollguard.undo.sets import moved, set_target


def manual(
    situation: Situation, request: HumanRequest, standings: tuple[Standing, ...], now: Instant
) -> Target | Refused:
    """The target of the ordered rollback; Refused with the reason where an interlock binds the person too.

    `standings` are the last decision's interlocks: those of judgement bind only without `force`; those that limit
    what the guard may do alone bind nobody. A freeze, a pause and incomplete facts bind always; a status
    that is behind its spec is waited for by the step itself. An order is for what ran when it was given, and not for
    ever: it is refused where another template runs now, and once it is older than a plan may become.
    """
    passages = situation.rollout.passages
    unfit = _incomplete(situation) if passages else _unfit(situation)
    binding = _freeze(situation, now) or unfit or _outdated(situation, request, now)
    if binding:
        return Refused(reason=binding)
    if not request.force:
        doubts = [standing.reason for standing in standings if standing.judging and standing.forbids]
        if doubts:
            return Refused(reason=f"{'; '.join(doubts)} (--force overrides this)")
    if passages:
        return _colour(situation, request)
    if request.only:
        return Refused(reason=f"{situation.unit.workload} is no release set: --only names a member of one")
    if request.to_revision is not None:
        return _numbered(situation, request.to_revision, force=request.force)
    target = situation.target()
    if target is None:
        return Refused(reason=f"{no_way_back(situation)}; --to-revision N with --force goes to any of them")
    return target


def _freeze(situation: Situation, now: Instant) -> str:
    for freeze in (situation.unit.freeze, situation.around.freeze_all):
        if freeze is not None and freeze.until > now:
            return f"frozen until {freeze.until.iso()} by {freeze.actor} ({freeze.reason}): release it first"
    return ""


def _incomplete(situation: Situation) -> str:
    facts = situation.facts
    if not facts.complete:
        return f"the facts are incomplete: {', '.join(facts.missing)}"
    return "" if facts.members else f"{situation.unit.workload} does not exist (any more)"


def _unfit(situation: Situation) -> str:
    if reason := _incomplete(situation):
        return reason
    facts = situation.facts
    workload = facts.members[0]
    if workload.paused:
        return f"{workload.name} is paused: resume it with `kubectl rollout resume` first"
    return ""


def _outdated(situation: Situation, request: HumanRequest, now: Instant) -> str:
    again = "order it again if it is still due"
    age, allowed = now.since(request.at), situation.timing.plan_expiry
    if age > allowed:
        return f"it was ordered {age / 60:.0f} min ago, more than {allowed / 60:.0f}: {again}"
    if passages := situation.rollout.passages:
        meant_here = request.against in ("", *(passage.new.digest for passage in passages))
        return "" if meant_here else f"it was ordered against a version that this rollout is not about: {again}"
    workload, rolled_out = situation.facts.members[0], situation.rollout.target_digest
    meant, runs = request.against or rolled_out, workload.template.digest
    if meant == runs == rolled_out:
        return ""
    return f"it was ordered against {_named(workload, meant)}; {_named(workload, runs)} runs now: {again}"


def _colour(situation: Situation, request: HumanRequest) -> Target | Refused:
    """The colour that served before, as it stands: what it runs must be good unless forced."""
    if request.to_revision is not None:
        return Refused(reason="a release set goes back to the colour that served before: --to-revision is not for it")
    target = set_target(situation, only=request.only)
    if isinstance(target, Refused) or request.force:
        return target
    good = {revision.digest for revision in situation.good()}
    doubtful = [each.old for each in moved(situation, request.only) if each.old.digest not in good]
    if not doubtful:
        return target
    named = ", ".join(f"revision {side.number} of {side.workload.name}" for side in doubtful)
    return Refused(reason=f"{named} was neither judged healthy nor adopted (--force overrides this)")


def _named(workload: Workload, digest: str) -> str:
    numbers = [revision.number for revision in workload.revisions if revision.template.digest == digest]
    return f"revision {max(numbers)}" if numbers else "another revision"


def _numbered(situation: Situation, number: int, *, force: bool) -> Target | Refused:
    """The revision of that number, which must be good unless forced."""
    workload = situation.facts.members[0]
    recorded: dict[int, Revision] = {revision.number: revision for revision in workload.revisions}
    if number not in recorded:
        there = ", ".join(str(n) for n in sorted(recorded)) or "none"
        return Refused(reason=f"{workload.name} has no revision {number}; there are: {there}")
    revision = recorded[number]
    digest = revision.template.digest
    if digest == workload.template.digest:
        return Refused(reason=f"revision {number} is what {workload.name} runs now")
    judged = any(good.digest == digest for good in situation.unit.healthy)
    good = any(good.digest == digest for good in situation.good())
    if not (good or force):
        no = f"revision {number} is no way back (--force overrides this)"
        return Refused(reason=f"{no}; known: {'; '.join(known_revisions(situation))}")
    return Target(hash=revision.hash, number=number, images=revision.template.images, judged=judged)
