"""What must hold whatever happens, checked by watching the world's writes; nothing here asks the code under test.

Safety rules raise at the moment of the breach; liveness rules are asked for at the end, after faults have stopped.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

from rollguard.model.action import Plan, StepKind, StepState
from rollguard.model.names import RolloutId, UnitName, WorkloadKind, WorkloadName
from rollguard.model.notices import NoticeClass, NoticeState
from rollguard.model.policy import Mode, Policy
from rollguard.model.records import LifecycleState, RolloutRecord
from rollguard.model.requests import RequestKind
from rollguard.sim.behaviour import Behaviour, of_image
from rollguard.sim.channels import Inbox
from rollguard.sim.lease import SimLeadership
from rollguard.sim.network import InvariantBroken
from rollguard.sim.objects import RECEIPT, at
from rollguard.sim.world import Changed, Sent, World
from tests.simulation.alarm_invariants import AlarmWatchdog
from tests.simulation.notice_invariants import NoticeWatchdog
from tests.simulation.set_stories import SetStory
from tests.simulation.stories import Story

GRACE = 10.0
"""Seconds: what a holder has read may be that old when it acts, for a leadership lasts so long."""
SKEW = 2.0
"""Seconds by which a process's clock may be wrong."""
HEALTHY = Behaviour()
_RECEIPT_PATH = "/metadata/annotations/rollguard.dev~1step"


