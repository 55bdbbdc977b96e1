"""A rollback that is disturbed at one of its writes, and what must be so whatever the disturbance was.

The points are those of a first run without any: every write that the controller sends from the moment that the bad
release is there until the rollout is closed and its last notice is marked. One run may be struck at several of them,
one after the other: each controller that takes over dies at the next.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar

from lab.faults.guarded import NAME, Guarded, guarded
from lab.faults.watched import Watched, pending
from lab.proxy import Script, WriteSeen
from lab.world import Lab, LabError
from rollguard.model.notices import NoticeState
from rollguard.model.records import Outcome, RolloutRecord

BAD = "v2-missing"
AT_ONCE = 4
ENDING_S = 300.0
"""Of a busy machine, and of a rollback whose controllers die four times: a quiet one needs a tenth of it."""
LOOK_S = 0.5
TOPICS = ("rollout-began", "rolled-back", "recovered")
STORY = (
    "Rollout began from revision 1 to revision 2",
    "Bad: image-pull",
    "Rollback ordered: image-pull",
    "Plan ",
    "Step 1 (restore-template) done",
    "Step 2 (restore-managers) done",
    "Revision 1 is put back",
    "The old version is back in all pods",
    "Recovered: ",
)
"""How the lines of the story begin, each told once."""
TIMING = {
    "tick": "1s",
    "slot": "2s",
    "lateness": "2s",
    "adoptedAfter": "1s",
    "planExpiry": "2m",
    "recovery": {"within": "60s", "for": "2s"},
}


W = TypeVar("W", bound=Watched)


class Fault(StrEnum):
    """What happens at a write."""

    NONE = "none"
    KILLED_BEFORE = "killed before"
    """SIGKILL; the write never reaches the server."""
    KILLED_AFTER = "killed after"
    """SIGKILL once it took effect, before the answer is there."""
    ANSWER_LOST = "answer lost"
    """It took effect, and the controller is told nothing."""


class Aim(Protocol):
    """Which writes of one run are struck."""

    @property
    def name(self) -> str:
        """What tells it from the others of its fault, as the end of a namespace's name."""
        ...

    def hits(self, write: WriteSeen) -> bool:
        """Asked of each write, in the order in which they arrive."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AtNumber:
    """The n-th write."""

    n: int = 0
    """0 for none."""

    @property
    def name(self) -> str:
        """The number."""
        return str(self.n)

    def hits(self, write: WriteSeen) -> bool:
        """Whether it is that one."""
        return write.n == self.n


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How one rollback ended."""

    fault: Fault
    aim: str
    struck: tuple[WriteSeen, ...]
    """The disturbed writes; none where the rollback never came to one that was aimed at."""
    writes: tuple[WriteSeen, ...]
    """All of them, also those of the controllers that took over."""
    problems: tuple[str, ...]
    """What is not as it must be; empty where the rollback was done once and whole."""
    logs: str

    def __str__(self) -> str:
        at = ", ".join(f"{write.n} {write.method} {write.path.rpartition('/namespaces/')[2]}" for write in self.struck)
        said = "done once" if not self.problems else "; ".join(self.problems)
        return f"{self.fault.value} write {at or f'{self.aim} (not reached)'} - {said}"


class Tale(Protocol[W]):
    """What is guarded, what goes wrong with it, and what must be so at the end."""

    @property
    def name(self) -> str:
        """The start of its namespaces' names."""
        ...

    @property
    def topics(self) -> Sequence[str]:
        """What its notices are about, each once."""
        ...

    @property
    def perhaps(self) -> Sequence[str]:
        """What is told too where the machine is slow."""
        ...

    def guarded(self, lab: Lab, namespace: str, script: Script, installed: Path) -> AbstractAsyncContextManager[W]:
        """The unit for the length of the block, with what runs well."""
        ...

    async def adopted(self, here: W) -> None:
        """Returns when the guard holds what runs to be good."""
        ...

    async def begin(self, here: W) -> None:
        """Releases what is bad; the controller may die meanwhile."""
        ...

    async def problems(self, here: W, record: RolloutRecord) -> list[tuple[bool, str]]:
        """(what must hold, what is wrong where it does not) of its objects and its record."""
        ...


