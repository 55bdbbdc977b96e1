"""What the guard says of itself: for its own metrics and for people who ask."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard import observe
from rollguard.loop.context import Context, Memory
from rollguard.loop.telling import seen
from rollguard.loop.told import ChannelStatus
from rollguard.loop.verify import STALLED
from rollguard.model.action import Decision
from rollguard.model.judgement import Phase, Verdict, VerdictKind
from rollguard.model.names import RolloutId, UnitName, WorkloadName
from rollguard.model.notices import NoticeClass
from rollguard.model.policy import ReleaseSet, Timing
from rollguard.model.records import LifecycleState, RolloutRecord, UnitRecord
from rollguard.model.signals import LevelName
from rollguard.model.time import Instant, Mono
from rollguard.notify import pages


@dataclass(slots=True)
class Counted:
    """What the guard counts of its own looks. `looked` is when everything was last looked at."""

    ticks: int = 0
    late: int = 0
    errors: int = 0
    last_tick: float = 0.0
    looked: Mono | None = None

    def ticked(self, started: Mono, ended: Mono) -> None:
        """One tick came to its end."""
        self.ticks += 1
        self.looked = ended
        self.last_tick = ended.since(started)

    def since_look(self, now: Mono) -> float:
        """Seconds."""
        return now.since(self.looked) if self.looked is not None else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitStatus:
    """One guarded unit. `verdict` and `decision` are those of the last look, newer than the record's."""

    unit: UnitName
    rollout: RolloutId | None
    state: LifecycleState | None
    verdict: Verdict | None
    decision: Decision | None
    error: str
    phase: Phase | None = None
    """Of the rollout."""
    brought: tuple[str, ...] = ()
    """The Deployments whose new version the rollout is: of a release set one for each member that changed."""
    live: tuple[tuple[str, str], ...] = ()
    """Of a release set: (member, colour that serves now); a member is left out while that is not known."""
    incident_open: bool = False
    """The rollout's incident is open and PagerDuty, by either of its APIs, has accepted a page about it."""
    stalled: bool = False
    """What was put back does not become available."""
    automatic: bool = False
    """The rollout is in the automatic part of its window."""
    unanswered: bool = False
    """A person is asked, or must see to what is held, and nobody has said anything yet."""


def unit_status(context: Context, name: UnitName, memory: Memory) -> UnitStatus:
    """What is known of the unit now."""
    record, unit = context.store.rollout(name), context.store.unit(name)
    return UnitStatus(
        unit=name,
        rollout=record.id if record is not None else None,
        state=record.state if record is not None else None,
        verdict=memory.verdict if record is not None else None,
        decision=memory.decision if record is not None else None,
        error=memory.error,
        phase=record.phase if record is not None else None,
        brought=tuple(workload.name for workload in _brought(record)) if record is not None else (),
        live=_live(context, name, memory.watch.release_set),
        incident_open=record is not None and is_paged(record),
        stalled=record is not None and is_stalled(record, restored=memory.restored),
        automatic=record is not None and is_automatic(record, context.policies.of(record).timing, context.now()),
        unanswered=record is not None and unit is not None and is_unanswered(record, unit),
    )


def is_paged(record: RolloutRecord) -> bool:
    """Whether its incident is open and PagerDuty has taken a page about it: then nobody else needs to page for it."""
    return bool(record.incident) and record.incident_resolved is None and pages.paged(record)


def is_stalled(record: RolloutRecord, *, restored: Instant | None) -> bool:
    """Whether its rollback was told to be stalled, and what it put back is not there since (`restored`)."""
    told = any(notice.topic == STALLED for notice in record.notices)
    return record.state is LifecycleState.VERIFYING and restored is None and told


def is_automatic(record: RolloutRecord, timing: Timing, now: Instant) -> bool:
    """Whether it is open, and so young that the guard may still undo it alone."""
    return record.closed is None and now.since(record.started) < timing.automatic


def is_unanswered(record: RolloutRecord, unit: UnitRecord) -> bool:
    """Whether a person is asked, or must see to what is held, and nobody has rejected the rollback, nor acknowledged or
    resolved it since the last page. A hold for want of sight alone asks nothing of anybody."""
    if record.state is LifecycleState.AWAITING_APPROVAL:
        return True
    if record.state is not LifecycleState.HELD or unit.rejection(record) is not None:
        return False
    bad = any(finding.level is LevelName.ROLLBACK for finding in record.findings)
    unseen = record.verdict is VerdictKind.BLIND and record.plan is None and not bad
    paged = max((each.at for each in record.notices if each.class_ is NoticeClass.PAGE), default=record.started)
    resolved = record.incident_resolved is not None and record.incident_resolved >= paged
    return not (unseen or resolved or seen(record, paged))


def _brought(record: RolloutRecord) -> tuple[WorkloadName, ...]:
    return tuple(passage.new.workload for passage in record.passages) or (record.workload,)


def _live(context: Context, name: UnitName, release_set: ReleaseSet | None) -> tuple[tuple[str, str], ...]:
    unit = context.store.unit(name)
    if release_set is None or unit is None:
        return ()
    facts = context.cluster.facts(name)
    if not facts.complete:
        return ()
    seen = observe.live_colours(release_set, facts, unit.live)
    return tuple((member, colour) for member, colour, _why in seen if colour)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A snapshot. Durations in seconds."""

    leading: bool
    active: bool
    """Leading, and everything is loaded."""
    waiting: str
    """Why this process does not lead, empty while it does."""
    standby: bool
    """Somebody else is known to lead."""
    epoch: int
    ticks: int
    late_ticks: int
    last_tick_seconds: float
    since_look: float
    """Since the last look at everything, or since it became the leader's to look; 0 where we do not lead."""
    tick: float
    """How long a tick is."""
    errors: int
    units: tuple[UnitStatus, ...]
    open_rollouts: int
    blind_signals: tuple[str, ...]
    """Signals without a complete answer in the last slot."""
    outbox_pending: int
    channels: tuple[ChannelStatus, ...]
    """Those that something was sent by."""
    policy: str
    """Digest of the policy in force."""
    policy_mistakes: tuple[str, ...]
    """Of the newest policy, which is not in force because of them."""
    doctor_failures: tuple[tuple[str, int], ...] = ()
    """(check, how many failed) at the last examination, sorted."""
