"""A rollout whose slots a test writes down as numbers, and the judge's answer to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from rollguard.judge import JudgeState, judge
from rollguard.model.alerting import ReceivedAlert
from rollguard.model.facts import ClusterEvent, Condition, MigrationRun, Pod, UnitFacts
from rollguard.model.judgement import Arms, LevelReading, Observation, Rollout, Verdict
from rollguard.model.metrics import Answer, Answered, Counts, Gap, GapCause, Sample, SeriesKey
from rollguard.model.names import RolloutId, TemplateHash
from rollguard.model.policy import Limits, Links, MetricsStore, Migration, Mode, Policy, StoreAccess, Timing, Watch
from rollguard.model.signals import EventRule, Level, LevelName, Signal, SignalKind
from rollguard.model.time import Instant
from rollguard.observe import slot_at
from tests.unit.observe.building import NAME, NEW, OLD, UNIT, facts, revision, signal, workload

SECONDS = 15.0
FIRST = 1000
"""Number of the first slot after the rollout's start."""
STARTED = slot_at(FIRST, SECONDS).start
FIVE_MINUTES = 20
TIMING = Timing(automatic=600.0, startup=120.0)

WARNING = Level(name=LevelName.WARNING, bound=0.01, seconds=300.0)
CRITICAL = Level(name=LevelName.CRITICAL, bound=0.05, seconds=120.0)
ROLLBACK = Level(name=LevelName.ROLLBACK, bound=0.1, seconds=300.0)
ERRORS = signal(SignalKind.RATIO, WARNING, CRITICAL, ROLLBACK)
ONLY_ROLLBACK = signal(SignalKind.RATIO, ROLLBACK)
CRASH = Signal(
    name="crash-loop",
    kind=SignalKind.EVENT,
    levels=(),
    required=False,
    shared=False,
    minimum_traffic=0,
    rule=EventRule.CRASH_LOOP,
)
PULL = Signal(
    name="image-pull",
    kind=SignalKind.EVENT,
    levels=(),
    required=False,
    shared=False,
    minimum_traffic=0,
    rule=EventRule.IMAGE_PULL,
)

WATCH = Watch(
    name="all", namespace="production", workloads=(), selector=(), mode=Mode.AUTOMATIC, signals=(), called_by=()
)


def policy(*signals: Signal, timing: Timing = TIMING, migration: Migration | None = None) -> Policy:
    return Policy(
        name="p",
        digest="d",
        cluster="lab",
        time_zone="UTC",
        metrics=MetricsStore(
            address="http://127.0.0.1:9090",
            namespace_label="namespace",
            pod_label="pod",
            workload_label="deployment",
            match="",
            auth=StoreAccess(),
            scrape_interval=5,
        ),
        watches=(WATCH,),
        signals=signals,
        timing=timing,
        limits=Limits(),
        on_timeout_roll_back=False,
        webhooks=(),
        links=Links(),
        migration=migration,
    )


def key(revision_: TemplateHash | None, pod: str | None = "") -> SeriesKey:
    return SeriesKey(workload=NAME, revision=revision_, pod=f"{revision_}-1" if pod == "" else pod)


def counted(number: int, new: tuple[int, int] | None, old: tuple[int, int] | None = None) -> Answered:
    """A slot of the error rate: (bad, total) of the new and of the old pods; None where an arm has no pods."""
    slot = slot_at(number, SECONDS)
    arms = ((NEW, new), (OLD, old))
    samples: list[Sample] = [
        Counts(key=key(hash_), slot=slot, bad=arm[0], total=arm[1]) for hash_, arm in arms if arm is not None
    ]
    return Answered(signal="error-rate", slot=slot, samples=tuple(samples))


def lost(number: int, *, signal: str = "error-rate", cause: GapCause = GapCause.TIMEOUT) -> Gap:
    return Gap(signal=signal, slot=slot_at(number, SECONDS), cause=cause, detail="no answer")


def pod_lost(number: int, cause: GapCause, who: SeriesKey | None = None) -> Answered:
    """A slot in which the new pod owes a sample and has none."""
    slot = slot_at(number, SECONDS)
    return Answered(signal="error-rate", slot=slot, samples=(), pod_gaps=((who or key(NEW), cause),))


def run(
    new: Sequence[tuple[int, int] | None], old: Sequence[tuple[int, int] | None] | None = None, *, at: int = FIRST
) -> list[Answer]:
    """Slots one after the other; None is a gap of the whole signal."""
    return [
        lost(at + i) if arm is None else counted(at + i, arm, old[i] if old is not None else None)
        for i, arm in enumerate(new)
    ]


@dataclass
class Case:
    """One rollout under judgement; keeps the judge's state from look to look."""

    signals: tuple[Signal, ...] = (ERRORS,)
    baseline: TemplateHash | None = OLD
    timing: Timing = TIMING
    started: Instant = STARTED
    migration: Migration | None = None
    charged: tuple[str, ...] = ()
    idle: bool = False
    """Nobody asks the old pods any more."""
    state: JudgeState = field(default_factory=JudgeState.empty)

    def see(
        self,
        answers: Iterable[Answer] = (),
        *,
        before: Iterable[Answer] = (),
        pods: tuple[Pod, ...] = (),
        events: tuple[ClusterEvent, ...] = (),
        conditions: tuple[Condition, ...] = (),
        migrations: tuple[MigrationRun, ...] = (),
        alerts: tuple[ReceivedAlert, ...] = (),
        muted: Instant | None = None,
        now: Instant | None = None,
        available: int = 2,
    ) -> Verdict:
        answered = tuple(answers)
        ends = [answer.slot.end for answer in answered]
        when = now or (max(ends).plus(self.timing.lateness) if ends else STARTED.plus(1))
        self.state, verdict = judge(
            self.state,
            Observation(
                now=when,
                rollout=Rollout(
                    id=RolloutId("r"),
                    unit=UNIT,
                    started=self.started,
                    target=NEW,
                    target_number=2,
                    baseline=self.baseline,
                    charged=self.charged,
                ),
                arms=Arms(new=NEW, reference=self.baseline, apart=True, idle=self.idle),
                facts=replace(with_events(pods, events, when, conditions, available=available), migrations=migrations),
                answers=answered,
                before=tuple(before),
                alerts=alerts,
                muted=muted,
            ),
            policy(*self.signals, timing=self.timing, migration=self.migration),
            WATCH,
        )
        return verdict


def with_events(
    pods: tuple[Pod, ...],
    events: tuple[ClusterEvent, ...],
    now: Instant,
    conditions: tuple[Condition, ...] = (),
    *,
    available: int = 2,
) -> UnitFacts:
    rolling = workload(revision(OLD, 1), revision(NEW, 2), target=NEW, available=available)
    whole = facts(replace(rolling, conditions=conditions), pods=pods, now=now)
    return UnitFacts(
        unit=whole.unit,
        as_of=whole.as_of,
        complete=True,
        missing=(),
        members=whole.members,
        pods=pods,
        events=events,
    )


def reading(verdict: Verdict, level: LevelName, where: Callable[[LevelReading], bool] = bool) -> LevelReading:
    return next(entry for entry in verdict.readings if entry.level is level and where(entry))
