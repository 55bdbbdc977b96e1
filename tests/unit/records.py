"""A rollout's record as tests of words and reports want it: every field filled, nothing surprising."""

from __future__ import annotations

from rollguard.model.action import Plan, Step, StepKind, StepState, Target
from rollguard.model.judgement import Attribution, Finding, Phase, Reference, VerdictKind
from rollguard.model.names import Ref, RolloutId, TemplateHash, UnitName, WorkloadKind, WorkloadName
from rollguard.model.policy import LevelName, Mode
from rollguard.model.records import LifecycleState, Outcome, RolloutRecord, TimelineEntry, UnitRecord
from rollguard.model.time import Instant

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
