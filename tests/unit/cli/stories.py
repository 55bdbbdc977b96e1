"""Rollouts as the commands that look back find them."""

from __future__ import annotations

from dataclasses import replace

from rollguard.model.action import DecisionKind, Standing
from rollguard.model.judgement import LevelReading, Phase, SignalGap, VerdictKind
from rollguard.model.names import RolloutId, TemplateHash
from rollguard.model.policy import Mode
from rollguard.model.records import GoodRevision, LastLook, LifecycleState, Outcome, Response, RolloutRecord, UnitRecord
from rollguard.model.signals import LevelName
from rollguard.model.time import Slot
from tests.unit.records import ERRORS, NEW_IMAGES, OLD_IMAGES, START, rollout_record, unit_record

NOW = START.plus(3600)
WOULD = Response(at=START.plus(330), kind=DecisionKind.ROLL_BACK, would=True, reason=ERRORS.text)
HELD = Response(at=START.plus(330), kind=DecisionKind.HOLD, would=False, reason=f"{ERRORS.text}; but frozen by ana")


def reading(level: LevelName, bound: float, *, value: float | None = 0.148, reached: bool = True) -> LevelReading:
    """A level of the error rate."""
    return LevelReading(
        signal="error-rate",
        level=level,
        text=ERRORS.text,
        value=value,
        bound=bound,
        unit="%",
        traffic=1234.0,
        slots=20,
        gaps=1,
        reached=reached,
        reference=ERRORS.reference,
        seconds=300.0,
        since=START.plus(30) if reached else None,
    )


LOOK = LastLook(
    at=START.plus(330),
    decision=DecisionKind.HOLD,
    reason=f"{ERRORS.text}; but frozen by ana",
    verdict=ERRORS.text,
    readings=(reading(LevelName.CRITICAL, 0.05), reading(LevelName.ROLLBACK, 0.1)),
    gaps=(
        SignalGap(
            signal="latency",
            required=True,
            last=Slot(START.plus(300), START.plus(315)),
            cause="timeout",
            detail="no answer within 12 s",
            in_a_row=2,
        ),
    ),
    standings=(
        Standing(name="stale-status", forbids=False, reason="the status is of the newest spec"),
        Standing(name="freeze", forbids=True, reason="this unit is frozen by ana"),
    ),
    wake_at=START.plus(7200),
)


def watched(**changes: object) -> RolloutRecord:
    """A rollout that is under way and of which nothing is known yet."""
    record = replace(
        rollout_record(),
        state=LifecycleState.WATCHING,
        phase=Phase.STARTUP,
        verdict=VerdictKind.UNDECIDED,
        why="nothing is reached",
        findings=(),
        plan=None,
        outcome=None,
        incident="",
        closed=None,
        timeline=rollout_record().timeline[:1],
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def held() -> RolloutRecord:
    """One that is bad and held by a freeze."""
    return watched(
        state=LifecycleState.HELD,
        verdict=VerdictKind.BAD,
        why=LOOK.reason,
        findings=(ERRORS,),
        last_look=LOOK,
        responses=(HELD,),
    )


def ended(n: int, outcome: Outcome, **changes: object) -> RolloutRecord:
    """The n-th rollout, ten minutes after the one before it, closed after five."""
    begun = START.plus(600 * n)
    record = watched(
        id=RolloutId(f"translation-r{n}"),
        started=begun,
        target_number=n,
        baseline_number=n - 1,
        closed=begun.plus(300),
        state=LifecycleState.CLOSED,
        outcome=outcome,
        verdict=VerdictKind.HEALTHY if outcome is Outcome.HEALTHY else VerdictKind.UNDECIDED,
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def observed(n: int = 5) -> RolloutRecord:
    """One in mode observe that was bad and got well again."""
    return ended(n, Outcome.UNDECIDED, mode=Mode.OBSERVE, responses=(WOULD,), last_look=LOOK)


GOOD = GoodRevision(
    hash=TemplateHash("aaa"),
    number=1,
    digest="good-digest",
    bare_digest="bare",
    images=OLD_IMAGES,
    since=START.plus(-86400),
)
NEW = GoodRevision(
    hash=TemplateHash("bbb"), number=2, digest="bad-digest", bare_digest="b", images=NEW_IMAGES, since=START.plus(1800)
)


def unit(**changes: object) -> UnitRecord:
    """The unit, going back to the adopted revision 1 where need be."""
    return replace(unit_record(), adopted=GOOD, last_target=GOOD.hash, **changes)  # type: ignore[arg-type]
