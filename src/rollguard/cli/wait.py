"""`rollguard wait`: for pipelines. Ends when the version that the Deployment asks for is judged, with an exit code."""

from __future__ import annotations

import asyncio
import random
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Annotated, Protocol

from cyclopts import Parameter
from rich.console import Console

from rollguard.adapters.kubernetes import KubernetesCluster
from rollguard.cli import exits, lookup, output
from rollguard.cli.connect import Connection, Session, session, unanswered
from rollguard.cli.waiting import ERROR, Answer, Goal, Seen, Wanted, answered, pinned
from rollguard.cli.waiting_sets import SetSeen, answered_set
from rollguard.model.action import Absent, FetchOutcome, Found, Unknown
from rollguard.model.names import Ref, UnitName, WorkloadName
from rollguard.model.records import RolloutRecord, StoredRollout, StoredUnit
from rollguard.model.time import Instant
from rollguard.policy import durations
from rollguard.ports import Clock, Records

LOOK_EVERY_S = 2.0
REQUEST_S = 10.0
REACHED_WITHIN_S = 30.0
"""Until a cluster that has not answered once is given up."""

Fetch = Callable[[], Awaitable[FetchOutcome]]


def wait(
    workload: str,
    name: str | None = None,
    /,
    *,
    timeout: str = "35m",
    goal: Annotated[Goal, Parameter(name="--for")] = Goal.HEALTHY,
    image: str = "",
    connection: Connection | None = None,
    format_: output.Output = output.Format.TABLE,
) -> int:
    """Wait until the version that was just deployed is judged; for pipelines, right after `kubectl apply`.

    Exit codes of its own: 0 healthy (or the phase passed), 1 bad or rolled back, 2 held or undecided at the timeout,
    3 an error: not guarded, wrong usage, the cluster does not answer.

    Parameters
    ----------
    workload
        NAMESPACE WORKLOAD, NAMESPACE/WORKLOAD, or WORKLOAD with -n.
    name
        The workload, where its namespace stands before it.
    timeout
        How long at most, as 35m.
    goal
        healthy: the verdict at the end of the automatic part. startup, stabilization: that this phase has passed
        without a bad verdict.
    image
        The image that was deployed: where the Deployment runs another (it was rolled back already), that is the answer.
    """
    try:
        seconds = durations.parse(timeout)
        if seconds is None or seconds <= 0:
            raise exits.CommandError(f"--timeout {timeout!r}: expected a duration such as 35m")
        text = lookup.spelled(workload, name)
        request = _Request(text=text, timeout=seconds, goal=goal, image=image)
        return asyncio.run(_wait(request, lookup.scoped(connection, text), format_))
    except exits.CommandError as problem:
        raise exits.CommandError(str(problem), ERROR) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    text: str
    """NAMESPACE/WORKLOAD, or WORKLOAD in the namespace at hand."""
    timeout: float
    """Seconds."""
    goal: Goal
    image: str


async def _wait(request: _Request, connection: Connection, format_: output.Format) -> int:
    async with session(connection) as opened:
        name = lookup.workload_named(request.text, opened)
        meant = await lookup.meant(opened, request.text)
        if meant.release_set is not None and not meant.member:
            return await _wait_for_set(request, opened, meant.unit, format_)
        rng = random.Random()  # noqa: S311 (jitter of retries)
        cluster = KubernetesCluster(opened.api, opened.clock, rng, namespaces=(name.namespace,))
        ref = Ref(name.kind.value, name.namespace, name.name, "")
        waiting = Waiting(
            name=name,
            fetch=lambda: cluster.fetch(ref, timeout=REQUEST_S),
            records=opened.records,
            clock=opened.clock,
            screen=screen(format_),
        )
        return await waiting.until(request.goal, request.image, request.timeout)


async def _wait_for_set(request: _Request, opened: Session, unit: UnitName, format_: output.Format) -> int:
    if request.image:
        text = "--image: the members of a set have images of their own; wait for one of its Deployments"
        raise exits.CommandError(text, exits.UNREACHABLE)
    waiting = WaitingForSet(unit=unit, records=opened.records, clock=opened.clock, screen=screen(format_))
    return await waiting.until(request.goal, "", request.timeout)


class Screen(Protocol):
    """Where it is told how it stands."""

    def live(self) -> AbstractContextManager[object]:
        """While it is waited."""
        ...

    def change(self, at: Instant, answer: Answer, code: int | None) -> None:
        """Something changed; `code` is the exit code at the end."""
        ...


