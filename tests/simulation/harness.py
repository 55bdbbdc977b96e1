"""Plays one seed: a world, a story, faults, controllers that die and start again, and the watchdog."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from rollguard.loop.guard import Guard
from rollguard.loop.settings import Settings
from rollguard.model.metrics import GapCause
from rollguard.model.names import UnitName
from rollguard.model.policy import Mode, Policy
from rollguard.model.records import LifecycleState, UnitRecord
from rollguard.model.requests import HumanRequest, RequestKind
from rollguard.ports import Cluster, Leadership, Records
from rollguard.sim.channels import Inbox, SimChannels, SimJournal, SimNotifier
from rollguard.sim.cluster import SimCluster
from rollguard.sim.faults import POINTS, Fault, FaultPlan
from rollguard.sim.kubelet import KubeletTiming
from rollguard.sim.lease import SimLeadership
from rollguard.sim.metrics import SimMetrics
from rollguard.sim.network import InvariantBroken
from rollguard.sim.objects import SimDeployment, at
from rollguard.sim.policies import SimKeptPolicies, SimPolicySource
from rollguard.sim.process import Process, VirtualClock
from rollguard.sim.records import SimRecords
from rollguard.sim.virtual_time import run
from rollguard.sim.world import Blind, World, WorldSettings
from tests.simulation import policies
from tests.simulation.alarm_invariants import AlarmWatchdog
from tests.simulation.alarms import Alarms, Alertmanager
from tests.simulation.invariants import GRACE, SKEW, Watchdog
from tests.simulation.notice_invariants import NoticeWatchdog
from tests.simulation.outlets import POINT, Outlets, Post
from tests.simulation.platform import Platform
from tests.simulation.set_invariants import SetWatchdog
from tests.simulation.set_stories import SET_STORIES, UNIT, SetStory
from tests.simulation.stories import STORIES, Story

SETTLE = 45.0
DAYS = 2 * 86400.0
CALLS_IN_5_S = 400
CALLS_OF_SET_IN_5_S = 1000
AT_ONCE = 0.5
"""Seconds within which what was read is acted upon where nothing goes wrong."""
QUIET, LONGEST_QUIET = 35.0, 75.0
"""Virtual seconds without faults at the end of a seed, in which everything must come to rest: tried after the first,
demanded after the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a seed plays. Made from the seed alone; parts can be replaced to look closer."""

    seed: int
    story: Story | SetStory
    mode: Mode
    controllers: int
    rate: float
    focus: tuple[str, Fault, int] | None
    restart: str
    """`stop` or `kill`: what befalls the first controller in the middle, beside the faults; else empty."""
    blind: bool
    stalls: bool
    wakes_lost: float
    clock_error: float
    latency: bool
    length: float
    plan_expiry: float = policies.TIMING.plan_expiry
    policy_change: str = ""
    """What people write into the policy in the middle: `signals`, `notices`, `mistakes`; else empty."""
    outlets: Outlets | None = None
    """The channels beside the webhook."""
    alarms: Alarms | None = None
    """What Alertmanager tells."""

    @classmethod
    def of(cls, seed: int) -> Plan:
        """The plan of that seed."""
        rng = random.Random(seed)
        point, fault = CELLS[seed % len(CELLS)]
        wanted = next((s for s in (*STORIES, *SET_STORIES) if s.name == _VISITED_BY.get(point)), None)
        story: Story | SetStory = STORIES[(seed + seed // len(STORIES)) % len(STORIES)]
        acting = point in _ACTING and _acts(seed)
        if wanted is not None and not (wanted.name == "bad" and (story.must_undo if acting else story.bad)):
            story = wanted
        of_set = _set_story(seed, acting=acting)
        if of_set is not None and (wanted is None or (wanted.name == "bad" and of_set.bad)):
            story = of_set
        faulty = rng.random() < 0.97
        return cls(
            seed=seed,
            story=story,
            mode=Mode.AUTOMATIC if wanted or rng.random() < 0.9 else rng.choice((Mode.APPROVE, Mode.OBSERVE)),
            controllers=2 if rng.random() < 0.2 else 1,
            rate=rng.choice((0.0, 0.0, 0.005, 0.02)) if faulty else 0.0,
            focus=(point, fault, _visit(point, rng, story)) if faulty else None,
            restart=_RESTART.get(point, "") if faulty else "",
            blind=faulty and rng.random() < 0.15,
            stalls=faulty and rng.random() < 0.2,
            wakes_lost=0.2 if faulty and rng.random() < 0.2 else 0.0,
            clock_error=rng.choice((0.0, 0.0, 0.0, SKEW, -SKEW)) if faulty else 0.0,
            latency=story.latency or rng.random() < 0.15,
            length=rng.uniform(45.0, 65.0),
            policy_change=_policy_change(seed) if faulty else "",
            outlets=Outlets.of(seed, faulty=faulty),
            alarms=Alarms.of(seed, story, faulty=faulty),
        )

    @property
    def faulty(self) -> bool:
        """Whether anything but the story goes wrong."""
        return bool(
            self.rate
            or self.focus
            or self.blind
            or self.stalls
            or self.wakes_lost
            or self.clock_error
            or self.policy_change
            or (self.outlets is not None and self.outlets.rate)
            or (self.alarms is not None and self.alarms.rate)
        )


_WEIGHTS = {
    "cluster.apply": 22,
    "cluster.dry_run": 14,
    "cluster.fetch": 6,
    "cluster.fetch_service": 8,
    "cluster.fetch_autoscaler": 17,
    "cluster.load_template": 15,
    "cluster.save_evidence": 12,
    "cluster.save_template": 11,
    "cluster.emit_event": 11,
    "records.list_units": 12,
    "records.read_unit": 9,
    "records.read_rollout": 11,
    "records.delete_rollout": 19,
    "leadership.read": 4,
    "leadership.write": 3,
    "leadership.release": 11,
    "metrics.ask": 3,
    "records.replace_rollout": 3,
    POINT: 0,
}
"""How often a fault is aimed at a point, where not at `_WEIGHT`: more where not every try comes to it, less where
the faults that strike at random come to it often enough."""
_WEIGHT = 10


def _cells() -> tuple[tuple[str, Fault], ...]:
    """Every fault at every await point, as often as its weight, spread over the seeds."""
    weights = {point: _WEIGHTS.get(point, _WEIGHT) for point in POINTS}
    return tuple(
        (point, fault)
        for lap in range(max(weights.values()))
        for point in POINTS
        if weights[point] > lap
        for fault in POINTS[point]
    )


CELLS = _cells()
_OFTEN = {"leadership.write": 12, "metrics.ask": 12, "records.replace_rollout": 5, "notifier.send": 2}
_VISITED_BY = {
    "cluster.fetch": "bad",
    "cluster.fetch_service": "set: bad",
    "cluster.fetch_autoscaler": "set: blue idles",
    "cluster.apply": "bad",
    "cluster.dry_run": "bad",
    "cluster.load_template": "bad, pruned history",
    "cluster.save_evidence": "bad",
    "records.read_unit": "bad",
    "records.delete_rollout": "in a row",
}
"""Points that only some stories come to."""
_ACTING = frozenset({"cluster.apply", "cluster.dry_run", "cluster.save_evidence"})
"""Points of a rollback under way: half of their seeds play a story that surely comes to one."""
_EARLY = frozenset(
    {"cluster.save_template", "records.create_unit", "records.list_units", "records.list_rollouts", "leadership.read"}
)
"""Points that are passed before the story begins: the fault is armed from the start."""
_RESTART = {"leadership.release": "stop", "records.delete_rollout": "kill"}
_PRIMERS = {"records.read_rollout": ("records.replace_rollout", Fault.APPLIED_UNKNOWN)}
"""Points that are passed only after a fault at another."""


POLICY_CHANGES = ("signals", "notices", "mistakes")
_CHANGED_IN = 0.1
"""Share of the seeds in which the policy changes."""


def _policy_change(seed: int) -> str:
    """Drawn apart from all else: what a seed plays besides does not hang on it."""
    rng = random.Random(seed ^ 0x90_11C7)
    return rng.choice(POLICY_CHANGES) if rng.random() < _CHANGED_IN else ""


_SETS = 0.3
"""Share of the seeds whose story is of a release set, where the fault's point is on its way."""
_OFTEN_IN_SETS = {
    "cluster.apply": 6,
    "cluster.dry_run": 5,
    "cluster.fetch": 20,
    "cluster.fetch_service": 12,
    "cluster.fetch_autoscaler": 3,
    "records.read_unit": 12,
}