async def disturbed(lab: Lab, installed: Path, tale: Tale[W], fault: Fault, aim: Aim) -> Ending:
    """Plays one rollback in a namespace of its own with the fault at the writes aimed at; nothing is asserted here."""
    script = Script(counting=False)
    namespace = f"{tale.name}{fault.value.replace(' ', '-')}-{aim.name}"
    async with tale.guarded(lab, namespace, script, installed) as here:
        here.controller()
        await tale.adopted(here)
        strikes = _Strikes(here=here, fault=fault, aim=aim)
        strikes.arm(script)
        script.counting = True
        beginning = asyncio.create_task(tale.begin(here))
        try:
            await strikes.over()
            await beginning
            record = await here.until_closed(timeout_s=ENDING_S)
            problems = await _problems(here, tale, record, kills=0 if fault is Fault.ANSWER_LOST else len(strikes.at))
        except LabError as error:
            problems = [str(error).partition("\n")[0]]
        finally:
            beginning.cancel()
        return Ending(
            fault=fault,
            aim=aim.name,
            struck=tuple(strikes.at),
            writes=tuple(script.seen),
            problems=tuple(problems),
            logs=here.logs(),
        )


async def all_disturbed(
    lab: Lab, installed: Path, tale: Tale[W], fault: Fault, aims: Iterable[Aim], *, tell: Callable[[str], None]
) -> list[Ending]:
    """One rollback for each aim, a few at once; a lab that does not come to the end of one is a problem of it."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(aim: Aim) -> Ending:
        async with turns:
            ending = await disturbed(lab, installed, tale, fault, aim)
        tell(str(ending))
        return ending

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(aim)) for aim in aims]
    return [task.result() for task in tasks]


@dataclass(slots=True, kw_only=True)
class _Strikes:
    """What strikes one run, and who takes over."""

    here: Watched
    fault: Fault
    aim: Aim
    at: list[WriteSeen] = field(default_factory=list)
    """The writes that were struck so far."""
    _dead: asyncio.Event = field(default_factory=asyncio.Event)

    def arm(self, script: Script) -> None:
        """From now on the writes that are aimed at are struck."""
        script.aimed = self._aimed
        if self.fault is Fault.KILLED_BEFORE:
            script.before = self._strike
        elif self.fault is not Fault.NONE:
            script.after = self._strike

    async def over(self) -> None:
        """Starts a controller for each that was killed; returns when the rollback has come to its end."""
        ended = asyncio.create_task(self._ended())
        try:
            while not ended.done():
                dead = asyncio.create_task(self._dead.wait())
                await asyncio.wait((dead, ended), return_when=asyncio.FIRST_COMPLETED)
                dead.cancel()
                if self._dead.is_set():
                    self._dead.clear()
                    self.here.controller()
            await ended
        finally:
            ended.cancel()

    def _aimed(self, write: WriteSeen) -> bool:
        if not self.aim.hits(write):
            return False
        self.at.append(write)
        return True

    async def _strike(self) -> None:
        last = self.here.controllers[-1]
        if self.fault is not Fault.ANSWER_LOST and last.child.running():
            await last.kill()
            self._dead.set()

    async def _ended(self) -> None:
        async def closed() -> bool:
            await asyncio.sleep(LOOK_S)
            record = await self.here.rollout()
            return record is not None and record.closed is not None and not pending(record)

        where = self.here.namespace
        await self.here.lab.until(closed, what=f"the end in {where}", timeout_s=ENDING_S, seen=self.here.logs)


async def _problems(here: W, tale: Tale[W], record: RolloutRecord, *, kills: int) -> list[str]:
    checks = [
        *await tale.problems(here, record),
        *_of_record(record, await here.rollouts()),
        *_of_notices(here, record, tale, kills=kills),
    ]
    unit = await here.unit()
    counted = len(unit.automatic_rollbacks) if unit is not None else -1
    checks += [
        (counted == 1, f"the unit counts {counted} automatic rollbacks"),
        (unit is not None and unit.current_rollout is None, "the unit still names a rollout"),
    ]
    for name in record.evidence:
        found = await here.lab.api.find(f"/api/v1/namespaces/{here.namespace}/configmaps/{name}")
        checks.append((found is not None, f"the evidence {name} does not exist"))
    return [problem for holds, problem in checks if not holds]


class Service:
    """The service `translation`, released with an image that no registry has."""

    name = ""
    topics = TOPICS
    perhaps = ()

    def guarded(
        self, lab: Lab, namespace: str, script: Script, installed: Path
    ) -> AbstractAsyncContextManager[Guarded]:
        """Version v1 runs."""
        return guarded(lab, namespace, script=script, installed=installed, timing=TIMING)

    async def adopted(self, here: Guarded) -> None:
        """Returns when the guard keeps its template."""
        await here.until_adopted()

    async def begin(self, here: Guarded) -> None:
        """Releases it."""
        await here.release(BAD)

    async def problems(self, here: Guarded, record: RolloutRecord) -> list[tuple[bool, str]]:
        """Of the Deployment, of the writes of it, and of the story's lines."""
        deployment = await here.deployment()
        return [
            *_of_deployment(deployment, record),
            *_of_writes(here.script.seen),
            *told_once(record, STORY),
        ]