@dataclass(slots=True, kw_only=True)
class _Waiting(ABC):
    """A wait under way, whatever it is for."""

    records: Records
    clock: Clock
    screen: Screen
    reached: bool = False
    """The cluster answered at least once."""
    mine: RolloutRecord | None = None
    """The open rollout that is waited for, once it is known: from then on it alone is read."""

    async def until(self, goal: Goal, image: str, timeout: float) -> int:
        """The exit code: as soon as there is an answer, else at the timeout."""
        began = self.clock.mono()
        wanted = Wanted(goal=goal, image=image, began=self.clock.now())
        told = ""
        with self.screen.live():
            while True:
                wanted, answer = await self.look(wanted)
                waited = self.clock.mono().since(began)
                if answer.code is None and waited >= timeout:
                    line = f"not decided within {durations.format_(timeout)}: {answer.line}"
                    answer = Answer(line=line, code=answer.at_timeout, rollout=answer.rollout)
                if answer.line != told:
                    told = answer.line
                    self.screen.change(self.clock.now(), answer, answer.code)
                if answer.code is not None:
                    return answer.code
                await self.clock.sleep_until(self.clock.mono().plus(LOOK_EVERY_S))
                if not self.reached and waited > REACHED_WITHIN_S:
                    raise exits.CommandError(answer.line)

    @abstractmethod
    async def look(self, wanted: Wanted) -> tuple[Wanted, Answer]:
        """One look: the wish as it is known by now, and how it stands."""

    async def rollouts(self, unit: UnitName) -> tuple[RolloutRecord, ...] | Unknown:
        """The unit's rollouts, or only the one that is waited for."""
        if self.mine is not None:
            found = await self.records.read_rollout(unit, self.mine.id)
            if isinstance(found, StoredRollout):
                return (found.record,)
            if isinstance(found, Unknown):
                return found
        listed = await self.records.list_rollouts(open_only=False)
        return listed if isinstance(listed, Unknown) else tuple(s.record for s in listed if s.record.unit == unit)


@dataclass(slots=True, kw_only=True)
class Waiting(_Waiting):
    """For the version that a Deployment asks for."""

    name: WorkloadName
    fetch: Fetch

    async def look(self, wanted: Wanted) -> tuple[Wanted, Answer]:
        """Reads the Deployment and its records."""
        found = await self.fetch()
        if isinstance(found, Absent):
            said = f"there is no Deployment {self.name.name} in {self.name.namespace}"
            return wanted, Answer(code=ERROR, line=said)
        unit = UnitName.of_workload(self.name)
        stored = await self.records.read_unit(unit)
        rollouts = await self.rollouts(unit)
        if (silent := _unanswered(found, stored, rollouts)) is not None:
            return wanted, silent
        if not isinstance(found, Found) or isinstance(stored, Unknown) or isinstance(rollouts, Unknown):
            raise TypeError("an outcome that no port has")
        self.reached = True
        record = stored.record if isinstance(stored, StoredUnit) else None
        seen = Seen(deployment=found, unit=record, rollouts=rollouts, now=self.clock.now())
        wanted = pinned(wanted, seen)
        answer = answered(wanted, seen)
        self.mine = answer.rollout
        return wanted, answer


@dataclass(slots=True, kw_only=True)
class WaitingForSet(_Waiting):
    """For the switch of a release set."""

    unit: UnitName

    async def look(self, wanted: Wanted) -> tuple[Wanted, Answer]:
        """Reads the set's records."""
        stored = await self.records.read_unit(self.unit)
        rollouts = await self.rollouts(self.unit)
        if (silent := _unanswered(stored, rollouts)) is not None:
            return wanted, silent
        if isinstance(rollouts, Unknown) or not isinstance(stored, StoredUnit):
            return wanted, Answer(code=ERROR, line=f"{self.unit} is not guarded any more")
        self.reached = True
        # all of them each time: a member that is switched late begins another rollout, the one to wait for then
        return wanted, answered_set(wanted, SetSeen(unit=stored.record, rollouts=rollouts, now=self.clock.now()))


def _unanswered(*outcomes: object) -> Answer | None:
    """What to say where one of them has no answer; None where all have."""
    for outcome in outcomes:
        if isinstance(outcome, Unknown) and outcome.unserved:
            return Answer(code=ERROR, line=str(unanswered(outcome)))
        if isinstance(outcome, Unknown):
            return Answer(line=f"the cluster does not answer: {outcome.detail}", at_timeout=ERROR)
    return None


class Lines:
    """A line per change, for logs of pipelines; a document per change for programs."""

    def __init__(self, format_: output.Format) -> None:
        self._format = format_

    def live(self) -> AbstractContextManager[object]:
        """Nothing moves."""
        return nullcontext()

    def change(self, at: Instant, answer: Answer, code: int | None) -> None:
        """Prints it."""
        if not self._format.for_programs:
            output.say(f"{output.moment(at)}  {answer.line}")
            return
        rollout = str(answer.rollout.id) if answer.rollout is not None else None
        verdict = answer.rollout.verdict.value if answer.rollout is not None else None
        told = output.as_object(at=at.iso(), rollout=rollout, verdict=verdict, line=answer.line, code=code)
        output.say(output.document(told, self._format))


class Live:
    """For a terminal: the same lines, and below them what is waited for now, moving."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("looking")

    def live(self) -> AbstractContextManager[object]:
        """The moving line."""
        return self._status

    def change(self, at: Instant, answer: Answer, code: int | None) -> None:
        """Prints it above the moving line."""
        self._console.print(f"{output.moment(at)}  {answer.line}", markup=False, highlight=False, soft_wrap=True)
        if code is None:
            self._status.update(f"waiting: {answer.line.replace('[', '(')}")


def screen(format_: output.Format) -> Screen:
    """What fits where the output goes."""
    console = Console()
    moving = console.is_terminal and sys.stdout.isatty() and not format_.for_programs
    return Live(console) if moving else Lines(format_)