def _set_story(seed: int, *, acting: bool) -> SetStory | None:
    """Drawn apart from all else: what a seed plays besides does not hang on it. `acting`: one that must be undone."""
    rng = random.Random(seed ^ 0x5E75)
    chosen = [story for story in SET_STORIES if story.must_undo or not acting]
    return rng.choice(chosen) if rng.random() < _SETS else None


def _acts(seed: int) -> bool:
    return random.Random(seed ^ 0xAC75).random() < 0.5


def _visit(point: str, rng: random.Random, story: Story | SetStory) -> int:
    often = _OFTEN.get(point, 1)
    return rng.randrange(max(often, _OFTEN_IN_SETS.get(point, 1)) if isinstance(story, SetStory) else often)


@dataclass(slots=True, kw_only=True)
class Wiring:
    """How ports are handed to the guard; tests of the rules put a broken part in between."""

    cluster: type[SimCluster] = SimCluster
    records: type[SimRecords] = SimRecords
    leadership: type[SimLeadership] = SimLeadership


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a seed showed."""

    plan: Plan
    hits: Counter[tuple[str, Fault]]
    visits: Counter[str]
    rollbacks: int
    pages: int
    kills: int
    virtual: float
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a story plays on."""

    watchdog: Watchdog
    unit: UnitName
    known: Callable[[UnitRecord], bool]
    """Whether the guard knows all that it must before the story begins."""
    play: Callable[[], Awaitable[None]]


