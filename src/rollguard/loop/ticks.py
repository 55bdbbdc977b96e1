"""Looks at everything on each tick. Ticks never overlap: a late one is skipped and counted."""

from __future__ import annotations

from rollguard.loop import everything, quieting, reminding, surroundings
from rollguard.loop.asks import asks
from rollguard.loop.context import Context
from rollguard.loop.selection import select
from rollguard.loop.status import Counted
from rollguard.loop.term import Term
from rollguard.loop.workers import Priority
from rollguard.model.metrics import Gap
from rollguard.model.policy import SecretsAccess
from rollguard.model.time import Mono

ANSWERS_WITHIN = 0.8
"""Share of the tick in which the metrics store must answer."""
AGAIN = 0.25


class Ticks:
    """`blind` names the signals without a complete answer in the last slot."""

    def __init__(self, context: Context, term: Term, counted: Counted) -> None:
        self._context = context
        self._term = term
        self._counted = counted
        self.blind: tuple[str, ...] = ()

    async def keep(self) -> None:
        """Goes on until cancelled; rests while we do not lead."""
        clock = self._context.clock
        while True:
            await self._term.active.wait()
            due = self._counted.looked = clock.mono()
            while self._term.active.is_set():
                due = self._skip(due, int(clock.mono().since(due) // self._context.policy.timing.tick))
                if not await self._tick():
                    await clock.sleep_until(clock.mono().plus(AGAIN))
                    due = clock.mono()
                    continue
                interval = self._context.policy.timing.tick
                due = due.plus(interval)
                late = clock.mono().since(due)
                due = self._skip(due, int(late // interval) + 1 if late > 0 else 0)
                await clock.sleep_until(due)

    def _skip(self, due: Mono, missed: int) -> Mono:
        """When the next tick is due, with those that were missed counted."""
        self._counted.late += missed
        return due.plus(missed * self._context.policy.timing.tick)

    async def _tick(self) -> bool:
        """One look at everything: takes over a changed policy, asks the store for the slots that have closed, then
        looks at each unit.

        False where it could not: we do not lead, or do not know yet what exists.
        """
        context = self._context
        started = context.clock.mono()
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
        self.blind = tuple(sorted({a.signal for a in new if isinstance(a, Gap)})) if new else self.blind
        await surroundings.watch_siblings(context)
        for done in [context.workers.put(Priority.TICK, name) for name in sorted(context.units)]:
            await done.wait()
        if self._leads() and not context.settings.orders_only:
            await everything.tell(context, unread)
            await reminding.remind(context)
            await quieting.tell(context)
        self._counted.ticked(started, context.clock.mono())
        return True

    def _leads(self) -> bool:
        return self._term.active.is_set() and self._context.gate.leading()

    def _cover(self) -> tuple[str, ...]:
        """Has the namespaces of the policy in force and of open rollouts read; what keeps one from being read."""
        context = self._context
        context.outbox.policy = context.policy
        if context.settings.orders_only:
            return ()
        open_ = (record.unit.namespace for record in context.store.rollouts if record.closed is None)
        namespaces = frozenset((*context.policy.namespaces(), *open_))
        shut = context.store.cover(namespaces | {context.settings.namespace})
        secrets = context.policy.owners.secrets is SecretsAccess.METADATA
        context.cluster.look_for(context.policies.migrations(), secrets=secrets)
        return (*context.cluster.cover(namespaces), *shut)
