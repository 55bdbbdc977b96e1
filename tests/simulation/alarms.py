"""Alerts of a world, from Alertmanager to the entry of its receiver: repeated, batched, late, lost, beside bad ones."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from rollguard.adapters.alertmanager import read_delivery
from rollguard.loop import Came, Intake
from rollguard.model.alerting import ROLLBACK, Delivered
from rollguard.model.names import UnitName
from rollguard.model.policy import Policy
from rollguard.model.time import Instant
from rollguard.sim.faults import Fault, FaultPlan
from rollguard.sim.network import InvariantBroken
from rollguard.sim.objects import at
from rollguard.sim.process import Process
from rollguard.sim.records import SimRecords
from rollguard.sim.world import World
from tests.simulation import policies
from tests.simulation.platform import named
from tests.simulation.set_stories import SetStory
from tests.simulation.stories import GOOD, Story

STRANGER = "not-guarded"
"""A Deployment that nobody guards."""
TAKEN = (Came.RECORDED, Came.KNOWN)
_SHARE = 0.2
"""Of the seeds of one workload whose first version is good: those with alerts."""
_FAULTS = frozenset({Fault.LOST, Fault.SLOW, Fault.APPLIED_UNKNOWN, Fault.APPLIED_LATE, Fault.PARTITION})
"""What may befall the replica that takes them."""
_BAD = (
    {"status": "firing", "labels": {}, "startsAt": "2026-11-01T00:00:00Z", "fingerprint": "ab"},
    {"status": "firing", "labels": {"alertname": "Odd"}, "startsAt": "yesterday", "fingerprint": "ab"},
    {"status": "odd"},
    17,
)


class Kind(StrEnum):
    """What an alert is about."""

    RELEASE = "began with the release"
    EARLIER = "began before the release"
    OVER = "is over by the time at which it is told"
    OWN = "of a signal that the judge reads itself"
    ELSEWHERE = "of a workload without a rollout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One firing. Seconds from the release, or from the moment before which it cannot be known."""

    kind: Kind
    begins: float
    lasts: float | None
    """None: to the end."""
    late: float
    """Seconds from its beginning, and from its end, until Alertmanager tells of it."""

    @property
    def name(self) -> str:
        """Of its rule."""
        return policies.OWN_ALERT if self.kind is Kind.OWN else f"Rule{self.kind.name.title()}"

    @property
    def deployment(self) -> str:
        """Whose alert it is."""
        return STRANGER if self.kind is Kind.ELSEWHERE else "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """What a seed's Alertmanager tells. Made from the seed alone, apart from all else that it plays."""

    firings: tuple[Alarm, ...]
    every: float = 10.0
    """Seconds between two deliveries of the group."""
    lost: float = 0.0
    """Share of the deliveries that never arrive."""
    old: float = 0.0
    """Share of the deliveries after which an older one arrives again."""
    malformed: bool = False
    """Each delivery holds an alert that cannot be read."""
    rate: float = 0.0
    """Of faults per call of the replica that takes them."""

    @classmethod
    def of(cls, seed: int, story: Story | SetStory, *, faulty: bool) -> Alarms | None:
        """The seed's, where it has any."""
        rng = random.Random(seed ^ 0xA1E7)
        if rng.random() >= _SHARE or isinstance(story, SetStory) or story.young or story.first != GOOD:
            return None
        kinds = rng.sample(tuple(Kind), rng.randint(1, 3))
        return cls(
            firings=tuple(_alarm(kind, rng) for kind in kinds),
            every=rng.uniform(4.0, 12.0),
            lost=rng.choice((0.0, 0.3)),
            old=rng.choice((0.0, 0.3)),
            malformed=rng.random() < 0.5,
            rate=rng.choice((0.0, 0.1)) if faulty else 0.0,
        )


def _alarm(kind: Kind, rng: random.Random) -> Alarm:
    late = rng.choice((0.1, rng.uniform(0.1, 5.0), rng.uniform(20.0, 40.0)))
    match kind:
        case Kind.EARLIER:
            return Alarm(kind=kind, begins=-rng.uniform(0.5, 30.0), lasts=None, late=late)
        case Kind.OVER:
            return Alarm(kind=kind, begins=rng.uniform(0.5, 20.0), lasts=rng.uniform(1.0, 10.0), late=0.1)
        case _:
            lasts = rng.choice((None, rng.uniform(5.0, 60.0)))
            return Alarm(kind=kind, begins=rng.uniform(0.5, 30.0), lasts=lasts, late=late)


@dataclass(slots=True, kw_only=True)
class Firing:
    """What became of an alarm in the world. Times are virtual seconds."""

    alarm: Alarm
    starts: float
    ends: float | None
    told: float | None = None
    """When it was first handed to the guard."""
    end_taken: float | None = None
    """When the guard said that it has its end."""
    echoed: bool = False
    """That it fires came after its end."""

    def key(self) -> tuple[str, Instant]:
        """As records know it."""
        return self.alarm.name, at(round(self.starts, 3))


