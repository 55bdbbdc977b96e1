"""What `rollguard wait` makes of what it sees: an answer with its exit code, or a reason to wait on. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum

from rollguard.cli import output
from rollguard.model.action import Found
from rollguard.model.judgement import Phase, VerdictKind
from rollguard.model.records import GoodRevision, LifecycleState, Outcome, RolloutRecord, UnitRecord
from rollguard.model.time import Instant

HEALTHY, BAD, OPEN, ERROR = 0, 1, 2, 3
"""Exit codes of `wait`, which are its own: 0 healthy, 1 bad or rolled back, 2 held or undecided, 3 an error."""
UNIT_WITHIN_S = 30.0
"""Until a workload that no GuardedUnit names is called not guarded: the guard may have just met it."""
SEEN_WITHIN_S = 120.0
"""Until a guard that has not taken up what the Deployment asks for is called absent."""
UNDONE_LATELY_S = 900.0
"""How long a rollback is the answer to a pipeline that finds the restored version running."""
PHASES = (Phase.STARTUP, Phase.STABILIZATION, Phase.VALIDATION, Phase.STEADY)
PAUSED = "the Deployment is paused: it rolls nothing out until it is resumed"
ROLLED_BACK = (Outcome.ROLLED_BACK, Outcome.RECOVERED, Outcome.UNCONFIRMED, Outcome.DID_NOT_HELP)
UNDER_WAY = (LifecycleState.PLANNED, LifecycleState.ACTING)


class Goal(StrEnum):
    """What a pipeline waits for: that a phase passed without a bad verdict, or the verdict healthy."""

    STARTUP = "startup"
    STABILIZATION = "stabilization"
    HEALTHY = "healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """The version that is waited for: the template that the Deployment asked for at the first complete look."""

    digest: str
    revision: int
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked. `pinned` is None until the Deployment's controller has seen its newest spec."""

    goal: Goal
    image: str
    """The image that the pipeline deployed; empty where it did not say."""
    began: Instant
    pinned: Pinned | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look: the Deployment as it is, the unit (None where there is none) and its rollouts."""

    deployment: Found
    unit: UnitRecord | None
    rollouts: tuple[RolloutRecord, ...]
    now: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How it stands, in a line; `code` is None while there is more to wait for, and `at_timeout` what it is then."""

    line: str
    code: int | None = None
    at_timeout: int = OPEN
    rollout: RolloutRecord | None = None


def pinned(wanted: Wanted, seen: Seen) -> Wanted:
    """The wish with its version, once the Deployment's controller has seen the newest spec; while it is paused the
    revision is still that of the version before."""
    found = seen.deployment
    if wanted.pinned is not None or found.observed_generation < found.generation:
        return wanted
    pin = Pinned(digest=found.template_digest, revision=found.revision, uid=found.uid)
    if found.paused and _of_version(seen, pin) is None:
        return wanted
    return replace(wanted, pinned=pin)


def answered(wanted: Wanted, seen: Seen) -> Answer:
    """The answer to this look."""
    found, unit, waited = seen.deployment, seen.unit, seen.now.since(wanted.began)
    if found.guard == "off":
        return Answer(code=ERROR, line='not guarded: it opts out by the annotation rollguard.dev/guard: "off"')
    if unit is None:
        said = "not guarded: no watch of the policy names it (`rollguard status` lists what is guarded)"
        return Answer(code=ERROR if waited > UNIT_WITHIN_S else None, at_timeout=ERROR, line=said)
    pin = wanted.pinned
    if pin is None and found.paused:
        return Answer(line=PAUSED)
    if pin is None:
        return Answer(line="the Deployment controller has not seen the newest spec yet", at_timeout=ERROR)
    if wanted.image and found.template_digest == pin.digest and wanted.image not in images(found):
        return _other_image(wanted, seen, unit)
    mine = _of_version(seen, pin)
    if mine is not None:
        return of_rollout(wanted, mine)
    if found.paused:
        return Answer(line=PAUSED)
    return _without_rollout(wanted, seen, unit)


def images(found: Found) -> tuple[str, ...]:
    """The images of the template."""
    spec = json.loads(found.template_body).get("spec", {})
    return tuple(str(each.get("image", "")) for each in (*spec.get("initContainers", ()), *spec.get("containers", ())))


def _of_version(seen: Seen, pin: Pinned) -> RolloutRecord | None:
    """The rollout that brought this version in this revision: never an earlier one of the same template."""
    mine = [
        record
        for record in seen.rollouts
        if (record.target_digest, record.target_number, record.uid) == (pin.digest, pin.revision, pin.uid)
        and not (record.order and record.plan is None)
    ]
    return max(mine, key=lambda record: record.started, default=None)


def of_rollout(wanted: Wanted, mine: RolloutRecord) -> Answer:
    """How the rollout stands, or ended."""

    def answer(line: str, code: int | None = None, at_timeout: int = OPEN) -> Answer:
        return Answer(line=line, code=code, at_timeout=at_timeout, rollout=mine)

    if mine.closed is not None:
        return answer(*_closed(mine))
    version = _version(mine)
    if mine.state in UNDER_WAY:
        return answer(f"{version} is bad and being rolled back: {mine.why}", None, BAD)
    if mine.state is LifecycleState.VERIFYING:
        return answer(f"{version} was rolled back: {mine.why}", BAD)
    if mine.state is LifecycleState.AWAITING_APPROVAL:
        place = f"{mine.workload.namespace}/{mine.workload.name}"
        return answer(f"{version} is bad, its rollback awaits `rollguard approve {place}`: {mine.why}", BAD)
    if mine.state is LifecycleState.HELD:
        return answer(f"{version} is held, a person is needed: {mine.why}")
    if mine.would():
        return answer(f"{version} is bad, in mode observe: {mine.would()[0].sentence()}", BAD)
    if mine.verdict is VerdictKind.BAD:
        return answer(f"{version} is bad: {mine.why}", BAD)
    if wanted.goal is Goal.HEALTHY and mine.verdict is VerdictKind.HEALTHY:
        return answer(f"{version} is healthy: {mine.why}", HEALTHY)
    if wanted.goal is not Goal.HEALTHY and PHASES.index(mine.phase) > PHASES.index(Phase(wanted.goal.value)):
        return answer(f"{version} passed the phase {wanted.goal.value}: {mine.why}", HEALTHY)
    return answer(f"{version} is {mine.verdict.value} in phase {mine.phase.value}: {mine.why}")


