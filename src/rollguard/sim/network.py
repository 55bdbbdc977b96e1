"""One request from a process to the API server: it travels, may be lost, applied late or never answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from rollguard.sim.faults import Fault, FaultPlan
from rollguard.sim.process import Process

R = TypeVar("R")
LATE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """No answer came: whether it took effect, nobody knows."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """The server asks to come again."""

    after: float


async def call(
    point: str, process: Process, faults: FaultPlan, timeout: float, effect: Callable[[], R]
) -> R | Lost | Later:
    """What `effect` answers at the server, unless a fault strikes. Raises what `effect` raises.

    Once sent, a request takes effect even if its process dies meanwhile.
    """
    await process.stand()
    loop = asyncio.get_running_loop()
    fault = faults.strike(point)
    if fault is Fault.KILLED_BEFORE:
        process.kill()
        await process.stand()
    if fault is Fault.PARTITION:
        process.partition(faults.random.uniform(3.0, 25.0))
    if fault is Fault.PAUSED_BEFORE:
        process.pause(faults.random.uniform(1.0, 25.0))
        await process.stand()
    if fault is Fault.THROTTLED:
        await process.wait(0.002)
        return Later(after=1.0)
    if fault is Fault.LOST or process.partitioned:
        await process.wait(timeout)
        return Lost(detail="timeout: no answer from the API server")
    if fault is Fault.APPLIED_LATE:
        loop.call_later(LATE_SECONDS, effect)
        await process.wait(timeout)
        return Lost(detail="timeout: no answer from the API server")
    answer: asyncio.Future[R] = loop.create_future()
    delay = faults.random.uniform(0.001, 0.004) if fault is not Fault.SLOW else timeout * 0.9
    loop.call_later(delay, _deliver, answer, effect)
    result = await answer
    if fault is Fault.KILLED_AFTER:
        process.kill()
    if fault is Fault.PAUSED_AFTER:
        process.pause(faults.random.uniform(1.0, 25.0))
    if fault is Fault.APPLIED_UNKNOWN:
        await process.wait(timeout)
        return Lost(detail="connection reset by peer")
    await process.stand()
    return result


def _deliver(answer: asyncio.Future[R], effect: Callable[[], R]) -> None:
    try:
        result = effect()
    except InvariantBroken as error:
        if answer.done():
            raise
        answer.set_exception(error)
        return
    if not answer.done():
        answer.set_result(result)


class InvariantBroken(AssertionError):
    """The code under test did what must never happen."""