class Stage:
    """One seed's world and the processes in it."""

    def __init__(self, plan: Plan, wiring: Wiring, *, trace: bool) -> None:
        self.plan = plan
        self.wiring = wiring
        self.trace = trace
        self.rng = random.Random(plan.seed ^ 0x5EED)
        timing = KubeletTiming(startup=(0.6, 2.0), pull=(0.1, 0.5), backoff=5.0, backoff_cap=20.0)
        self.world = World(plan.seed, WorldSettings(scrape_interval=policies.SCRAPE, kubelet=timing))
        self.faults = FaultPlan(plan.seed + 7)
        self.policy: Policy = policies.policy(
            mode=plan.mode,
            latency=plan.latency,
            plan_expiry=plan.plan_expiry,
            release_set=plan.story.shape.release_set if isinstance(plan.story, SetStory) else None,
        )
        if plan.alarms is not None:
            self.policy = policies.with_own_alert(self.policy)
        self.source = SimPolicySource(self.policy)
        self.kept: dict[str, Policy] = {}
        self.inbox = Inbox()
        self.journal = SimJournal()
        self.post = Post(plan.outlets, self.inbox, plan.seed) if plan.outlets is not None else None
        self.scene = self._scene(plan.story)
        self._watch_channels()
        self.alertmanager = self._watch_alarms()
        self.processes: dict[str, Process] = {}
        self.kills = 0
        self.closing = False
        self.lines: list[str] = []

    def log(self, who: str, event: str, fields: object) -> None:
        if self.trace:
            self.lines.append(f"{self.world.loop.time():8.3f} {who} {event} {fields}")

    async def supervise(self, index: int) -> None:
        """Starts a controller, and another one whenever it has died."""
        life = 0
        while not self.closing:
            name = f"guard-{index}-{life}"
            process = Process(name, mono_offset=self.rng.uniform(0, 1e6), clock_error=self.plan.clock_error)
            self.processes[name] = process
            cluster = self.wiring.cluster(self.world, process, self.faults, wakes_lost=self.plan.wakes_lost)
            leadership = self.wiring.leadership(self.world.lease, process, self.faults, self.rng)
            self.scene.watchdog.leaders[name] = leadership
            guard = self._guard(process, cluster, leadership)
            task: asyncio.Task[object] = asyncio.create_task(guard.run())
            process.adopt(task)
            if self.plan.restart and life == 0:
                end = guard.stop if self.plan.restart == "stop" else process.kill
                self.world.loop.call_later(self.plan.length * 0.3, self._end, end)
                process.ending = self.plan.restart == "stop"
            if self.plan.stalls and life == 0:
                self._stall(cluster)
            await asyncio.wait({task})
            cluster.close()
            leadership.until = None
            if process.alive and not process.ending and not self.closing:
                task.result()
                raise AssertionError(f"{name} ended by itself")
            self.log(name, "killed", {})
            self.kills += 1
            life += 1
            await asyncio.sleep(self.rng.uniform(0.2, 12.0))

    def _end(self, end: Callable[[], None]) -> None:
        if self.scene.watchdog.notices is not None:
            self.scene.watchdog.notices.strike()
        end()

    def _guard(self, process: Process, cluster: Cluster, leadership: Leadership) -> Guard:
        records: Records = self.wiring.records(self.world.records, process, self.faults)
        changes = bool(self.plan.policy_change)
        webhook = SimNotifier(self.inbox, process, self.faults)
        return Guard(
            policy=self.source.latest().policy or self.policy,
            cluster=cluster,
            records=records,
            leadership=leadership,
            metrics=lambda _store: SimMetrics(self.world, process, self.faults),
            channels=SimChannels(webhook) if self.post is None else self.post.connect(process, webhook),
            journal=self.journal,
            clock=VirtualClock(process),
            settings=Settings(
                namespace="rollguard",
                fail_fast=True,
                workers=2,
                closed_rollouts=0 if self.plan.restart == "kill" else 10,
            ),
            log=lambda event, fields: self.log(process.name, event, fields),
            source=self.source if changes else None,
            kept=SimKeptPolicies(self.kept, self.world.records, process) if changes else None,
        )

    def _stall(self, cluster: SimCluster) -> None:
        loop, rng = self.world.loop, self.rng
        for stream in ("deployments", "replicasets", "pods"):
            fault = rng.choice((cluster.cache.stall, cluster.cache.gone))
            loop.call_later(rng.uniform(0, 60), fault, stream, rng.uniform(1, 20))

    async def write_policy(self) -> None:
        """People change the policy twice: a mistake is mended, anything else is taken back."""
        for changed in policies.changes(self.policy, self.plan.policy_change):
            await asyncio.sleep(self.rng.uniform(0.0, self.plan.length / 2))
            self.log("people", "write-policy", {"digest": "none" if changed is None else changed.digest})
            self.source.write(changed, *(() if changed is not None else ("spec.mode: expected ...",)))

    async def approve(self) -> None:
        """A human who approves every second request."""
        asked: set[str] = set()
        while True:
            await asyncio.sleep(1.0)
            for stored in list(self.world.records.rollouts.values()):
                record = stored.record
                if record.state is not LifecycleState.AWAITING_APPROVAL or record.id in asked:
                    continue
                asked.add(record.id)
                if self.rng.random() < 0.5:
                    continue
                self.scene.watchdog.approved.add(record.id)
                order = HumanRequest(
                    id=f"approve-{record.id}",
                    kind=RequestKind.APPROVE,
                    actor="alice",
                    at=at(self.world.loop.time()),
                    reason="looks bad",
                    rollout=record.id,
                )
                self.world.records.request(record.unit, order)

    async def play(self) -> Outcome:
        """The whole seed."""
        await asyncio.sleep(SETTLE)
        if not self.plan.story.young:
            for deployment in self.world.deployments.values():
                self.world.backdate(deployment, DAYS)
        self.scene.watchdog.start()
        early = self.plan.focus is not None and self.plan.focus[0] in _EARLY
        self.faults.focus = self.plan.focus if early else None
        helpers = [asyncio.create_task(self.supervise(index)) for index in range(self.plan.controllers)]
        helpers.append(asyncio.create_task(self.approve()))
        await self._until_guarded(helpers)
        self.faults.rate = self.plan.rate
        if self.post is not None:
            self.post.begin(self.world.loop.time())
        if not early:
            self.faults.focus = self.plan.focus
            self.faults.primer = _PRIMERS.get(self.plan.focus[0]) if self.plan.focus else None
        if self.plan.blind:
            start = self.world.loop.time() + self.rng.uniform(0, 40)
            cause = self.rng.choice(list(GapCause))
            self.world.blind.append(Blind(start=start, end=start + self.rng.uniform(5, 40), cause=cause))
        story = asyncio.create_task(self._story())
        if self.alertmanager is not None:
            helpers.append(asyncio.create_task(self._tell_alarms(self.alertmanager)))
        if self.plan.policy_change:
            helpers.append(asyncio.create_task(self.write_policy()))
        await self._run_for(helpers, self.plan.length)
        await self._join(helpers, story)
        self._calm()
        await self._run_for(helpers, QUIET)
        if not self._at_rest():
            await self._run_for(helpers, LONGEST_QUIET - QUIET)
        self.scene.watchdog.check_end(faulty=self.plan.faulty)
        self.closing = True
        return self._outcome()

    def _watch_channels(self) -> None:
        if self.post is None:
            return
        watchdog = NoticeWatchdog(self.world, self.post, self.policy.timing.recovery_for)
        self.scene.watchdog.notices = watchdog
        for faults in (self.faults, self.post.faults):
            faults.on_strike.append(watchdog.strike)

    def _watch_alarms(self) -> Alertmanager | None:
        if self.plan.alarms is None:
            return None
        alertmanager = Alertmanager(self.world, self.plan.alarms, self.policy, self.plan.seed)
        self.scene.watchdog.alarms = AlarmWatchdog(self.world, alertmanager, self.plan.faulty)
        return alertmanager

    async def _tell_alarms(self, alertmanager: Alertmanager) -> None:
        """From the story's beginning on; the first change of the template is the release."""
        released = asyncio.Event()
        self.world.on_change.append(lambda _change: released.set())
        await alertmanager.run(released)

    def _calm(self) -> None:
        """No more faults from here on."""
        self.faults.stop()
        if self.post is not None:
            self.post.stop(self.world.loop.time())
        if self.alertmanager is not None:
            self.alertmanager.faults.stop()
        if self.scene.watchdog.notices is not None:
            self.scene.watchdog.notices.quiet()

    def _at_rest(self) -> bool:
        try:
            self.scene.watchdog.check_end(faulty=self.plan.faulty)
        except InvariantBroken:
            return False
        return True

    def _scene(self, story: Story | SetStory) -> Scene:
        """What the story plays on, deployed."""
        if isinstance(story, SetStory):
            return self._platform(story)
        api = self._deploy(story)
        unit = UnitName.of_workload(api.name)
        return Scene(
            watchdog=Watchdog(self.world, self.policy, story, self.inbox),
            unit=unit,
            known=lambda record: record.last_target is not None or story.young,
            play=lambda: story.play(self.world, api, self.rng),
        )

    def _platform(self, story: SetStory) -> Scene:
        platform = Platform(self.world, story.shape, self.rng)
        good = len(story.shape.members)
        slack = GRACE if self.plan.faulty else AT_ONCE
        return Scene(
            watchdog=SetWatchdog(self.world, self.policy, story, self.inbox, platform=platform, slack=slack),
            unit=UNIT,
            known=lambda record: len(record.live) == len(record.good()) == good,
            play=lambda: story.play(self.world, platform, self.rng),
        )

    def _deploy(self, story: Story) -> SimDeployment:
        labels = (("guarded", "yes"),)
        replicas = self.rng.randint(2, 4)
        api = self.world.deploy("api", story.first, replicas=replicas, rps=self.rng.uniform(15, 40), labels=labels)
        api.history_limit = story.history_limit
        for number in range(story.siblings):
            self.world.deploy(f"other-{number}", "registry.lab/other:v1", replicas=2, rps=15, labels=labels)
        return api

    async def _until_guarded(self, helpers: list[asyncio.Task[None]]) -> None:
        for _ in range(60):
            await self._run_for(helpers, 1.0)
            stored = self.world.records.units.get(self.scene.unit)
            if stored is not None and self.scene.known(stored.record):
                return
        raise AssertionError(f"{self.scene.unit} was never taken under guard")

    async def _story(self) -> None:
        await asyncio.sleep(self.rng.uniform(0, 8))
        self.log("story", self.plan.story.name, {})
        await self.scene.play()

    async def _run_for(self, helpers: list[asyncio.Task[None]], seconds: float) -> None:
        """Lets time pass, and ends at once where a helper failed or the loop caught an error."""
        end = self.world.loop.time() + seconds
        while self.world.loop.time() < end:
            calls = self.faults.calls
            await asyncio.sleep(min(5.0, end - self.world.loop.time()))
            if self.faults.calls - calls > (CALLS_OF_SET_IN_5_S if self.scene.unit == UNIT else CALLS_IN_5_S):
                raise InvariantBroken(f"{self.faults.calls - calls} calls of ports within 5 s: it runs in circles")
            for helper in helpers:
                if helper.done():
                    helper.result()
            errors: list[BaseException] = [*self.world.records.broken, *getattr(self.world.loop, "errors", [])]
            if errors:
                raise errors[0]

    async def _join(self, helpers: list[asyncio.Task[None]], story: asyncio.Task[None]) -> None:
        while not story.done():
            await self._run_for(helpers, 5.0)
        story.result()

    def _outcome(self) -> Outcome:
        rollouts = [stored.record for stored in self.world.records.rollouts.values()]
        return Outcome(
            plan=self.plan,
            hits=self.faults.hits + (self.post.faults.hits if self.post is not None else Counter()),
            visits=self.faults.visits,
            rollbacks=sum(self.scene.watchdog.restored.values()),
            pages=sum(notice.class_.value == "page" for record in rollouts for notice in record.notices),
            kills=self.kills,
            virtual=self.world.loop.time(),
            lines=self.lines,
        )


def play(
    seed: int, *, wiring: Wiring | None = None, plan: Plan | None = None, lines: list[str] | None = None
) -> Outcome:
    """Plays the seed and returns what it showed; raises where an invariant broke. `lines` collects the log."""
    chosen = plan or Plan.of(seed)

    async def main() -> Outcome:
        stage = Stage(chosen, wiring or Wiring(), trace=lines is not None)
        if lines is not None:
            stage.lines = lines
        return await stage.play()

    return run(main(), seed=seed)


def without_faults(seed: int) -> Plan:
    """The seed's story with nothing else going wrong."""
    return replace(
        Plan.of(seed),
        mode=Mode.AUTOMATIC,
        rate=0.0,
        focus=None,
        restart="",
        blind=False,
        stalls=False,
        wakes_lost=0.0,
        clock_error=0.0,
        policy_change="",
        outlets=None,
        alarms=None,
    )
