"""What must hold of a release set besides: capacity before a switch, all or none, drains, minimums, half states."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rollguard.model.action import Plan, Step, StepKind, StepState
from rollguard.model.names import Ref, RolloutId, WorkloadName
from rollguard.model.notices import NoticeClass
from rollguard.model.records import LifecycleState, Passage, RolloutRecord
from rollguard.sim.behaviour import of_image
from rollguard.sim.network import InvariantBroken
from rollguard.sim.objects import SimDeployment
from rollguard.sim.services import Adjusted, SimService
from rollguard.sim.world import Changed, Sent
from tests.simulation.invariants import GRACE, HEALTHY, Watchdog, asked
from tests.simulation.platform import KEY, NAMESPACE, Platform, ready
from tests.simulation.set_stories import SetStory

FAILED_AT_MOST = 0.001
"""Of the requests that reach the colour that serves again."""
SCALES = (StepKind.SCALE_UP, StepKind.SCALE_DOWN, StepKind.SCALE_BACK)
MINIMUMS = (StepKind.RAISE_MINIMUM, StepKind.RESTORE_MINIMUM)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Back:
    """A Service that the guard switched back, and how its two Deployments stood."""

    planned: float
    """When the plan was made: what people change from then on is theirs."""
    old: WorkloadName
    new: WorkloadName
    answered: int
    shed: int
    lost: float
    reset: int
    crashes: bool
    """The bad colour's pods end by themselves: what is lost with them is not the guard's doing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """A step of a stored plan, and what it is about."""

    record: RolloutRecord
    plan: Plan
    step: Step
    passage: Passage

    @property
    def once(self) -> str:
        """What it does at most once, also under a plan that goes on with this one."""
        number = int(self.plan.id.rpartition(".")[2]) - self.plan.continues
        return f"{self.record.id}.{number}/{self.step.n}"


