"""The guard: leads or waits, looks at every unit on each tick and at once when the cluster says so, and acts."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Coroutine

from rollguard.loop.acknowledging import Acknowledging
from rollguard.loop.asking import Asking
from rollguard.loop.checkup import Checkup
from rollguard.loop.context import Context
from rollguard.loop.emitting import Events
from rollguard.loop.house import House
from rollguard.loop.jobs import Jobs
from rollguard.loop.leader import Gate
from rollguard.loop.outbox import Outbox
from rollguard.loop.policies import Policies
from rollguard.loop.settings import Log, Settings
from rollguard.loop.status import Counted, Status, unit_status
from rollguard.loop.store import Store, Unavailable
from rollguard.loop.term import Term
from rollguard.loop.ticks import Ticks
from rollguard.loop.workers import Priority, Workers
from rollguard.model.policy import MetricsStore, Policy
from rollguard.ports import (
    Channels,
    Clock,
    Cluster,
    Doctor,
    Journal,
    KeptPolicies,
    Leadership,
    Metrics,
    PolicySource,
    Records,
)

OUTBOX_EVERY = 1.0
RETRY = 1.0
FINISH_WITHIN = 10.0
"""Seconds that a graceful stop gives to what is being done."""


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
        channels: Channels,
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
            channels=channels,
            policy=policy,
            gate=gate,
            clock=clock,
            settings=settings,
            log=log,
        )
        self._workers = Workers(settings.workers, clock)
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
            events=Events(cluster, gate, settings, log),
            asking=Asking(metrics),
            workers=self._workers,
        )
        self._counted = Counted()
        self._term = Term(self._context, records, leadership, self._forget)
        self._ticks = Ticks(self._context, self._term, self._counted)
        self._jobs = Jobs(self._context, self._term, self._counted)
        self._house = House(self._context)
        self._acknowledging = Acknowledging(self._context)
        self._checkup = Checkup(self._context, doctor) if doctor is not None else None
        self._stopping = asyncio.Event()

    # --- life ---

    async def run(self) -> None:
        """Runs until `stop`; then finishes what is being done and gives the Lease back."""
        duties: tuple[Coroutine[None, None, None], ...] = (
            self._term.lead(),
            self._term.take_over(),
            self._lasting("ticks", self._ticks.keep),
            self._watch_cluster(),
            self._lasting("requests", self._watch_requests),
            self._lasting("house-keeping", lambda: self._house.keep(self._term.active)),
            self._lasting("notices", self._send),
            self._lasting("events", self._emit),
            self._lasting("acknowledgements", lambda: self._acknowledging.keep(self._term.active)),
            self._workers.run(self._jobs.work),
        )
        checkup = self._checkup
        if checkup is not None:
            duties += (self._lasting("doctor", lambda: checkup.keep(self._term.active)),)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(duty) for duty in duties]
            await self._stopping.wait()
            deadline = self._clock.mono().plus(FINISH_WITHIN)
            await self._workers.finish(deadline)
            await self._context.outbox.finish(deadline)
            for task in tasks:
                task.cancel()
        await self._term.end()
        await self._context.asking.close()
        await self._context.outbox.close()
        self._log("stopped", {})

    async def _lasting(self, duty: str, begin: Callable[[], Coroutine[None, None, None]]) -> None:
        """A duty that is begun again after an unexpected error, which is logged and counted: as `Jobs.work` for a unit.

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

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._context.policy

    def status(self) -> Status:
        """A snapshot of what the guard knows of itself."""
        context = self._context
        units = tuple(unit_status(context, name, memory) for name, memory in sorted(context.units.items()))
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
            units=units,
            open_rollouts=sum(1 for unit in units if unit.rollout is not None),
            blind_signals=self._ticks.blind,
            outbox_pending=context.outbox.pending(),
            channels=context.outbox.told.channels(),
            doctor_failures=self._checkup.failures() if self._checkup is not None else (),
            policy=context.policy.digest,
            policy_mistakes=context.policies.mistakes,
        )

    def _forget(self) -> None:
        """Forgets everything: the next leader writes from here on, and so what we know is old."""
        self._workers.clear()
        self._context.store.clear()
        self._context.asking.clear()
        self._context.policies.forget()
        self._context.units.clear()
        self._context.breaching = {}
        self._ticks.blind = ()

    # --- listening and telling ---

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
            await self._context.events.send_due()
            await self._clock.sleep_until(self._clock.mono().plus(OUTBOX_EVERY))