class Alertmanager:
    """Tells a world's guard of its alerts, by a replica of its own that does not lead."""

    def __init__(self, world: World, alarms: Alarms, policy: Policy, seed: int) -> None:
        self.world = world
        self.alarms = alarms
        self.firings: list[Firing] = []
        self.rng = random.Random(seed ^ 0xA1E8)
        self.faults = FaultPlan(seed ^ 0xA1E9, rate=alarms.rate, kinds=_FAULTS)
        records = SimRecords(world.records, Process("replica"), self.faults, leads=False)
        self.intake = Intake(records, lambda: policy, lambda _event, _fields: None)
        self._bodies: list[tuple[bytes, list[tuple[Firing, bool]]]] = []
        self._taken: set[tuple[str, Instant, bool]] = set()

    async def run(self, released: asyncio.Event) -> None:
        """To the end of the world, from before the release."""
        now = self.world.loop.time()
        self._fire((alarm for alarm in self.alarms.firings if alarm.kind is Kind.EARLIER), now)
        telling = asyncio.create_task(self._tell())
        try:
            await released.wait()
            now = self.world.loop.time()
            self._fire((alarm for alarm in self.alarms.firings if alarm.kind is not Kind.EARLIER), now)
            await telling
        finally:
            telling.cancel()

    def _fire(self, alarms: Iterable[Alarm], now: float) -> None:
        for alarm in alarms:
            starts = now + alarm.begins
            ends = None if alarm.lasts is None else starts + alarm.lasts
            self.firings.append(Firing(alarm=alarm, starts=starts, ends=ends))

    async def _tell(self) -> None:
        """What has changed is told within a second, and everything again at the group's interval."""
        last, told = -1e9, set[tuple[str, Instant, bool]]()
        while True:
            await asyncio.sleep(1.0)
            now = self.world.loop.time()
            known = [(each, over) for each in self.firings if (over := self._knows(each, now)) is not None]
            fresh = {(*each.key(), over) for each, over in known}
            if not known or (fresh == told and now - last < self.alarms.every):
                continue
            last, told = now, fresh
            if self.rng.random() >= self.alarms.lost:
                body = self._body(known), known
                self._bodies.append(body)
                await self._deliver(*body)
            if self._bodies and self.rng.random() < self.alarms.old:
                await self._deliver(*self.rng.choice(self._bodies))
            await self._echo()

    async def _echo(self) -> None:
        """What is over comes once more as if it fired: a delivery that was under way for long."""
        for firing in self.firings:
            if firing.alarm.kind is Kind.OVER and firing.end_taken is not None and not firing.echoed:
                firing.echoed = True
                known = [(firing, False)]
                await self._deliver(self._body(known), known)

    @staticmethod
    def _knows(firing: Firing, now: float) -> bool | None:
        """Whether Alertmanager tells of its end; None where it does not tell of it at all."""
        late = firing.alarm.late
        if firing.ends is not None and now >= firing.ends + late:
            return True
        if firing.alarm.kind is Kind.OVER:
            return None
        return False if now >= firing.starts + late else None

    def _body(self, known: list[tuple[Firing, bool]]) -> bytes:
        alerts: list[object] = [_alert(firing, over) for firing, over in known]
        if self.alarms.malformed:
            alerts.insert(self.rng.randint(0, len(alerts)), self.rng.choice(_BAD))
        return json.dumps({"version": "4", "status": "firing", "receiver": "rollguard", "alerts": alerts}).encode()

    async def _deliver(self, body: bytes, known: list[tuple[Firing, bool]]) -> None:
        """Again, at most five times, while the guard says that it could not write it."""
        for _ in range(5):
            now = self.world.loop.time()
            for firing, _over in known:
                firing.told = now if firing.told is None else firing.told
            read = read_delivery(body, now=at(round(now, 3))).alerts
            if len(read) != len(known):
                raise InvariantBroken(f"of {len(known)} alerts beside a malformed one {len(read)} were read")
            repeated = all(_said(each) in self._taken for each in read)
            writes = self.faults.visits["records.replace_unit"]
            came = await self.intake.take(read)
            if repeated and self.faults.visits["records.replace_unit"] != writes:
                raise InvariantBroken("a repeated delivery of alerts was written anew")
            for (firing, over), each, what in zip(known, read, came, strict=True):
                self._took(firing, over, each, what)
            if Came.LOST not in came:
                return
            await asyncio.sleep(self.rng.uniform(1.0, 5.0))

    def _took(self, firing: Firing, over: bool, delivered: Delivered, came: Came) -> None:
        if firing.alarm.kind is Kind.ELSEWHERE:
            if came in TAKEN:
                raise InvariantBroken(f"an alert of {firing.alarm.deployment}, which nobody guards, was recorded")
            return
        if came not in TAKEN:
            return
        self._taken.add(_said(delivered))
        if over and firing.end_taken is None:
            firing.end_taken = self.world.loop.time()
        unit = self.world.records.units[UnitName.of_workload(named(delivered.alert.deployment))].record
        same = [alert for alert in unit.alerts if alert.fingerprint == delivered.alert.fingerprint]
        if not any(alert.starts == delivered.alert.starts or alert.ended is not None for alert in same):
            raise InvariantBroken(f"the alert {firing.alarm.name} is said to be recorded, and is not")
        if over and not any(alert.ended is not None for alert in same):
            raise InvariantBroken(f"the end of the alert {firing.alarm.name} is said to be recorded, and is not")


def _said(delivered: Delivered) -> tuple[str, Instant, bool]:
    return delivered.alert.name, delivered.alert.starts, delivered.alert.ended is not None


def _alert(firing: Firing, over: bool) -> dict[str, object]:
    alarm = firing.alarm
    ends = at(round(firing.ends, 3)).iso() if over and firing.ends is not None else "0001-01-01T00:00:00Z"
    return {
        "status": "resolved" if over else "firing",
        "labels": {
            "alertname": alarm.name,
            "namespace": policies.NAMESPACE,
            "deployment": alarm.deployment,
            ROLLBACK[0]: ROLLBACK[1],
        },
        "annotations": {"summary": "something is wrong"},
        "startsAt": at(round(firing.starts, 3)).iso(),
        "endsAt": ends,
        "fingerprint": alarm.name,
    }
