"""A rollout's record as tests of words and reports want it: every field filled, nothing surprising."""

from __future__ import annotations

from dataclasses import replace

from rollguard.model.action import Plan, Step, StepKind, StepState, Target
from rollguard.model.judgement import Attribution, Finding, Phase, Reference, VerdictKind
from rollguard.model.names import Ref, RolloutId, TemplateHash, UnitName, WorkloadKind, WorkloadName
from rollguard.model.policy import Mode
from rollguard.model.records import (
    LifecycleState,
    LiveMember,
    Outcome,
    Passage,
    RolloutRecord,
    Side,
    TimelineEntry,
    UnitRecord,
)
from rollguard.model.signals import LevelName
from rollguard.model.time import Instant
from tests.unit.sets import PLATFORM

START = Instant.parse("2026-11-03T02:00:00Z")
WORKLOAD = WorkloadName("production", WorkloadKind.DEPLOYMENT, "translation")
UNIT = UnitName.of_workload(WORKLOAD)
OLD_IMAGES = (("app", "registry.example.com/translation:v1"),)
NEW_IMAGES = (("app", "registry.example.com/translation:v2"),)

ERRORS = Finding(
    signal="error-rate",
    level=LevelName.ROLLBACK,
    value=0.148,
    bound=0.1,
    unit="%",
    text="error-rate: 14.8% of 1,234 requests over 5m, bound 10%, on the new pods",
    since=START.plus(30),
    slots=20,
    bad=183,
    total=1234,
    arm="new pods",
    reference=Reference(source="old pods beside it", value=0.002, bad=2, total=1000, past_bound=False, not_worse=False),
    attribution=Attribution.RELEASE,
)

PLAN = Plan(
    id="translation-r2-p1",
    epoch=3,
    created=START.plus(330),
    expires=START.plus(1230),
    reason="error-rate 14.8% > 10%",
    actor="rollguard",
    target=Target(hash=TemplateHash("aaa"), number=1, images=OLD_IMAGES, judged=True),
    steps=(
        Step(
            n=1,
            kind=StepKind.RESTORE_TEMPLATE,
            target=Ref("Deployment", "production", "translation", "uid-1"),
            precondition="bad-digest",
            goal="good-digest",
            body="{}",
            revision=2,
            state=StepState.DONE,
            detail="generation 7",
        ),
    ),
)


def unit_record() -> UnitRecord:
    """The unit of `rollout_record`."""
    return UnitRecord(name=UNIT, workload=WORKLOAD, uid="uid-1")


def rollout_record() -> RolloutRecord:
    """A rollout that was rolled back and recovered."""
    return RolloutRecord(
        id=RolloutId("translation-r2-bbb-uid1"),
        unit=UNIT,
        workload=WORKLOAD,
        uid="uid-1",
        started=START,
        target=TemplateHash("bbb"),
        target_number=2,
        target_digest="bad-digest",
        target_images=NEW_IMAGES,
        baseline=TemplateHash("aaa"),
        baseline_number=1,
        baseline_images=OLD_IMAGES,
        policy_digest="p",
        mode=Mode.AUTOMATIC,
        state=LifecycleState.CLOSED,
        phase=Phase.STABILIZATION,
        epoch=3,
        verdict=VerdictKind.BAD,
        why="error-rate 14.8% > 10%",
        findings=(ERRORS,),
        plan=PLAN,
        evidence=("translation-r2-bbb-uid1-evidence-1",),
        timeline=(
            TimelineEntry(at=START, kind="rollout", text="revision 2 is rolling out"),
            TimelineEntry(at=START.plus(330), kind="decision", text="roll back: error-rate 14.8% > 10%"),
            TimelineEntry(at=START.plus(331), kind="step", text="template of revision 1 restored"),
            TimelineEntry(at=START.plus(480), kind="recovery", text="error-rate 0.2%, inside its warning bound"),
        ),
        outcome=Outcome.RECOVERED,
        incident="INC-translation-r2",
        closed=START.plus(480),
    )


SET = WorkloadName("production", WorkloadKind.RELEASE_SET, "platform")


def side(member: str, colour: str, tag: str) -> Side:
    """What the member runs on that colour."""
    name = f"{member}-{colour}"
    return Side(
        colour=colour,
        workload=WorkloadName("production", WorkloadKind.DEPLOYMENT, name),
        uid=name,
        hash=TemplateHash(f"{name}-{tag}"),
        number=int(tag[1:]),
        digest=f"{name}-{tag}",
        images=(("app", f"registry.example.com/{member}:{tag}"),),
    )


def passage(member: str, old: str = "v1", new: str = "v2") -> Passage:
    """The member on its way from blue to green; workers have no Service."""
    return Passage(
        member=member,
        service="" if member == "workers" else f"{member}-service",
        old=side(member, "blue", old),
        new=side(member, "green", new),
        since=START,
        needed=3,
    )


def set_unit() -> UnitRecord:
    """The release set of `set_record`, at rest on blue."""
    live = tuple(LiveMember(member=member, side=side(member, "blue", "v1")) for member in ("backend", "workers"))
    return UnitRecord(name=UnitName.of_workload(SET), workload=SET, uid="uid-1", live=live, release_set=PLATFORM)


def set_record() -> RolloutRecord:
    """A release set that went back to blue and recovered; backend was bad."""
    step = PLAN.steps[0]
    service = Ref("Service", "production", "backend-service", "uid-s")
    down = Ref("Deployment", "production", "backend-green", "uid-d")
    plan = replace(
        PLAN,
        target=replace(PLAN.target, workload="backend-blue", colour="blue"),
        steps=(
            replace(step, kind=StepKind.SWITCH, target=service, goal="blue", member="backend", over_at=START.plus(331)),
            replace(
                step, n=2, kind=StepKind.SCALE_DOWN, target=down, goal="0", member="backend", over_at=START.plus(361)
            ),
        ),
    )
    return replace(
        rollout_record(),
        unit=UnitName.of_workload(SET),
        workload=SET,
        findings=(replace(ERRORS, member="backend", text=f"backend: {ERRORS.text}"),),
        plan=plan,
        passages=(passage("backend"), passage("workers", "v3", "v4")),
    )
