"""One job of one unit: it is looked at, or acted upon, and its errors end here."""

from __future__ import annotations

import traceback

from rollguard.loop import executor, units
from rollguard.loop.conditions import ERROR
from rollguard.loop.context import Context, LookAgain, Memory
from rollguard.loop.leader import LeadershipLost
from rollguard.loop.look import look
from rollguard.loop.status import Counted
from rollguard.loop.store import Unavailable, Vanished
from rollguard.loop.term import Term
from rollguard.loop.workers import Priority
from rollguard.model.names import UnitName

AGAIN = 0.25
RETRY = 1.0


class Jobs:
    """What the workers do."""

    def __init__(self, context: Context, term: Term, counted: Counted) -> None:
        self._context = context
        self._term = term
        self._counted = counted

    async def work(self, priority: Priority, name: UnitName) -> None:
        """One job of one unit, where its unexpected errors are caught.

        A bug that shows in one unit must not stop the guard of the others: the unit is in error, the traceback is
        logged and counted, and the next tick tries again from what the cluster says.
        """
        context = self._context
        memory = context.units.get(name)
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
                context.log("look-again", {"unit": str(name), "detail": str(error)})
                context.workers.later(AGAIN, Priority.WAKE, name)
            except (Unavailable, Vanished) as error:
                context.log("records-unavailable", {"unit": str(name), "detail": str(error)})
                context.workers.later(RETRY, priority, name)
            except LeadershipLost as error:
                context.log("write-withheld", {"unit": str(name), "detail": str(error)})
                context.workers.later(RETRY, priority, name)
            except Exception as error:
                if context.settings.fail_fast:
                    raise
                self._counted.errors += 1
                memory.error = f"{type(error).__name__}: {error}"
                context.log("unit-error", {"unit": str(name), "traceback": traceback.format_exc()})
                await self._show_error(name, memory.error)
        for missed in sorted(memory.again):
            context.workers.put(missed, name)

    async def _show_error(self, name: UnitName, error: str) -> None:
        """The unit's record says so, for `rollguard status`; the next look that comes to its end takes it away."""
        try:
            await self._context.store.change_unit(name, lambda u: units.with_condition(u, ERROR, error))
        except (Unavailable, Vanished, LeadershipLost) as unwritten:
            self._context.log("condition-not-written", {"unit": str(name), "detail": str(unwritten)})

    async def _do(self, priority: Priority, name: UnitName, memory: Memory) -> None:
        if priority is not Priority.ACT:
            await look(self._context, memory)
            return
        again = await executor.act(self._context, memory)
        if again is not None:
            self._context.workers.later(again, Priority.ACT, name)
        else:
            self._context.workers.put(Priority.WAKE, name)
