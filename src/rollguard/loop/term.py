"""The time in which we lead: won, renewed every two seconds, lost, given back (rules 8 and 9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rollguard.loop.context import Context
from rollguard.model.action import Unknown
from rollguard.ports import Leadership, NotHeld, Records

RETRY = 1.0


class Term:
    """`active` is set while we lead *and* know what others have begun. `forget` is called when it ends."""

    def __init__(self, context: Context, records: Records, leadership: Leadership, forget: Callable[[], None]) -> None:
        self._context = context
        self._records = records
        self._leadership = leadership
        self._forget = forget
        self._elected = asyncio.Event()
        self.active = asyncio.Event()
        self.waiting = "the Lease was not asked for yet"
        """Why we do not lead, empty while we do."""
        self.standby = False
        """Somebody else is known to lead."""

    async def lead(self) -> None:
        """Renews, or tries to take over, until cancelled."""
        clock, every = self._context.clock, self._context.settings.renew_every
        while True:
            started = clock.mono()
            await self.renew()
            await clock.sleep_until(started.plus(every))

    async def take_over(self) -> None:
        """Begins the term whenever it is won: beside the renewals, for loading may take longer than they can wait."""
        clock = self._context.clock
        while True:
            await self._elected.wait()
            self._elected.clear()
            while self._context.gate.leading() and not self.active.is_set():
                await self.begin()
                if not self.active.is_set():
                    await clock.sleep_until(clock.mono().plus(RETRY))

    async def renew(self) -> None:
        """One renewal, or one try to take over."""
        gate = self._context.gate
        if not gate.leading():
            # The open rollouts are listed only where there is something to take over: there can be many.
            taken = await self._leadership.look()
            if taken is not None:
                self._not_held(taken)
                return
        epochs = await self._open_epochs()
        if isinstance(epochs, Unknown):
            self._waits(epochs.detail)
            return
        outcome = await self._leadership.renew(open_epochs=epochs)
        if isinstance(outcome, NotHeld):
            self._not_held(outcome)
            return
        self.standby = False
        self.waiting = ""
        fresh = outcome.epoch != gate.epoch
        gate.hold(outcome)
        if fresh:
            self._over()
        if not self.active.is_set():
            self._elected.set()

    def _not_held(self, outcome: NotHeld) -> None:
        self.standby = bool(outcome.holder)
        # without a known holder the last renewal still holds until its end
        if outcome.holder or not self._context.gate.leading():
            self._context.gate.hold(None)
            self._over()
            self._waits(f"{outcome.holder} leads" if outcome.holder else outcome.detail)

    async def begin(self) -> None:
        """Loads everything, where we lead: nothing is done before it is known what others have begun."""
        gate, store = self._context.gate, self._context.store
        epoch = gate.epoch
        if self.active.is_set() or not gate.leading() or not await store.load():
            return
        if not gate.leading() or gate.epoch != epoch:
            store.clear()
            return
        if any(record.epoch > gate.epoch for record in store.rollouts):
            # a rollout was written under a higher epoch since we listed them: take over once more, above it
            self._context.log("epoch-behind", {"epoch": gate.epoch})
            gate.hold(None)
            store.clear()
            await self._leadership.release()
            return
        self._context.log("leading", {"epoch": gate.epoch, "rollouts": len(store.rollouts)})
        self.active.set()

    async def end(self) -> None:
        """Gives the Lease back, so that the follower need not wait."""
        if self._context.gate.leading():
            await self._leadership.release()
        self._context.gate.hold(None)
        self._over()

    def _waits(self, why: str) -> None:
        """Says once why we do not lead: a guard that waits in silence looks like one that guards."""
        if why != self.waiting:
            self._context.log("waiting", {"detail": why})
        self.waiting = why

    async def _open_epochs(self) -> tuple[int, ...] | Unknown:
        """The epochs of all open rollouts, read afresh before a takeover."""
        if self._context.gate.leading():
            return tuple(record.epoch for record in self._context.store.rollouts)
        listed = await self._records.list_rollouts(open_only=True)
        return listed if isinstance(listed, Unknown) else tuple(stored.record.epoch for stored in listed)

    def _over(self) -> None:
        if self.active.is_set():
            self._context.log("not-leading", {})
        self.active.clear()
        self._forget()
