"""The guard with one rule of the protocol taken away (two, where they back each other up), and where that shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import pytest

from rollguard import decide, undo
from rollguard.decide.interlocks.every import EVERY
from rollguard.loop import surroundings
from rollguard.loop.leader import Gate
from rollguard.loop.policies import Policies
from rollguard.loop.settings import Log, Settings
from rollguard.loop.store import Store
from rollguard.model.action import Absent, FetchOutcome, Target, Unknown, Write, WriteOutcome
from rollguard.model.names import Ref, RolloutId, UnitName
from rollguard.model.notices import NoticeState
from rollguard.model.policy import Policy
from rollguard.model.records import RolloutRecord, Stale, StoredRollout, StoredUnit, UnitRecord
from rollguard.model.situation import Situation
from rollguard.ports import Held, NotHeld, Records
from rollguard.sim.cluster import SimCluster
from rollguard.sim.faults import Fault, FaultPlan
from rollguard.sim.lease import SimLeadership
from rollguard.sim.process import Process
from rollguard.sim.records import SimRecords
from rollguard.sim.store import RecordStore
from rollguard.sim.world import World
from tests.simulation import policies
from tests.simulation.alarms import Alarms
from tests.simulation.harness import Plan, Wiring, without_faults
from tests.simulation.outlets import Outlets
from tests.simulation.set_stories import SET_STORIES, SETS_ASIDE
from tests.simulation.stories import ASIDE, STORIES


class UnguardedCluster(SimCluster):
    """Rule 3 without its write guards: every `test` is dropped."""

    async def apply(self, write: Write, *, dry_run: bool, timeout: float) -> WriteOutcome:
        kept = [operation for operation in json.loads(write.patch) if operation["op"] != "test"]
        return await super().apply(replace(write, patch=json.dumps(kept)), dry_run=dry_run, timeout=timeout)


class HastyCluster(UnguardedCluster):
    """Rules 3 and 5 taken away together: no guard, and what is unknown is sent again at once, without a read."""

    async def apply(self, write: Write, *, dry_run: bool, timeout: float) -> WriteOutcome:
        outcome = await super().apply(write, dry_run=dry_run, timeout=timeout)
        if isinstance(outcome, Unknown) and not dry_run:
            return await super().apply(write, dry_run=dry_run, timeout=timeout)
        return outcome


class RememberingCluster(UnguardedCluster):
    """Rule 3 without its fresh read (and without the guard that backs it up): the first read is kept for ever."""

    def __init__(self, world: World, process: Process, faults: FaultPlan, *, wakes_lost: float = 0.0) -> None:
        super().__init__(world, process, faults, wakes_lost=wakes_lost)
        self._kept: dict[Ref, FetchOutcome] = {}

    async def fetch(self, ref: Ref, *, timeout: float) -> FetchOutcome:
        if ref not in self._kept:
            self._kept[ref] = await super().fetch(ref, timeout=timeout)
        return self._kept[ref]


class UnreceiptedCluster(SimCluster):
    """Rule 4 taken away: the write leaves no receipt."""

    async def apply(self, write: Write, *, dry_run: bool, timeout: float) -> WriteOutcome:
        kept = [o for o in json.loads(write.patch) if o["op"] == "test" or "rollguard.dev~1step" not in o["path"]]
        return await super().apply(replace(write, patch=json.dumps(kept)), dry_run=dry_run, timeout=timeout)


class ForgetfulRecords(SimRecords):
    """Rule 2 taken away: the plan is believed to be stored and never is."""

    async def replace_rollout(
        self, stored: StoredRollout, record: RolloutRecord
    ) -> StoredRollout | Stale | Absent | Unknown:
        outcome = await super().replace_rollout(stored, replace(record, plan=None))
        return replace(outcome, record=record) if isinstance(outcome, StoredRollout) else outcome


class OverwritingRecords(SimRecords):
    """Rule 6 taken away: what others wrote since is overwritten."""

    async def replace_rollout(
        self, stored: StoredRollout, record: RolloutRecord
    ) -> StoredRollout | Stale | Absent | Unknown:
        key = (record.unit, record.id)
        return await self._call(
            "replace_rollout", lambda: self._store.replace_rollout(self._store.rollouts.get(key, stored), record)
        )


class UnclaimingRecords(SimRecords):
    """Rule 1 taken away: the unit never says which rollout is open."""

    async def replace_unit(self, stored: StoredUnit, record: UnitRecord) -> StoredUnit | Stale | Absent | Unknown:
        outcome = await super().replace_unit(stored, replace(record, current_rollout=None))
        return replace(outcome, record=record) if isinstance(outcome, StoredUnit) else outcome


class UnwrittenRecords(SimRecords):
    """Rule 10 taken away: a notice is written down only once it has been sent."""

    async def replace_rollout(
        self, stored: StoredRollout, record: RolloutRecord
    ) -> StoredRollout | Stale | Absent | Unknown:
        sent = tuple(notice for notice in record.notices if notice.state is not NoticeState.PENDING)
        outcome = await super().replace_rollout(stored, replace(record, notices=sent))
        return replace(outcome, record=record) if isinstance(outcome, StoredRollout) else outcome


class ReplayingRecords(SimRecords):
    """Rule 11 taken away: what the guard has once written wins over a cluster that was set back to a backup."""

    async def list_rollouts(self, *, open_only: bool) -> tuple[StoredRollout, ...] | Unknown:
        found = await super().list_rollouts(open_only=False)
        if isinstance(found, Unknown):
            return found
        told = tuple(self._log().get((s.record.unit, s.record.id), s) for s in found)
        return tuple(stored for stored in told if not open_only or stored.record.closed is None)

    async def read_rollout(self, unit: UnitName, id_: RolloutId) -> StoredRollout | Absent | Unknown:
        found = await super().read_rollout(unit, id_)
        return self._log().get((unit, id_), found) if isinstance(found, StoredRollout) else found

    async def replace_rollout(
        self, stored: StoredRollout, record: RolloutRecord
    ) -> StoredRollout | Stale | Absent | Unknown:
        outcome = await super().replace_rollout(stored, record)
        if isinstance(outcome, Stale) and (record.unit, record.id) in self._log():
            outcome = replace(stored, record=record)
        if isinstance(outcome, StoredRollout):
            self._log()[record.unit, record.id] = outcome
        return outcome

    def _log(self) -> dict[tuple[UnitName, RolloutId], StoredRollout]:
        """It outlives the process."""
        return _LOGS.setdefault(self._store, {})


_LOGS: WeakKeyDictionary[RecordStore, dict[tuple[UnitName, RolloutId], StoredRollout]] = WeakKeyDictionary()


class ForgetfulLeadership(SimLeadership):
    """Rule 9 taken away: the epoch is counted by the Lease alone, whatever the open rollouts say."""

    async def renew(self, *, open_epochs: tuple[int, ...]) -> Held | NotHeld:
        return await super().renew(open_epochs=())


Patch = Callable[[pytest.MonkeyPatch], None]


def _nothing(patch: pytest.MonkeyPatch) -> None:
    """The rule is taken away by the wiring alone."""


def _ignore_strays(patch: pytest.MonkeyPatch) -> None:
    """What rule 1 leaves over is not looked for: that would make it good."""
    patch.setattr(Store, "strays", lambda self, unit: ())


def _act_past_the_lease(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Gate, "check", lambda self, timeout: None)
    patch.setattr(Gate, "leading", lambda self: self._held is not None)


class _Unchecked(Gate):
    """Lets every write pass."""

    def __init__(self, real: Gate) -> None:
        self._real = real

    @property
    def epoch(self) -> int:
        return self._real.epoch

    def check(self, timeout: float) -> None:
        """Never refuses."""


def _record_past_the_lease(patch: pytest.MonkeyPatch) -> None:
    honest = Store.__init__

    def unchecked(self: Store, records: Records, gate: Gate, settings: Settings, log: Log) -> None:
        honest(self, records, _Unchecked(gate), settings, log)

    patch.setattr(Store, "__init__", unchecked)


def _act_past_expiry(patch: pytest.MonkeyPatch) -> None:
    real = undo.next

    def never_expires(plan, readings, now, *, frozen, unready=None):  # type: ignore[no-untyped-def]
        return real(replace(plan, expires=now.plus(1e6)), readings, now, frozen=frozen, unready=unready)

    patch.setattr(undo, "next", never_expires)


def _act_past_freeze(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(surroundings, "frozen", lambda context, unit, now: "")


def _restore_the_revision_before(patch: pytest.MonkeyPatch) -> None:
    def second_highest(situation: Situation) -> Target | None:
        workload = situation.facts.members[0]
        target = workload.target()
        old = [r for r in workload.revisions if target is None or r.hash != target.hash]
        if not old:
            return None
        best = max(old, key=lambda r: r.number)
        return Target(hash=best.hash, number=best.number, images=best.template.images, judged=True)

    patch.setattr(Situation, "target", second_highest)


def _keep_no_policy(patch: pytest.MonkeyPatch) -> None:
    async def nothing(self: Policies, policy: Policy) -> None:
        """As if the right were missing."""

    patch.setattr(Policies, "_store", nothing)


def _without_interlock(*names: str) -> Patch:
    def patch_it(patch: pytest.MonkeyPatch) -> None:
        kept = tuple(interlock for interlock in EVERY if interlock.check.__name__ not in names)
        assert len(kept) == len(EVERY) - len(names)
        patch.setattr(decide, "EVERY", kept)

    return patch_it


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A guard that must be caught. `breaks` is part of what the watchdog then says."""

    name: str
    breaks: tuple[str, ...]
    story: str
    focus: tuple[tuple[str, Fault, int], ...] = ()
    wiring: Wiring | None = None
    patch: Patch = _nothing
    controllers: int = 1
    plan_expiry: float = policies.TIMING.plan_expiry
    policy_change: str = ""
    outlets: Outlets | None = None
    alarms: Alarms | None = None
    seeds: tuple[int, ...] = tuple(range(25))

    def plans(self) -> Iterator[Plan]:
        """Seeds of the story, each with one of the faults."""
        story = next(story for story in (*STORIES, *SET_STORIES, *ASIDE, *SETS_ASIDE) if story.name == self.story)
        for seed in self.seeds:
            focus = self.focus[seed % len(self.focus)] if self.focus else None
            yield replace(
                without_faults(seed),
                story=story,
                focus=focus,
                controllers=self.controllers,
                latency=story.latency,
                plan_expiry=self.plan_expiry,
                policy_change=self.policy_change,
                outlets=self.outlets,
                alarms=self.alarms,
            )


