"""A rollback that is disturbed at one of its writes, and what must be so whatever the disturbance was.

The points are those of a first run without any: every write that the controller sends from the moment that the bad
release is there until the rollout is closed and its last notice is marked.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from lab.faults.guarded import NAME, Guarded, guarded
from lab.faults.watched import Watched, pending
from lab.proxy import Script, WriteSeen
from lab.world import Lab, LabError
from rollguard.model.records import NoticeState, Outcome, RolloutRecord

BAD = "v2-missing"
AT_ONCE = 4
ENDING_S = 180.0
"""Of a busy machine: a quiet one needs a tenth of it."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How one rollback ended."""

    fault: Fault
    n: int
    reached: bool
    """Whether the rollback came to its n-th write at all."""
    write: WriteSeen | None
    """The disturbed write."""
    writes: tuple[WriteSeen, ...]
    """All of them, also those of the controller that took over."""
    problems: tuple[str, ...]
    """What is not as it must be; empty where the rollback was done once and whole."""
    logs: str

    def __str__(self) -> str:
        at = "" if self.write is None else f": {self.write.method} {self.write.path.rpartition('/namespaces/')[2]}"
        said = "done once" if not self.problems else "; ".join(self.problems)
        return f"{self.fault.value} write {self.n}{at} - {said if self.reached else 'not reached, ' + said}"


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


async def disturbed(lab: Lab, installed: Path, tale: Tale[W], fault: Fault, n: int = 0) -> Ending:
    """Plays one rollback in a namespace of its own with the fault at its n-th write; nothing is asserted here."""
    script = Script(counting=False)
    namespace = f"{tale.name}{fault.value.replace(' ', '-')}-{n}"
    async with tale.guarded(lab, namespace, script, installed) as here:
        first = here.controller()
        await tale.adopted(here)
        struck = asyncio.Event()
        if fault is not Fault.NONE:
            hooks = script.before if fault is Fault.KILLED_BEFORE else script.after
            hooks[n] = partial(_strike, here, fault, struck)
        script.counting = True
        beginning = asyncio.create_task(tale.begin(here))
        try:
            if fault in (Fault.KILLED_BEFORE, Fault.KILLED_AFTER) and await _struck(here, struck):
                await first.kill()
                here.controller()
            await beginning
            problems = await _problems(here, tale, await here.until_closed(timeout_s=ENDING_S), fault)
        except LabError as error:
            problems = [str(error).partition("\n")[0]]
        finally:
            beginning.cancel()
        reached = fault is Fault.NONE or struck.is_set()
        return Ending(
            fault=fault,
            n=n,
            reached=reached,
            write=next((write for write in script.seen if write.n == n), None),
            writes=tuple(script.seen),
            problems=tuple(problems),
            logs=here.logs(),
        )


async def all_disturbed(
    lab: Lab, installed: Path, tale: Tale[W], fault: Fault, points: Iterable[int], *, tell: Callable[[str], None]
) -> list[Ending]:
    """One rollback for each point, a few at once; a lab that does not come to the end of one is a problem of it."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(n: int) -> Ending:
        async with turns:
            ending = await disturbed(lab, installed, tale, fault, n)
        tell(str(ending))
        return ending

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(n)) for n in points]
    return [task.result() for task in tasks]


async def _strike(here: Watched, fault: Fault, struck: asyncio.Event) -> None:
    if fault is not Fault.ANSWER_LOST:
        await here.controllers[0].kill()
    struck.set()


async def _struck(here: Watched, struck: asyncio.Event) -> bool:
    """Whether the fault came; False once the rollback is over without it."""

    async def either() -> bool:
        if struck.is_set():
            return True
        record = await here.rollout()
        return record is not None and record.closed is not None and not pending(record)

    await here.lab.until(either, what=f"the fault or the end in {here.namespace}", timeout_s=ENDING_S, seen=here.logs)
    return struck.is_set()


async def _problems(here: W, tale: Tale[W], record: RolloutRecord, fault: Fault) -> list[str]:
    checks = [
        *await tale.problems(here, record),
        *_of_record(record, await here.rollouts()),
        *_of_notices(here, record, tale, killed=fault in (Fault.KILLED_BEFORE, Fault.KILLED_AFTER)),
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


def _of_notices(here: Watched, record: RolloutRecord, tale: Tale[W], *, killed: bool) -> list[tuple[bool, str]]:
    """Each arrived; again only where the sender died between sending and marking, or says that it could not mark it."""
    topics = [notice.topic for notice in record.notices if notice.topic not in tale.perhaps]
    arrived = here.receiver.times()
    unmarked = Counter(
        str(line["notice"])
        for each in here.controllers
        for line in each.records()
        if line.get("event") == "notice-not-marked"
    )
    too_often = {id_: times for id_, times in arrived.items() if times > 1 + unmarked[id_] + killed}
    return [
        (sorted(topics) == sorted(tale.topics), f"notices about {topics}"),
        (all(n.state is NoticeState.ACCEPTED for n in record.notices), "a notice was not accepted"),
        (set(arrived) == {n.id for n in record.notices}, f"arrived: {dict(arrived)}"),
        (not too_often, f"came too often: {too_often}"),
    ]
