"""A release that must be rolled back, with nothing against it: what each test changes in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollguard.model.action import DecisionKind
from rollguard.model.facts import Template, UnitFacts, Workload
from rollguard.model.judgement import Attribution, Finding, Reference, SignalGap, Verdict, VerdictKind
from rollguard.model.names import TemplateHash, WorkloadKind, WorkloadName
from rollguard.model.policy import Limits, Mode, Timing, Watch
from rollguard.model.records import GoodRevision, LifecycleState, RolloutRecord, UnitRecord
from rollguard.model.signals import LevelName
from rollguard.model.situation import Sibling, Situation, Surroundings
from rollguard.model.time import Instant, Slot
from tests.unit.records import ERRORS, NEW_IMAGES, OLD_IMAGES, START, UNIT, WORKLOAD, rollout_record

NOW = START.plus(360)

BAD_TEMPLATE = Template(body='{"bad":1}', digest="bad-digest", bare_digest="bad-bare", images=NEW_IMAGES)
GOOD = GoodRevision(
    hash=TemplateHash("aaa"),
    number=1,
    digest="good-digest",
    bare_digest="good-bare",
    images=OLD_IMAGES,
    since=START.plus(-86400),
)
OLDER = replace(GOOD, hash=TemplateHash("000"), number=0, digest="older-digest", bare_digest="older-bare")

CRASH_LOOP = Finding(
    signal="crash-loop",
    level=LevelName.ROLLBACK,
    value=3,
    bound=1,
    unit="restarts",
    text="crash-loop: 3 non-zero exits of new pods, bound 1",
    since=START.plus(20),
    slots=0,
    bad=0,
    total=0,
    arm="new pods",
    reference=Reference(source="none", value=None, bad=0, total=0, past_bound=False, not_worse=False),
    attribution=Attribution.RELEASE,
)

DEADLINE = replace(CRASH_LOOP, signal="progress-deadline", unit="pods", bound=0, text="2 of 2 new pods are not ready")
MIGRATION_FAILED = replace(
    CRASH_LOOP,
    signal="migration-failed",
    unit="migrations",
    text="the migration Job prisma-migrate-abc failed",
    attribution=Attribution.MIGRATION,
)
BEFORE = Reference(source="before the rollout", value=0.002, bad=2, total=1000, past_bound=False, not_worse=False)
"""The reference where no old pods run beside the new ones."""


def workload() -> Workload:
    """The Deployment with the bad template, its status up to date."""
    return Workload(
        name=WORKLOAD,
        uid="uid-1",
        created=START.plus(-864000),
        generation=7,
        observed_generation=7,
        paused=False,
        strategy="RollingUpdate",
        desired=3,
        total=4,
        updated=2,
        ready=4,
        available=4,
        template=BAD_TEMPLATE,
        revisions=(),
        conditions=(),
        labels=(),
        annotations=(),
    )


def facts(member: Workload | None = None) -> UnitFacts:
    """Complete facts of the one workload."""
    return UnitFacts(
        unit=UNIT, as_of=NOW, complete=True, missing=(), members=(member or workload(),), pods=(), events=()
    )


def watched_rollout() -> RolloutRecord:
    """The rollout of the bad template, still watched."""
    return replace(rollout_record(), state=LifecycleState.WATCHING, plan=None, outcome=None, closed=None, incident="")


def situation() -> Situation:
    """Automatic mode, a healthy revision to go back to, nothing unusual around."""
    return Situation(
        unit=UnitRecord(name=UNIT, workload=WORKLOAD, uid="uid-1", healthy=(OLDER, GOOD)),
        rollout=watched_rollout(),
        facts=facts(),
        around=Surroundings(siblings=(), fleet_rollbacks=(), clock_offset=0.2, freeze_all=None),
        watch=Watch(
            name="platform",
            namespace="production",
            workloads=("translation",),
            selector=(),
            mode=Mode.AUTOMATIC,
            signals=(),
            called_by=("gateway",),
        ),
        mode=Mode.AUTOMATIC,
        timing=Timing(),
        limits=Limits(),
    )


def verdict(*findings: Finding, kind: VerdictKind = VerdictKind.BAD, gaps: tuple[SignalGap, ...] = ()) -> Verdict:
    """A verdict with these findings; errors past their bound where none is given."""
    return Verdict(kind=kind, as_of=NOW, findings=findings or (ERRORS,), gaps=gaps, readings=(), why="as the test says")


def gap(*, required: bool = True, in_a_row: int = 2) -> SignalGap:
    """A signal without an answer in its last slots."""
    slot = Slot(NOW.plus(-15), NOW)
    return SignalGap(
        signal="latency", required=required, last=slot, cause="timeout", detail="no answer in 12 s", in_a_row=in_a_row
    )


def sibling(name: str, *breached: str) -> Sibling:
    """An unchanged workload with the signals that it breaches."""
    return Sibling(
        workload=WorkloadName("production", WorkloadKind.DEPLOYMENT, name), breached=breached, since=START.plus(60)
    )


def at(seconds: float) -> Instant:
    """So long after the rollout's start."""
    return START.plus(seconds)


@dataclass(frozen=True)
class Look:
    """What is put before the interlocks."""

    situation: Situation
    verdict: Verdict
    now: Instant = NOW


@dataclass(frozen=True)
class Case:
    """An interlock, a look at which it alone forbids, what is left to do, and a look at which it does not."""

    name: str
    forbidden: Look
    silent: Look
    leaves: DecisionKind = DecisionKind.HOLD