def _version(mine: RolloutRecord) -> str:
    """What the rollout brought: a revision, or a colour of a release set."""
    return mine.passages[0].new.colour if mine.passages else f"revision {mine.target_number}"


def _closed(mine: RolloutRecord) -> tuple[str, int]:
    version, outcome = _version(mine), mine.outcome
    if outcome in ROLLED_BACK:
        return f"{version} was rolled back: {mine.why}", BAD
    if outcome is Outcome.PUT_BACK:
        return f"{version} is not there any more: {mine.why}", BAD
    if outcome is Outcome.HEALTHY or mine.verdict is VerdictKind.HEALTHY:
        return f"{version} was judged healthy: {mine.why}", HEALTHY
    if outcome is Outcome.GONE:
        return f"the workload was deleted: {mine.why}", ERROR
    would = mine.would()
    if would:
        return f"{version} {would[0].sentence()}; closed since: {mine.why}", BAD
    said = outcome.value if outcome is not None else "closed"
    return f"{version} came to no conclusion ({said}): {mine.why}", OPEN


def _without_rollout(wanted: Wanted, seen: Seen, unit: UnitRecord) -> Answer:
    """No rollout brought what runs in this revision: nothing changed, or the guard has yet to see it."""
    found, waited = seen.deployment, seen.now.since(wanted.began)
    undone = _undone_lately(seen, found)
    if undone is not None and not wanted.image:
        return Answer(code=BAD, line=_undone(undone, found), rollout=undone)
    # What the unit knows is of the workload of that uid: one that was made anew has yet to be looked at.
    same = unit.uid == found.uid
    known = _good(unit, found.template_digest) if same else None
    hashes = {known.hash} if known is not None else set()
    hashes |= {r.target for r in seen.rollouts if r.target_digest == found.template_digest}
    if same and unit.current_rollout is None and unit.last_target in hashes:
        return _unchanged(seen, unit, known)
    nothing_known = not unit.good() and not seen.rollouts and unit.last_target is not None
    if waited <= SEEN_WITHIN_S:
        return Answer(line=f"the guard has yet to take up revision {found.revision}", at_timeout=ERROR)
    if same and nothing_known and unit.current_rollout is None:
        said = f"no rollout: revision {found.revision} runs unchanged and is neither judged nor adopted yet"
        return Answer(code=OPEN, line=said)
    return Answer(
        code=ERROR,
        line=f"the guard has not taken up revision {found.revision} in {waited:.0f} s: does a controller run,"
        " and does a watch still name the workload? `rollguard status` tells",
    )


def _unchanged(seen: Seen, unit: UnitRecord, known: GoodRevision | None) -> Answer:
    version = f"no rollout: revision {seen.deployment.revision} runs unchanged"
    if known is not None:
        judged = "judged healthy" if known in unit.healthy else "adopted, not judged,"
        return Answer(code=HEALTHY, line=f"{version}, {judged} since {output.moment(known.since)}")
    same = [r for r in seen.rollouts if r.target_digest == seen.deployment.template_digest]
    last = max(same, key=lambda record: record.started)
    ended = f" (its rollout: {last.outcome.value}, {last.why})" if last.outcome is not None else ""
    return Answer(code=OPEN, line=f"{version} and was never judged healthy{ended}", rollout=last)


def _good(unit: UnitRecord, digest: str) -> GoodRevision | None:
    return next((good for good in unit.good() if good.digest == digest), None)


def _undone_lately(seen: Seen, found: Found) -> RolloutRecord | None:
    """The unit's newest rollout where the guard went back from it to what runs now, a short time ago."""
    own = (record for record in seen.rollouts if record.uid == found.uid)
    last = max(own, key=lambda record: record.started, default=None)
    plan = last.plan if last is not None else None
    if last is None or plan is None or plan.restoring.goal != found.template_digest:
        return None
    lately = seen.now.since(last.closed or seen.now) <= UNDONE_LATELY_S
    return last if plan.done and lately else None


def _undone(undone: RolloutRecord, found: Found) -> str:
    return (
        f"revision {undone.target_number} was rolled back, revision {found.revision} runs again: {undone.why}"
        " (a pipeline that meant the older version says so by --image)"
    )


def _other_image(wanted: Wanted, seen: Seen, unit: UnitRecord) -> Answer:
    """The Deployment does not run the image that was deployed: it was rolled back, or somebody changed it."""
    found = seen.deployment
    mine = [r for r in seen.rollouts if wanted.image in dict(r.target_images).values()]
    last = max(mine, key=lambda record: record.started, default=None)
    runs = f"the Deployment runs {', '.join(images(found))}, not {wanted.image}"
    if last is None:
        return Answer(code=ERROR, line=f"{runs}, and {unit.name} has had no rollout of that image")
    told = f"{runs}; the last rollout of it ({last.outcome.value if last.outcome else last.state.value}): {last.why}"
    return Answer(code=BAD if last.outcome in ROLLED_BACK or last.plan is not None else OPEN, line=told, rollout=last)