@dataclass(slots=True)
class Watchdog:
    """Listens to one world."""

    world: World
    policy: Policy
    story: Story | SetStory
    inbox: Inbox
    leaders: dict[str, SimLeadership] = field(default_factory=dict)
    effects: Counter[str] = field(default_factory=Counter)
    restored: Counter[RolloutId] = field(default_factory=Counter)
    wrote: list[Changed] = field(default_factory=list)
    approved: set[RolloutId] = field(default_factory=set)
    notices: NoticeWatchdog | None = None
    """Where there are several channels."""
    alarms: AlarmWatchdog | None = None
    """Where there is an Alertmanager."""
    back_at: dict[RolloutId, float] = field(default_factory=dict)
    """When each rollout was undone."""
    _rollback_times: list[tuple[UnitName, float]] = field(default_factory=list)

    def start(self) -> None:
        """From now on every write is looked at."""
        self.world.on_send.append(self._sent)
        self.world.on_change.append(self._changed)
        self.world.records.on_write.append(self._check_leadership)
        self.world.records.on_rollout.append(self._recorded)

    # --- safety ---

    def _sent(self, sent: Sent) -> None:
        receipt, kind = asked(sent.patch)
        workload = WorkloadName(sent.ref.namespace, WorkloadKind.DEPLOYMENT, sent.ref.name)
        if not receipt and workload in self.world.deployments:
            receipt = self.world.deployments[workload].annotations.get(RECEIPT, "")
        record, plan = self._live_plan(workload, receipt, kind)
        if record is None or plan is None:
            raise InvariantBroken(f"a write to {workload} leaves without a stored, live plan")
        self._check_order(sent, record, plan)
        if kind is StepKind.RESTORE_TEMPLATE:
            self._check_status(workload, sent.at)

    def _check_order(self, sent: Sent, record: RolloutRecord, plan: Plan) -> None:
        """The plan is in force, and the process may write."""
        if at(sent.at) >= plan.expires.plus(SKEW):
            raise InvariantBroken(f"a write of plan {plan.id} leaves after its expiry")
        unit = self.world.records.units[record.unit].record
        if unit.freeze is not None and self._frozen_for(record.unit) > GRACE:
            raise InvariantBroken(f"a write to {sent.ref.name} leaves although it is frozen")
        self._check_leadership(sent.process, sent.timeout)
        self._check_mode(record)
        if self.notices is not None:
            self.notices.acts(plan.id)

    def _check_leadership(self, process: str, timeout: float) -> None:
        """Of every write, of a workload or of a record."""
        leader = self.leaders[process]
        if leader.until is None:
            raise InvariantBroken(f"{process} writes without the Lease")
        left = leader.left()
        if left < timeout - 1e-6:
            raise InvariantBroken(f"{process} writes with {left:.2f} s of leadership left, {timeout} needed")
        for name, other in self.leaders.items():
            if name != process and other.until is not None and other.left() > 0 and other.epoch > leader.epoch:
                raise InvariantBroken(f"{process} writes while {name} leads with a higher epoch")

    def _check_status(self, workload: WorkloadName, sent_at: float) -> None:
        """Of the write that undoes. What follows it meets the status that the undo itself made stale."""
        deployment = self.world.deployments.get(workload)
        if deployment is None or deployment.observed_generation == deployment.generation:
            return
        if sent_at - deployment.generation_since > GRACE:
            raise InvariantBroken(f"a write to {workload} leaves on a status that is stale for long")

    def _check_mode(self, record: RolloutRecord) -> None:
        allowed = record.id in self.approved or self._ordered(record)
        if self.policy.watches[0].mode is not Mode.AUTOMATIC and not allowed:
            raise InvariantBroken(f"{record.id} is rolled back in mode {self.policy.watches[0].mode} unapproved")

    def _ordered(self, record: RolloutRecord) -> bool:
        """Whether a person ordered what its plan does."""
        asked = self.world.records.units[record.unit].record.requests
        actor = record.plan.actor if record.plan is not None else ""
        return any(order.kind is RequestKind.ROLLBACK and order.actor == actor for order in asked)

    def _changed(self, change: Changed) -> None:
        if change.actor not in self.leaders:
            return
        self.wrote.append(change)
        if change.replicas_after != change.replicas_before:
            raise InvariantBroken(f"the guard changed spec.replicas of {change.workload}")
        if change.after.digest == change.before.digest:
            self._check_courtesy(change)
            return
        record, plan = self._plan_of(change.workload, change.receipt)
        if record is None or plan is None:
            raise InvariantBroken(f"an effect on {change.workload} without a stored plan")
        self.effects[change.receipt] += 1
        if self.effects[change.receipt] > 1:
            raise InvariantBroken(f"step {change.receipt} took effect twice")
        self._check_once(record, plan, change)
        self._check_target(record, plan, change)

    def _check_courtesy(self, change: Changed) -> None:
        """A write that leaves the template: it gives the restored fields back, after the undo, once."""
        record, plan = self._plan_of(change.workload, change.receipt)
        if record is None or plan is None or len(plan.steps) == 1:
            raise InvariantBroken(f"a write to {change.workload} that no stored step asks for")
        step = f"{plan.id}/{StepKind.RESTORE_MANAGERS}"
        self.effects[step] += 1
        if self.effects[step] > 1:
            raise InvariantBroken(f"step {step} took effect twice")
        if change.after.digest != plan.restoring.goal:
            raise InvariantBroken(f"step {step} changed the owners of a template that it was not made for")

    def _check_once(self, record: RolloutRecord, plan: Plan, change: Changed) -> None:
        self.restored[record.id] += 1
        self.back_at[record.id] = change.at
        if self.restored[record.id] > 1:
            raise InvariantBroken(f"{record.id} was rolled back twice")
        step = plan.steps[0]
        if change.before.digest != step.precondition:
            raise InvariantBroken(f"plan {plan.id} overwrote a template that it was not made for")
        if change.before.digest != record.target_digest:
            raise InvariantBroken(f"plan {plan.id} overwrote a newer change")
        if record.id not in self.approved:
            self._check_limits(record, change.at)

    def _check_limits(self, record: RolloutRecord, now: float) -> None:
        """Of what the guard does by itself; people may order as much as they like."""
        limits = self.policy.limits
        recent = [t for unit, t in self._rollback_times if unit == record.unit and now - t < limits.rollbacks_within]
        if len(recent) >= limits.rollbacks:
            raise InvariantBroken(f"{record.unit} was rolled back {len(recent) + 1} times within the limit's time")
        self._rollback_times.append((record.unit, now))
        units = {unit for unit, t in self._rollback_times if now - t < limits.fleet_within}
        if len(units) > limits.fleet_units:
            raise InvariantBroken("the fleet's budget was overdrawn")

    def _check_target(self, record: RolloutRecord, plan: Plan, change: Changed) -> None:
        unit = self.world.records.units[record.unit].record
        good = {revision.digest for revision in (*unit.healthy, *unit.adopted_before)}
        if unit.adopted is not None:
            good.add(unit.adopted.digest)
        if change.after.digest not in good:
            raise InvariantBroken(f"plan {plan.id} restored a revision that is neither judged healthy nor adopted")
        image = change.after.images[0][1]
        if of_image(image) != HEALTHY:
            raise InvariantBroken(f"plan {plan.id} restored {image}, which is bad")
        undone = change.before.images[0][1]
        if (not self.story.bad or of_image(undone) == HEALTHY) and not self._alerted(record, plan):
            raise InvariantBroken(f"a false rollback: {undone} was undone in the story '{self.story.name}'")

    def _alerted(self, record: RolloutRecord, plan: Plan) -> bool:
        """Whether others' alerts spoke against the rollout when the plan was made."""
        return self.alarms is not None and bool(self.alarms.against(record, plan.created.since(at(0.0))))

    def _recorded(self, before: RolloutRecord | None, after: RolloutRecord) -> None:
        if before is not None and before.policy_digest != after.policy_digest:
            raise InvariantBroken(f"{after.id} began under another policy than {after.policy_digest}")
        if self.notices is not None:
            self.notices.recorded(after)
        if self.alarms is not None:
            self.alarms.recorded(before, after)
        for finding in after.findings:
            if before is not None and finding in before.findings:
                continue
            if finding.signal == "error-rate":
                total = self._requests(after.workload)
                if finding.total > total + 1:
                    raise InvariantBroken(
                        f"{after.id} counts {finding.total:g} requests where only {total} ever happened"
                    )

    def _requests(self, workload: WorkloadName) -> int:
        """All requests that the workload's pods ever answered, counted over restarts."""
        self.world.settle()
        return self.world.traffic.answered.get(workload, 0)

    def _plan_of(self, workload: WorkloadName, receipt: str) -> tuple[RolloutRecord | None, Plan | None]:
        for stored in self.world.records.rollouts.values():
            plan = stored.record.plan
            if plan is not None and stored.record.workload == workload and receipt == f"{plan.id}/{plan.restoring.n}":
                return stored.record, plan
        return None, None

    def _live_plan(
        self, workload: WorkloadName, receipt: str, kind: StepKind
    ) -> tuple[RolloutRecord | None, Plan | None]:
        record, plan = self._plan_of(workload, receipt)
        if record is None or plan is None:
            return None, None
        open_ = any(s.kind is kind and s.state in (StepState.PENDING, StepState.TRYING) for s in plan.steps)
        return (record, plan) if open_ and record.closed is None else (None, None)

    def _frozen_for(self, unit: UnitName) -> float:
        since = self.world.records.frozen_since.get(unit)
        return 0.0 if since is None else self.world.loop.time() - since

    # --- liveness, once faults have stopped ---

    def check_end(self, *, faulty: bool) -> None:
        """Everything is done, superseded or held and paged; every notice has arrived or visibly failed."""
        self._check_lease()
        if self.notices is not None:
            self.notices.check_end(self.back_at)
        units: Counter[UnitName] = Counter()
        for stored in self.world.records.rollouts.values():
            record = stored.record
            if record.closed is None:
                units[record.unit] += 1
            self._check_plan_ended(record)
            self._check_counted(record)
            self._check_notices(record)
        for unit, count in units.items():
            if count > 1:
                raise InvariantBroken(f"{unit} has {count} open rollouts")
        if self.story.must_undo and not faulty and self.policy.watches[0].mode is Mode.AUTOMATIC:
            self._check_undone()

    def _check_lease(self) -> None:
        if not any(leader.left() > 0 for leader in self.leaders.values() if leader.until is not None):
            raise InvariantBroken("nobody leads, although faults stopped more than 30 s ago")

    def _check_plan_ended(self, record: RolloutRecord) -> None:
        if record.plan is None:
            return
        if record.plan.done:
            return
        paged = any(notice.class_ is NoticeClass.PAGE for notice in record.notices)
        ended = record.state in (LifecycleState.HELD, LifecycleState.CLOSED)
        if not (ended and paged) and record.workload in self.world.deployments:
            raise InvariantBroken(f"plan {record.plan.id} is neither done nor held and paged: {record.state}")

    def _check_counted(self, record: RolloutRecord) -> None:
        """What the guard undid by itself counts for the limits, whoever died in between."""
        plan, unit = record.plan, self.world.records.units[record.unit].record
        ours = plan is not None and plan.done and plan.actor == "rollguard" and self._undid(record)
        if plan is not None and ours and unit.uid == record.uid and plan.created not in unit.automatic_rollbacks:
            raise InvariantBroken(f"plan {plan.id} undid {record.id}, and counts as no rollback of {record.unit}")

    def _undid(self, record: RolloutRecord) -> bool:
        return bool(self.restored[record.id])

    def _check_notices(self, record: RolloutRecord) -> None:
        arrived = self.inbox.distinct()
        now = at(self.world.loop.time())
        for notice in record.notices:
            if notice.state is NoticeState.PENDING and now.since(notice.at) > 60 and self.notices is None:
                raise InvariantBroken(f"notice {notice.id} is neither accepted nor failed: {notice.detail}")
            if notice.state is NoticeState.ACCEPTED and notice.id not in arrived:
                raise InvariantBroken(f"notice {notice.id} is said to be accepted and never arrived")
            if notice.state is NoticeState.FAILED and not notice.detail:
                raise InvariantBroken(f"notice {notice.id} failed without a word")

    def _check_undone(self) -> None:
        for deployment in self.world.deployments.values():
            image = deployment.template.images[0][1]
            if of_image(image) != HEALTHY:
                raise InvariantBroken(f"{deployment.name} still runs {image}: the bad release was never undone")


def asked(patch: str) -> tuple[str, StepKind]:
    """The receipt that the patch leaves, or that it is bound to; empty where there is none. And what step it is of."""
    operations = json.loads(patch)
    owners = any(o["op"] != "test" and o["path"].startswith("/metadata/managedFields") for o in operations)
    kind = StepKind.RESTORE_MANAGERS if owners else StepKind.RESTORE_TEMPLATE
    for operation in operations:
        if (operation["op"] == "test") is not owners:
            continue
        if operation["path"] == _RECEIPT_PATH:
            return str(operation["value"]), kind
        if operation["path"] == "/metadata/annotations":
            return str(operation["value"].get(RECEIPT, "")), kind
    return "", kind
