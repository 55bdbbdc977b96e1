"""The guard: leads or waits, looks at every unit on each tick and at once when the cluster says so, and acts."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from rollguard.loop import changes, everything, executor, surroundings
from rollguard.loop.asking import Asking
from rollguard.loop.asks import asks
from rollguard.loop.checkup import Checkup
from rollguard.loop.conditions import ERROR
from rollguard.loop.context import Context, LookAgain, Memory
from rollguard.loop.house import House
from rollguard.loop.leader import Gate, LeadershipLost
from rollguard.loop.look import look
from rollguard.loop.outbox import Outbox
from rollguard.loop.policies import Policies
from rollguard.loop.selection import select
from rollguard.loop.settings import Log, Settings
from rollguard.loop.status import Status, UnitStatus
from rollguard.loop.store import Store, Unavailable, Vanished
from rollguard.loop.term import Term
from rollguard.loop.workers import Priority, Workers
from rollguard.model.metrics import Gap
from rollguard.model.names import UnitName
from rollguard.model.policy import MetricsStore, Policy, SecretsAccess, WebhookChannel
from rollguard.model.time import Mono
from rollguard.ports import (
    Clock,
    Cluster,
    Doctor,
    Journal,
    KeptPolicies,
    Leadership,
    Metrics,
    Notifier,
    PolicySource,
    Records,
)

ANSWERS_WITHIN = 0.8
"""Share of the tick in which the metrics store must answer."""
OUTBOX_EVERY = 1.0
AGAIN = 0.25
RETRY = 1.0
FINISH_WITHIN = 10.0
"""Seconds that a graceful stop gives to what is being done."""


@dataclass(slots=True)
class _Counted:
    """What the guard knows of its own looks. `looked` is when everything was last looked at."""

    ticks: int = 0
    late: int = 0
    errors: int = 0
    last_tick: float = 0.0
    looked: Mono | None = None

    def since_look(self, now: Mono) -> float:
        """Seconds."""
        return now.since(self.looked) if self.looked is not None else 0.0


class Guard:
    """One process's guard. Everything it must not forget is in the cluster: it may be killed at any await."""

    def __init__(
        self,
        policy: Policy,
        *,
        cluster: Cluster,
        records: Records,
        leadership: Leadership,
        metrics: Callable[[MetricsStore], Metrics],
        notifiers: Callable[[tuple[WebhookChannel, ...]], tuple[Notifier, ...]],
        journal: Journal,
        clock: Clock,
        settings: Settings,
        log: Log,
        doctor: Doctor | None = None,
        source: PolicySource | None = None,
        kept: KeptPolicies | None = None,
    ) -> None:
        self._records = records
        self._clock = clock
        self._settings = settings
        self._log = log
        gate = Gate(clock)
        store = Store(records, gate, settings, log)
        outbox = Outbox(
            store=store,
            cluster=cluster,
            connect=notifiers,
            channels=policy.webhooks,
            gate=gate,
            clock=clock,
            settings=settings,
            log=log,
        )
        self._workers = Workers(settings.workers, self._work)
        self._context = Context(
            policies=Policies(policy, source=source, kept=kept, gate=gate, settings=settings, log=log),
            cluster=cluster,
            journal=journal,
            clock=clock,
            settings=settings,
            log=log,
            gate=gate,
            store=store,
            outbox=outbox,
            asking=Asking(metrics),
            offset=self._offset,
            later=self._later,
        )
        self._timers: dict[tuple[Priority, UnitName], asyncio.Task[None]] = {}
        self._term = Term(self._context, records, leadership, self._forget)
        self._house = House(self._context)
        self._checkup = Checkup(self._context, doctor) if doctor is not None else None
        self._stopping = asyncio.Event()
        self._running = False
        self._counted = _Counted()
        self._blind: tuple[str, ...] = ()

    # --- life ---

    async def run(self) -> None:
        """Runs until `stop`; then finishes what is being done and gives the Lease back."""
        self._running = True
        duties: tuple[Coroutine[None, None, None], ...] = (
            self._term.lead(),
            self._term.take_over(),
            self._lasting("ticks", self._tick_on),
            self._watch_cluster(),
            self._lasting("requests", self._watch_requests),
            self._lasting("house-keeping", lambda: self._house.keep(self._term.active)),
            self._lasting("notices", self._send),
            self._lasting("events", self._emit),
            self._workers.run(),
        )
        checkup = self._checkup
        if checkup is not None:
            duties += (self._lasting("doctor", lambda: checkup.keep(self._term.active)),)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(duty) for duty in duties]
                await self._stopping.wait()
                await self._workers.finish(self._clock, self._clock.mono().plus(FINISH_WITHIN))
                for task in tasks:
                    task.cancel()
        finally:
            self._running = False
            for timer in self._timers.values():
                timer.cancel()
        await self._term.end()
        await self._context.asking.close()
        await self._context.outbox.close()
        self._log("stopped", {})

    async def _lasting(self, duty: str, begin: Callable[[], Coroutine[None, None, None]]) -> None:
        """A duty that is begun again after an unexpected error, which is logged and counted: as `_work` for a unit.

        What one object or one answer makes go wrong must not end the guard of everything else.
        """
        while True:
            try:
                return await begin()
            except Exception:
                if self._settings.fail_fast:
                    raise
                self._counted.errors += 1
                self._log("duty-error", {"duty": duty, "traceback": traceback.format_exc()})
            await self._clock.sleep_until(self._clock.mono().plus(RETRY))

    def stop(self) -> None:
        """Asks `run` to end."""
        self._stopping.set()

    def status(self) -> Status:
        """A snapshot of what the guard knows of itself."""
        context = self._context
        units = []
        for name, memory in sorted(context.units.items()):
            record = context.store.rollout(name)
            units.append(
                UnitStatus(
                    unit=name,
                    rollout=record.id if record is not None else None,
                    state=record.state if record is not None else None,
                    verdict=memory.verdict if record is not None else None,
                    decision=memory.decision if record is not None else None,
                    error=memory.error,
                )
            )
        return Status(
            leading=context.gate.leading(),
            active=self._term.active.is_set(),
            waiting=self._term.waiting,
            standby=self._term.standby,
            epoch=context.gate.epoch,
            ticks=self._counted.ticks,
            late_ticks=self._counted.late,
            last_tick_seconds=self._counted.last_tick,
            since_look=self._counted.since_look(self._clock.mono()) if self._term.active.is_set() else 0.0,
            tick=context.policy.timing.tick,
            errors=self._counted.errors + context.outbox.errors,
            units=tuple(units),
            open_rollouts=sum(1 for unit in units if unit.rollout is not None),
            blind_signals=self._blind,
            outbox_pending=context.outbox.pending(),
            doctor_failures=self._checkup.failures() if self._checkup is not None else (),
            policy=context.policy.digest,
            policy_mistakes=context.policies.mistakes,
        )

    async def renew(self) -> None:
        """One renewal or one try to take over, for one look without `run`; a new leader loads everything at once."""
        await self._term.renew()
        if not self._running:
            await self._term.begin()

    def _forget(self) -> None:
        """Forgets everything: the next leader writes from here on, and so what we know is old."""
        self._workers.clear()
        self._context.store.clear()
        self._context.asking.clear()
        self._context.policies.forget()
        self._context.units.clear()
        self._context.breaching = {}
        self._blind = ()

    # --- looking ---

    async def _tick_on(self) -> None:
        while True:
            await self._term.active.wait()
            due = self._counted.looked = self._clock.mono()
            while self._term.active.is_set():
                due = self._skip(due, int(self._clock.mono().since(due) // self._context.policy.timing.tick))
                if not await self.tick():
                    await self._clock.sleep_until(self._clock.mono().plus(AGAIN))
                    due = self._clock.mono()
                    continue
                interval = self._context.policy.timing.tick
                due = due.plus(interval)
                late = self._clock.mono().since(due)
                due = self._skip(due, int(late // interval) + 1 if late > 0 else 0)
                await self._clock.sleep_until(due)

    def _skip(self, due: Mono, missed: int) -> Mono:
        """When the next tick is due, with those that were missed counted."""
        self._counted.late += missed
        return due.plus(missed * self._context.policy.timing.tick)

    async def tick(self) -> bool:
        """One look at everything: takes over a changed policy, asks the store for the slots that have closed, then
        looks at each unit.

        False where it could not: we do not lead, or do not know yet what exists.
        """
        context = self._context
        started = self._clock.mono()
        if not self._leads():
            return False
        await context.policies.refresh(context.store.rollouts, context.now())
        unread = self._cover()
        if not self._leads() or not select(context):
            return False
        now = context.now()
        facts = [context.cluster.facts(name) for name in sorted(context.units)]
        context.asking.look_at_pods(facts, context.store.rollouts, now)
        deadline = started.plus(ANSWERS_WITHIN * context.policy.timing.tick)
        new = await context.asking.ask(now, asks(context, now), deadline=deadline)
        self._blind = tuple(sorted({a.signal for a in new if isinstance(a, Gap)})) if new else self._blind
        await surroundings.watch_siblings(context)
        looks = [self._workers.put(Priority.TICK, name) for name in sorted(context.units)]
        if not self._running:
            await self._workers.drain()
        for done in looks:
            await done.wait()
        if self._leads() and not self._settings.orders_only:
            await everything.tell(context, unread)
        self._counted.ticks += 1
        self._counted.looked = self._clock.mono()
        self._counted.last_tick = self._counted.looked.since(started)
        return True

    def _leads(self) -> bool:
        return self._term.active.is_set() and self._context.gate.leading()

    def _cover(self) -> tuple[str, ...]:
        """Has the namespaces of the policy in force and of open rollouts read; what keeps one from being read."""
        context = self._context
        context.outbox.channels = context.policy.webhooks
        if self._settings.orders_only:
            return ()
        open_ = (record.unit.namespace for record in context.store.rollouts if record.closed is None)
        namespaces = frozenset((*(watch.namespace for watch in context.policy.watches), *open_))
        shut = context.store.cover(namespaces | {self._settings.namespace})
        secrets = context.policy.owners.secrets is SecretsAccess.METADATA
        context.cluster.look_for(context.policies.migrations(), secrets=secrets)
        return (*context.cluster.cover(namespaces), *shut)

    async def _watch_cluster(self) -> None:
        async for name in self._context.cluster.changes():
            if self._term.active.is_set() and name in self._context.units:
                self._workers.put(Priority.WAKE, name)

    async def _watch_requests(self) -> None:
        async for name in self._records.requests():
            if not self._term.active.is_set():
                continue
            try:
                await self._context.store.refresh_unit(name)
            except Unavailable as error:
                self._log("unit-not-read", {"unit": str(name), "detail": str(error)})
            if name in self._context.units:
                self._workers.put(Priority.WAKE, name)

    async def _send(self) -> None:
        async with asyncio.TaskGroup() as sending:
            while True:
                await self._term.active.wait()
                await self._context.outbox.send_due(sending)
                await self._clock.sleep_until(self._clock.mono().plus(OUTBOX_EVERY))

    async def _emit(self) -> None:
        while True:
            await self._term.active.wait()
            await self._context.outbox.send_events()
            await self._clock.sleep_until(self._clock.mono().plus(OUTBOX_EVERY))

    # --- working ---

    async def _work(self, priority: Priority, name: UnitName) -> None:
        """One job of one unit, where its unexpected errors are caught.

        A bug that shows in one unit must not stop the guard of the others: the unit is in error, the traceback is
        logged and counted, and the next tick tries again from what the cluster says.
        """
        memory = self._context.units.get(name)
        if memory is None or not self._term.active.is_set():
            return
        if memory.lock.locked():
            memory.again.add(min(priority, Priority.WAKE))
            return
        async with memory.lock:
            memory.again.clear()
            try:
                await self._do(priority, name, memory)
                memory.error = ""
            except LookAgain as error:
                self._log("look-again", {"unit": str(name), "detail": str(error)})
                self._later(AGAIN, Priority.WAKE, name)
            except (Unavailable, Vanished) as error:
                self._log("records-unavailable", {"unit": str(name), "detail": str(error)})
                self._later(RETRY, priority, name)
            except LeadershipLost as error:
                self._log("write-withheld", {"unit": str(name), "detail": str(error)})
                self._later(RETRY, priority, name)
            except Exception as error:
                if self._settings.fail_fast:
                    raise
                self._counted.errors += 1
                memory.error = f"{type(error).__name__}: {error}"
                self._log("unit-error", {"unit": str(name), "traceback": traceback.format_exc()})
                await self._show_error(name, memory.error)
        for missed in sorted(memory.again):
            self._workers.put(missed, name)

    async def _show_error(self, name: UnitName, error: str) -> None:
        """The unit's record says so, for `rollguard status`; the next look that comes to its end takes it away."""
        try:
            await self._context.store.change_unit(name, lambda u: changes.with_condition(u, ERROR, error))
        except (Unavailable, Vanished, LeadershipLost) as unwritten:
            self._log("condition-not-written", {"unit": str(name), "detail": str(unwritten)})

    async def _do(self, priority: Priority, name: UnitName, memory: Memory) -> None:
        if priority is not Priority.ACT:
            await look(self._context, memory)
            return
        again = await executor.act(self._context, memory)
        if again is not None:
            self._later(again, Priority.ACT, name)
        else:
            self._workers.put(Priority.WAKE, name)

    def _later(self, seconds: float, priority: Priority, name: UnitName) -> None:
        """Queues a job after so many seconds; without `run` only what is due at once, the rest by the next tick."""
        if seconds <= 0:
            self._workers.put(priority, name)
        elif self._running and (priority, name) not in self._timers:
            self._timers[priority, name] = asyncio.create_task(self._alarm(seconds, priority, name))

    async def _alarm(self, seconds: float, priority: Priority, name: UnitName) -> None:
        try:
            await self._clock.sleep_until(self._clock.mono().plus(seconds))
        finally:
            del self._timers[priority, name]
        self._workers.put(priority, name)

    def _offset(self) -> float | None:
        of_cluster = self._context.cluster.clock_offset()
        known = [*self._context.asking.clock_offsets(), *(() if of_cluster is None else (of_cluster,))]
        return max(known, key=abs) if known else None