@contextmanager
def applied(variant: Variant) -> Iterator[None]:
    """The variant's patch, for so long."""
    with pytest.MonkeyPatch.context() as patch:
        variant.patch(patch)
        yield


VARIANTS = (
    Variant(
        name="rule 1: no claim in the unit",
        breaks=("open rollouts",),
        story="in a row",
        focus=(("records.create_rollout", Fault.KILLED_AFTER, 0), ("records.create_rollout", Fault.KILLED_AFTER, 1)),
        wiring=Wiring(records=UnclaimingRecords),
        patch=_ignore_strays,
    ),
    Variant(
        name="rule 2: no stored plan",
        breaks=("without a stored, live plan",),
        story="bad",
        wiring=Wiring(records=ForgetfulRecords),
    ),
    Variant(
        name="rule 3: no write guard",
        breaks=("overwrote a newer change", "overwrote a template", "took effect twice", "without a stored plan"),
        story="fixed forward",
        focus=(("cluster.apply", Fault.APPLIED_LATE, 0), ("cluster.apply", Fault.SLOW, 0)),
        wiring=Wiring(cluster=UnguardedCluster),
    ),
    Variant(
        name="rules 3 and 5: no guard, unknown is sent again",
        breaks=("took effect twice", "overwrote", "rolled back twice"),
        story="re-applied",
        focus=(("cluster.apply", Fault.APPLIED_LATE, 0), ("cluster.apply", Fault.APPLIED_UNKNOWN, 0)),
        wiring=Wiring(cluster=HastyCluster),
    ),
    Variant(
        name="rule 3: no fresh read",
        breaks=("overwrote", "without a stored, live plan", "took effect twice", "rolled back twice"),
        story="fixed forward",
        focus=(("records.read_unit", Fault.SLOW, 0), ("cluster.apply", Fault.APPLIED_LATE, 0)),
        wiring=Wiring(cluster=RememberingCluster),
    ),
    Variant(
        name="rule 4: no receipt",
        breaks=("without a stored, live plan",),
        story="bad",
        wiring=Wiring(cluster=UnreceiptedCluster),
    ),
    Variant(
        name="rule 6: no compare-and-swap",
        breaks=("epoch falls", "goes from", "was opened again", "was changed", "was replaced", "took effect twice"),
        story="bad",
        focus=(("records.replace_rollout", Fault.APPLIED_LATE, 2), ("records.replace_rollout", Fault.APPLIED_LATE, 3)),
        wiring=Wiring(records=OverwritingRecords),
    ),
    Variant(
        name="rule 7: past expiry",
        breaks=("after its expiry",),
        story="bad",
        focus=(("cluster.apply", Fault.KILLED_BEFORE, 0),),
        patch=_act_past_expiry,
        plan_expiry=8.0,
    ),
    Variant(
        name="rule 7: past a freeze",
        breaks=("although it is frozen",),
        story="frozen",
        focus=(("cluster.apply", Fault.KILLED_BEFORE, 0), ("cluster.apply", Fault.LOST, 0)),
        patch=_act_past_freeze,
    ),
    Variant(
        name="rule 8: past the Lease",
        breaks=("of leadership left", "without the Lease", "leads with a higher epoch"),
        story="bad",
        focus=(("cluster.fetch", Fault.PAUSED_AFTER, 2), ("cluster.fetch", Fault.PAUSED_BEFORE, 2)),
        patch=_act_past_the_lease,
    ),
    Variant(
        name="rule 8: a record is written past the Lease",
        breaks=("of leadership left", "without the Lease", "leads with a higher epoch"),
        story="bad",
        focus=(("records.replace_rollout", Fault.PAUSED_AFTER, 2), ("records.read_unit", Fault.PAUSED_AFTER, 2)),
        patch=_record_past_the_lease,
    ),
    Variant(
        name="rule 9: an epoch below those of open rollouts",
        breaks=("nobody leads", "is neither done nor held and paged"),
        story="Lease deleted",
        focus=(("cluster.apply", Fault.KILLED_BEFORE, 0),),
        wiring=Wiring(leadership=ForgetfulLeadership),
    ),
    Variant(
        name="rule 10: a notice is sent before it is stored",
        breaks=("is neither done nor held and paged",),
        story="paused",
        focus=(("notifier.send", Fault.KILLED_BEFORE, 1), ("notifier.send", Fault.KILLED_BEFORE, 2)),
        wiring=Wiring(records=UnwrittenRecords),
    ),
    Variant(
        name="rule 11: a log wins over the cluster",
        breaks=("without a stored, live plan",),
        story="restored from a backup",
        focus=(("cluster.apply", Fault.KILLED_BEFORE, 0),),
        wiring=Wiring(records=ReplayingRecords),
    ),
    Variant(
        name="policy: not kept for the next leader",
        breaks=("began under another policy",),
        story="bad",
        focus=(("cluster.apply", Fault.KILLED_BEFORE, 0), ("cluster.apply", Fault.KILLED_AFTER, 0)),
        patch=_keep_no_policy,
        policy_change="signals",
    ),
    Variant(
        name="targets: the revision before",
        breaks=("neither judged healthy nor adopted",),
        story="bad to bad",
        patch=_restore_the_revision_before,
    ),
    Variant(
        name="interlock: outage",
        breaks=("a false rollback",),
        story="outage",
        patch=_without_interlock("outage"),
    ),
    Variant(
        name="interlocks: past its bound before, reference as bad",
        breaks=("which is bad", "a false rollback"),
        story="hotfix",
        patch=_without_interlock("past_before", "not_worse"),
    ),
    Variant(
        name="interlock: rollbacks per workload",
        breaks=("within the limit's time",),
        story="re-applied",
        patch=_without_interlock("workload_limit"),
    ),
)