def _of_deployment(deployment: Any, record: RolloutRecord) -> list[tuple[bool, str]]:
    """The API server counts in `generation` every change of the spec: made, released, undone."""
    generation = deployment["metadata"]["generation"]
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    notes = deployment["metadata"]["annotations"]
    receipt = f"{record.plan.id}/1" if record.plan is not None else "a plan"
    return [
        (generation == 3, f"the spec changed {generation - 2} times after the release"),
        (image.endswith(f"/{NAME}:v1"), f"the template asks for {image}"),
        (
            notes.get("deployment.kubernetes.io/revision") == "3",
            f"revision {notes.get('deployment.kubernetes.io/revision')}",
        ),
        (
            notes.get("rollguard.dev/step") == receipt,
            f"the receipt is {notes.get('rollguard.dev/step')}, not {receipt}",
        ),
    ]


def _of_writes(writes: list[WriteSeen]) -> list[tuple[bool, str]]:
    effective = [w for w in writes if "/deployments/" in w.path and not w.dry_run and w.status == 200]
    return [(len(effective) == 2, f"{len(effective)} writes of the Deployment were accepted, for two steps")]


def _of_record(record: RolloutRecord, all_of_them: tuple[RolloutRecord, ...]) -> list[tuple[bool, str]]:
    plan = record.plan
    return [
        (len(all_of_them) == 1, f"{len(all_of_them)} rollouts"),
        (plan is not None and plan.id.endswith(".1"), f"the plan is {plan.id if plan else None}"),
        (plan is not None and plan.done, "a step is not done"),
        (record.outcome is Outcome.RECOVERED, f"the outcome is {record.outcome}"),
        (bool(record.incident), "no incident"),
    ]


def told_once(record: RolloutRecord, story: Iterable[str]) -> list[tuple[bool, str]]:
    """That a line of the timeline begins with each of these, once."""
    told = {begin: sum(entry.text.startswith(begin) for entry in record.timeline) for begin in story}
    return [(times == 1, f"the story tells {begin!r} {times} times") for begin, times in told.items()]


def _of_notices(here: Watched, record: RolloutRecord, tale: Tale[W], *, kills: int) -> list[tuple[bool, str]]:
    """Each arrived; again only where a sender died between sending and marking, or says that it could not mark it."""
    topics = [notice.topic for notice in record.notices if notice.topic not in tale.perhaps]
    arrived = here.receiver.times()
    unmarked = Counter(
        str(line["notice"])
        for each in here.controllers
        for line in each.records()
        if line.get("event") == "notice-not-marked"
    )
    too_often = {id_: times for id_, times in arrived.items() if times > 1 + unmarked[id_] + kills}
    return [
        (sorted(topics) == sorted(tale.topics), f"notices about {topics}"),
        (all(n.state is NoticeState.ACCEPTED for n in record.notices), "a notice was not accepted"),
        (set(arrived) == {n.id for n in record.notices}, f"arrived: {dict(arrived)}"),
        (not too_often, f"came too often: {too_often}"),
    ]