@dataclass(slots=True)
class SetWatchdog(Watchdog):
    """Listens to one world with a platform in it."""

    story: SetStory
    platform: Platform = field(kw_only=True)
    slack: float = field(kw_only=True)
    """Seconds: what was read may be that old when it is acted upon."""
    back: dict[str, _Back] = field(default_factory=dict)
    """By the Service's name, the last time."""
    switched: Counter[tuple[RolloutId, str]] = field(default_factory=Counter)
    _ready: dict[WorkloadName, list[tuple[float, int]]] = field(default_factory=dict)
    """How many pods were ready from when on."""
    _sent_at: dict[str, float] = field(default_factory=dict)
    _minimums: dict[str, int] = field(default_factory=dict)
    """As all others but the guard left them."""
    _people: dict[WorkloadName, float] = field(default_factory=dict)
    """When anybody but the guard changed a Deployment last."""
    _released: dict[WorkloadName, float] = field(default_factory=dict)
    """When its template was changed last."""
    _planned: dict[str, float] = field(default_factory=dict)
    """When each plan was stored."""
    _last_switch: dict[RolloutId, float] = field(default_factory=dict)

    def start(self) -> None:
        """From now on every write is looked at."""
        Watchdog.start(self)
        self.world.on_adjust.append(self._adjusted)
        self.world.on_pods.append(self._count_ready)
        for deployment in self.platform.deployments.values():
            self._count_ready(deployment)
        self._minimums = {scaler.name: scaler.minimum for scaler in self.platform.scalers.values()}

    # --- safety ---

    def _sent(self, sent: Sent) -> None:
        receipt, _ = asked(sent.patch)
        order = self._order(receipt)
        open_ = order is not None and order.record.closed is None and self._pending(order.step)
        if order is None or not open_ or not _same(order.step.target, sent.ref):
            raise InvariantBroken(f"a write to {sent.ref.kind} {sent.ref.name} leaves without a stored, live plan")
        self._check_order(sent, order.record, order.plan)
        self._sent_at[receipt] = sent.at
        if order.step.kind is StepKind.SWITCH:
            self._check_capacity(order)
        if order.step.kind is StepKind.SCALE_DOWN:
            self._check_drained(order)

    def _recorded(self, before: RolloutRecord | None, after: RolloutRecord) -> None:
        Watchdog._recorded(self, before, after)
        if after.plan is not None:
            self._planned.setdefault(after.plan.id, self.world.loop.time())

    @staticmethod
    def _pending(step: Step) -> bool:
        return step.state in (StepState.PENDING, StepState.TRYING)

    def _changed(self, change: Changed) -> None:
        if change.actor not in self.leaders:
            self._people[change.workload] = change.at
            if change.after.digest != change.before.digest:
                self._released[change.workload] = change.at
            return
        self.wrote.append(change)
        order = self._order(change.receipt)
        if order is None or order.step.kind not in SCALES or order.step.target.name != change.workload.name:
            raise InvariantBroken(f"the guard changed {change.workload}, and no stored step asks for it")
        if change.after.digest != change.before.digest:
            raise InvariantBroken(f"the guard changed the template of {change.workload}")
        if change.replicas_after == change.replicas_before:
            return
        self._once(order)
        if order.step.kind is StepKind.SCALE_DOWN:
            self._check_undo(order.record, change.at)
        if change.replicas_after != int(order.step.goal):
            raise InvariantBroken(f"step {change.receipt} scaled {change.workload} to {change.replicas_after}")
        up, bad = change.replicas_after > change.replicas_before, change.workload == order.passage.new.workload
        if up != (order.step.kind is StepKind.SCALE_UP) or bad != (order.step.kind is StepKind.SCALE_DOWN):
            raise InvariantBroken(f"step {change.receipt} scaled {change.workload} the wrong way")

    def _adjusted(self, change: Adjusted) -> None:
        if change.actor not in self.leaders:
            if change.ref.kind != "Service":
                self._minimums[change.ref.name] = int(change.after["minReplicas"])
            return
        order = self._order(change.receipt)
        if order is None or not _same(order.step.target, change.ref):
            raise InvariantBroken(f"an effect on {change.ref.kind} {change.ref.name} without a stored plan")
        key = KEY if order.step.kind is StepKind.SWITCH else "minReplicas"
        if change.before | {key: ""} != change.after | {key: ""}:
            raise InvariantBroken(f"step {change.receipt} changed more than {key}")
        if order.step.kind is not StepKind.SWITCH and order.step.kind not in MINIMUMS:
            raise InvariantBroken(f"step {change.receipt} changed {change.ref.name}, and is to {order.step.kind}")
        if change.before[key] == change.after[key]:
            return
        self._once(order)
        if change.before[key] != order.step.precondition:
            raise InvariantBroken(f"step {change.receipt} overwrote a newer change: {key} was {change.before[key]}")
        if change.after[key] != order.step.goal:
            raise InvariantBroken(f"step {change.receipt} made {key} {change.after[key]}")
        if order.step.kind is StepKind.SWITCH:
            self._check_switch(order, change)

    def _once(self, order: _Order) -> None:
        self.effects[order.once] += 1
        if self.effects[order.once] > 1:
            raise InvariantBroken(f"step {order.once} took effect twice")

    def _check_switch(self, order: _Order, change: Adjusted) -> None:
        """Once in a rollout, to what served before."""
        record, passage = order.record, order.passage
        self.switched[record.id, change.ref.name] += 1
        self._last_switch[record.id] = self.back_at[record.id] = change.at
        if self.switched[record.id, change.ref.name] > 1:
            raise InvariantBroken(f"{record.id} switched {change.ref.name} back twice")
        self._check_undo(record, change.at)
        deployment = self._deployment(passage.old.workload)
        other = deployment is None or deployment.template.digest != passage.old.digest
        if other and change.at - change.sent_at < GRACE:
            raise InvariantBroken(f"{change.ref.name} was switched to a template that did not serve before")
        self.world.settle()
        traffic, service = self.world.traffic, self._service(change.ref.name)
        self.back[change.ref.name] = _Back(
            planned=self._planned[order.plan.id],
            old=passage.old.workload,
            new=passage.new.workload,
            answered=traffic.answered.get(passage.old.workload, 0),
            shed=traffic.shed.get(passage.old.workload, 0),
            lost=service.lost,
            reset=service.reset.get(passage.new.workload, 0),
            crashes=any(of_image(image).crash_after is not None for _, image in passage.new.images),
        )

    def _check_undo(self, record: RolloutRecord, now: float) -> None:
        """What is undone is bad, and what serves again is not; and it is within the limits, counted once."""
        if self.restored[record.id]:
            return
        self.restored[record.id] += 1
        if record.id not in self.approved:
            self._check_limits(record, now)
        images = [image for passage in record.passages for _, image in passage.new.images]
        if not self.story.bad or all(of_image(image) == HEALTHY for image in images):
            raise InvariantBroken(f"a false rollback: {', '.join(images)} in the story '{self.story.name}'")
        for passage in record.passages:
            for _, image in passage.old.images:
                if of_image(image) != HEALTHY:
                    raise InvariantBroken(f"{record.id} goes back to {image}, which is bad")

    def _check_capacity(self, order: _Order) -> None:
        """As a switch leaves: its colour serves, and before the first one so do all others that are to go back."""
        now = self.world.loop.time()
        if self._most_ready(order.passage.old.workload, now) == 0:
            raise InvariantBroken(f"{order.step.target.name} is to be switched to a colour without ready pods")
        if any(step.kind is StepKind.SWITCH and step.state is StepState.DONE for step in order.plan.steps):
            return
        if any(rollout == order.record.id for rollout, _ in self.switched):
            return
        moved = {step.target.name for step in order.plan.steps}
        for passage in order.record.passages:
            name = passage.old.workload
            if name.name in moved and self._most_ready(name, now) < passage.needed:
                raise InvariantBroken(f"the first switch leaves before {name} has {passage.needed} ready pods")
            newer = self._released.get(passage.new.workload, 0.0)
            if self._planned[order.plan.id] < newer < now - self.slack:
                raise InvariantBroken(f"the first switch leaves although {passage.new.workload} was released anew")

    def _check_drained(self, order: _Order) -> None:
        """As the end of the bad colour leaves: nobody asks it any more, and the other one serves."""
        now, passage = self.world.loop.time(), order.passage
        if not passage.service:
            if self._most_ready(passage.old.workload, now) == 0:
                raise InvariantBroken(f"{passage.new.workload} is to end while {passage.old.workload} does not work")
            return
        last = self._last_switch.get(order.record.id, 0.0)
        if now - last < self.policy.timing.drain:
            raise InvariantBroken(f"{passage.new.workload} is to end {now - last:.1f} s after the last switch")
        service = self.platform.world.services.all.get((NAMESPACE, passage.service))
        if service is not None and service.share_of(passage.new.workload) > 0 and self._selects(service, passage):
            raise InvariantBroken(f"{passage.new.workload} is to end while clients of {passage.service} still ask it")

    @staticmethod
    def _selects(service: SimService, passage: Passage) -> bool:
        return service.selector[KEY] == passage.old.colour

    def _check_target(self, record: RolloutRecord, plan: Plan, change: Changed) -> None:
        raise InvariantBroken(f"{record.id} put a template back: a release set goes back by its colours")

    # --- what is known of the world ---

    def _count_ready(self, deployment: SimDeployment) -> None:
        rows = self._ready.setdefault(deployment.name, [])
        number = ready(deployment)
        if not rows or rows[-1][1] != number:
            rows.append((self.world.loop.time(), number))

    def _most_ready(self, name: WorkloadName, now: float) -> int:
        """The most that were ready at one moment of the last `slack` seconds."""
        rows = self._ready.get(name, [])
        ends = [start for start, _ in rows[1:]] + [now]
        return max((number for (_, number), end in zip(rows, ends, strict=True) if end >= now - self.slack), default=0)

    def _deployment(self, name: WorkloadName) -> SimDeployment | None:
        return self.world.deployments.get(name)

    def _service(self, name: str) -> SimService:
        return next(service for service in self.platform.services.values() if service.name == name)

    def _order(self, receipt: str) -> _Order | None:
        plan_id, _, number = receipt.rpartition("/")
        for stored in self.world.records.rollouts.values():
            plan = stored.record.plan
            if plan is None or plan.id != plan_id:
                continue
            step = next((each for each in plan.steps if str(each.n) == number), None)
            passage = next((p for p in stored.record.passages if step is not None and p.member == step.member), None)
            if step is not None and passage is not None:
                return _Order(record=stored.record, plan=plan, step=step, passage=passage)
        return None

    def _requests(self, workload: WorkloadName) -> int:
        """All requests that pods of the set ever answered."""
        self.world.settle()
        return sum(self.world.traffic.answered.values())

    # --- liveness, once faults have stopped ---

    def check_end(self, *, faulty: bool) -> None:
        """As for any unit; and no minimum is left raised, no half state untold, nobody without pods by the guard."""
        Watchdog.check_end(self, faulty=faulty)
        frozen = any(stored.record.freeze is not None for stored in self.world.records.units.values())
        for scaler in self.platform.scalers.values():
            if scaler.minimum != self._minimums[scaler.name] and not frozen:
                was = self._minimums[scaler.name]
                raise InvariantBroken(f"the minimum of {scaler.name} is {scaler.minimum}, and was {was}")
        for stored in self.world.records.rollouts.values():
            self._check_half(stored.record)
        for name, back in self.back.items():
            self._check_served(name, back)
        if self.story.must_hold and not faulty:
            self._check_held()

    def _check_plan_ended(self, record: RolloutRecord) -> None:
        if record.plan is None or record.plan.done:
            return
        paged = any(notice.class_ is NoticeClass.PAGE for notice in record.notices)
        ended = record.state in (LifecycleState.HELD, LifecycleState.CLOSED)
        if not (paged and (ended or self._waits(record))):
            raise InvariantBroken(f"plan {record.plan.id} is neither done nor held and paged: {record.state}")

    def _undid(self, record: RolloutRecord) -> bool:
        """Where people had switched every Service before, what is left to end is no rollback of the guard's own."""
        switched = any(rollout == record.id for rollout, _ in self.switched)
        return switched or (Watchdog._undid(self, record) and not any(p.service for p in record.passages))

    def _waits(self, record: RolloutRecord) -> bool:
        """A refusal after the first switch is waited for; so is that of a first one of which an answer is missing."""
        plan = record.plan
        tried = plan is not None and any(s.kind is StepKind.SWITCH and s.state is StepState.TRYING for s in plan.steps)
        switched = any(rollout == record.id for rollout, _ in self.switched)
        return bool(self.world.services.refused) and (switched or tried)

    def _check_half(self, record: RolloutRecord) -> None:
        """Some Services are back and others are not: a page says so."""
        moved = {step.target.name for step in record.plan.steps} if record.plan is not None else set()
        with_service = [p for p in record.passages if p.service in moved]
        if not any(self.switched[record.id, p.service] for p in with_service):
            return
        colours = {p.service: self._service(p.service).selector[KEY] == p.old.colour for p in with_service}
        if len(set(colours.values())) == 2 and not any(n.class_ is NoticeClass.PAGE for n in record.notices):
            raise InvariantBroken(f"{record.id} rests half back, and nobody was paged: {colours}")

    def _check_served(self, name: str, back: _Back) -> None:
        """By the guard no Service is left without pods, no request that reached the good colour failed, and no
        connection to the bad one was reset."""
        service, good = self._service(name), self._deployment(back.old)
        if service.selector[KEY] != back.old.name.rpartition("-")[2]:
            return
        self.world.settle()
        if (
            (good is None or ready(good) == 0)
            and not self.story.loses
            and self._people.get(back.old, 0.0) < back.planned
        ):
            raise InvariantBroken(f"{name} was left on {back.old}, which has no ready pods")
        answered = self.world.traffic.answered.get(back.old, 0) - back.answered
        shed = self.world.traffic.shed.get(back.old, 0) - back.shed
        if shed > FAILED_AT_MOST * max(answered, 1) and not self.story.loses:
            raise InvariantBroken(f"{shed} of {answered} requests found too few pods of {back.old}")
        lost = service.lost - back.lost
        touched = max(self._people.get(back.old, 0.0), self._people.get(back.new, 0.0)) > back.planned
        if lost > FAILED_AT_MOST * max(answered, 1) and not (self.story.loses or back.crashes or touched):
            raise InvariantBroken(f"{lost:.1f} requests to {name} found nobody after it was switched back")
        resets = service.reset.get(back.new, 0) - back.reset
        deleted = self._deployment(back.new) is None
        if resets and not deleted and self._people.get(back.new, 0.0) < back.planned:
            raise InvariantBroken(f"{resets} connections to {back.new} were reset after {name} was switched back")

    def _check_held(self) -> None:
        """Nothing was switched, nothing counts as a rollback, and people know why."""
        held = [stored.record for stored in self.world.records.rollouts.values() if stored.record.passages]
        if self.switched or not held:
            raise InvariantBroken(f"{dict(self.switched)} was switched in the story '{self.story.name}'")
        if counted := [u.record.name for u in self.world.records.units.values() if u.record.automatic_rollbacks]:
            raise InvariantBroken(f"{counted} counts a rollback, and nothing was undone")
        for record in held:
            paged = any(notice.class_ is NoticeClass.PAGE for notice in record.notices)
            if not paged or record.state not in (LifecycleState.HELD, LifecycleState.CLOSED):
                raise InvariantBroken(f"{record.id} is neither held nor paged: {record.state}")

    def _check_undone(self) -> None:
        for member, service in self.platform.services.items():
            image = _image(self.platform.deployment(member, service.selector[KEY]))
            if of_image(image) != HEALTHY:
                raise InvariantBroken(f"{service.name} still serves {image}: the bad release was never undone")
        for (member, _), bad in self.platform.deployments.items():
            if member not in self.platform.services and bad.replicas and of_image(_image(bad)) != HEALTHY:
                raise InvariantBroken(f"{bad.name} still works: the bad release was never undone")
        for stored in self.world.records.rollouts.values():
            for passage in stored.record.passages if self.restored[stored.record.id] else ():
                self._check_back(passage)

    def _check_back(self, passage: Passage) -> None:
        old, new = self._deployment(passage.old.workload), self._deployment(passage.new.workload)
        if old is None or ready(old) == 0 or (new is not None and new.replicas != 0):
            raise InvariantBroken(f"{passage.member} is not back: {passage.new.workload} has pods left")


def _image(deployment: SimDeployment) -> str:
    return deployment.template.images[0][1]


def _same(target: Ref, sent: Ref) -> bool:
    return (target.kind, target.namespace, target.name) == (sent.kind, sent.namespace, sent.name)
