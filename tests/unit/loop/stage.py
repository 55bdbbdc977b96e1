"""One guard, or several, over a simulated cluster in virtual time, for tests of the loop alone."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace

from rollguard.loop import Guard, Settings
from rollguard.model.action import Unknown
from rollguard.model.metrics import MetricsAnswer, Question
from rollguard.model.names import UnitName
from rollguard.model.notices import NoticeState
from rollguard.model.policy import MetricsStore, Policy
from rollguard.model.records import EVERYTHING, RolloutRecord, UnitRecord
from rollguard.model.time import Mono
from rollguard.ports import Doctor, Metrics, PolicyLost
from rollguard.sim.channels import Inbox, SimChannels, SimJournal, SimNotifier
from rollguard.sim.cluster import SimCluster
from rollguard.sim.faults import FaultPlan
from rollguard.sim.kubelet import KubeletTiming
from rollguard.sim.lease import SimLeadership
from rollguard.sim.metrics import SimMetrics
from rollguard.sim.objects import SimDeployment
from rollguard.sim.policies import SimKeptPolicies, SimPolicySource
from rollguard.sim.process import Process, VirtualClock
from rollguard.sim.records import SimRecords
from rollguard.sim.virtual_time import run
from rollguard.sim.world import Changed, World, WorldSettings
from tests.simulation import policies

NAMESPACE = "rollguard"
GOOD = "registry.lab/api:v1"
CRASHING = "registry.lab/api:v2-crash"
FAILING = "registry.lab/api:v2-errors-40pct"
WARM_UP = 45.0
"""Seconds of traffic before the guard comes, so that there is a time before the rollout."""


class _Connected:
    """The simulated store, which tells when it is let go."""

    def __init__(self, metrics: SimMetrics, closed: Callable[[], None]) -> None:
        self._metrics = metrics
        self._closed = closed

    async def ask(self, question: Question, *, deadline: Mono) -> tuple[MetricsAnswer, ...]:
        """As the store answers."""
        return await self._metrics.ask(question, deadline=deadline)

    def clock_offset(self) -> float | None:
        """As of the store."""
        return self._metrics.clock_offset()

    async def close(self) -> None:
        """Tells it."""
        self._closed()


class _Kept(SimKeptPolicies):
    """The kept policies; while `silent` the server does not answer what is asked of them."""

    silent = False

    async def load(self, digest: str, *, timeout: float) -> Policy | PolicyLost | Unknown:
        """The policy, where the server answers."""
        return Unknown(detail="no answer") if self.silent else await super().load(digest, timeout=timeout)


class Running:
    """A guard and the process that it runs in."""

    def __init__(self, stage: Stage, name: str, *, channels: bool = True) -> None:
        self.process = Process(name, mono_offset=stage.random.uniform(0, 1000))
        self.clock = VirtualClock(self.process)
        self.faults = FaultPlan(1)
        self.logged: list[tuple[str, Mapping[str, str | int | float]]] = []
        self.leadership = SimLeadership(stage.world.lease, self.process, self.faults, stage.random)
        self.cluster = SimCluster(stage.world, self.process, self.faults)
        self.metrics = SimMetrics(stage.world, self.process, self.faults)
        self.records = SimRecords(stage.world.records, self.process, self.faults)
        self.channels = SimChannels(*([SimNotifier(stage.inbox, self.process, self.faults)] if channels else []))
        self.kept = _Kept(stage.kept, stage.world.records, self.process)
        self.connected: list[MetricsStore] = []
        self.closed: list[MetricsStore] = []
        """The stores that were connected to and let go, in order."""
        self.guard = Guard(
            policy=stage.policy,
            cluster=self.cluster,
            records=self.records,
            leadership=self.leadership,
            metrics=self._connect,
            channels=self.channels,
            journal=stage.journal,
            clock=self.clock,
            settings=stage.settings,
            log=lambda event, fields: self.logged.append((event, fields)),
            doctor=stage.doctor,
            source=stage.source,
            kept=self.kept,
        )

    def _connect(self, store: MetricsStore) -> Metrics:
        self.connected.append(store)
        return _Connected(self.metrics, lambda: self.closed.append(store))

    def begin(self) -> None:
        """Runs the guard in its process."""
        self.task: asyncio.Task[None] = asyncio.create_task(self.guard.run())
        self.process.adopt(self.task)

    def events(self, name: str) -> list[Mapping[str, str | int | float]]:
        """The fields of the log lines of that name."""
        return [fields for event, fields in self.logged if event == name]

    async def kill(self) -> None:
        """As SIGKILL."""
        self.process.kill()
        self.cluster.close()
        await asyncio.gather(self.task, return_exceptions=True)


class Stage:
    """A world with the service `api`, which has stood for two days."""

    def __init__(self, *, policy: Policy, settings: Settings) -> None:
        timing = KubeletTiming(startup=(0.3, 0.6), pull=(0.05, 0.1), backoff=2.0, backoff_cap=10.0)
        self.world = World(1, WorldSettings(scrape_interval=policies.SCRAPE, kubelet=timing))
        self.random = random.Random(1)
        self.policy = policy
        self.source = SimPolicySource(policy)
        self.kept: dict[str, Policy] = {}
        self.settings = settings
        self.inbox = Inbox()
        self.journal = SimJournal()
        self.doctor: Doctor | None = None
        self.api: SimDeployment = self.deploy("api")

    def deploy(self, name: str, image: str = GOOD) -> SimDeployment:
        """Another guarded service."""
        return self.world.deploy(name, image, rps=30, labels=(("guarded", "yes"),))

    def write_policy(self, policy: Policy) -> None:
        """People change the policy; a controller that is started later begins with it."""
        self.policy = policy
        self.source.write(policy)

    async def warm_up(self) -> None:
        """Lets traffic run, then makes everything two days old."""
        await asyncio.sleep(WARM_UP)
        for deployment in self.world.deployments.values():
            self.world.backdate(deployment, 2 * 86400.0)

    def start(self, name: str = "guard-0", *, channels: bool = True) -> Running:
        """A controller, with a channel for its notices or without any."""
        running = Running(self, name, channels=channels)
        running.begin()
        return running

    async def released(self, image: str) -> Running:
        """A guard that knows what to go back to, and has taken up the rollout of that image."""
        running = self.start()
        await self.until(self.adopted)
        self.world.set_image(self.api, image)
        await self.until(lambda: bool(self.rollouts()))
        return running

    def prepare(self, name: str) -> Running:
        """A guard that does not run by itself."""
        return Running(self, name)

    def unit(self, deployment: SimDeployment | None = None) -> UnitRecord | None:
        """The service's GuardedUnit."""
        stored = self.world.records.units.get(UnitName.of_workload((deployment or self.api).name))
        return stored.record if stored is not None else None

    def rollouts(self) -> list[RolloutRecord]:
        """All GuardedRollouts, in order of creation."""
        return [stored.record for stored in self.world.records.rollouts.values()]

    def rollout(self) -> RolloutRecord:
        """The newest GuardedRollout."""
        return self.rollouts()[-1]

    def image(self) -> str:
        """What the service's spec asks for."""
        return self.api.template.images[0][1]

    def restorations(self) -> list[Changed]:
        """The writes that put the good image back in place of another."""
        return [c for c in self.world.changes if c.before != c.after and c.after.images[0][1] == GOOD]

    async def until(self, condition: Callable[[], bool], *, within: float = 120.0) -> float:
        """Virtual seconds until the condition holds; fails where it does not within the time."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        while not condition():
            assert loop.time() - started < within, f"not within {within:g} s"
            await asyncio.sleep(0.01)
        return loop.time() - started

    def adopted(self) -> bool:
        """Whether the guard knows what `api` may go back to."""
        unit = self.unit()
        return unit is not None and unit.adopted is not None and bool(unit.adopted.saved)

    def conditions_of_all(self) -> dict[str, str]:
        """Those of `rollguard-all`."""
        record = self.of_all()
        return dict(record.conditions) if record is not None else {}

    def of_all(self) -> UnitRecord | None:
        """`rollguard-all`, as it is written."""
        stored = self.world.records.units.get(UnitName(NAMESPACE, EVERYTHING))
        return stored.record if stored is not None else None

    def told(self, topic: str) -> list[str]:
        """Texts of the notices of a topic that arrived."""
        return [arrived.notice.text for arrived in self.inbox.arrived if arrived.notice.topic == topic]

    def all_sent(self) -> bool:
        """Whether no notice is pending in any record."""
        notices = [n for record in self.rollouts() for n in record.notices]
        notices += [n for stored in self.world.records.units.values() for n in stored.record.notices]
        return all(notice.state is not NoticeState.PENDING for notice in notices)


def play(
    story: Callable[[Stage], Coroutine[None, None, None]],
    *,
    policy: Policy | None = None,
    fail_fast: bool = True,
) -> None:
    """Plays a test's story in virtual time."""

    async def main() -> None:
        settings = replace(Settings(namespace=NAMESPACE), fail_fast=fail_fast, workers=4)
        stage = Stage(policy=policy or policies.policy(), settings=settings)
        await stage.warm_up()
        await story(stage)

    run(main())
