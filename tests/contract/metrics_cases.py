"""What every metrics store promises: the same on a real Prometheus and in the simulator."""

from __future__ import annotations

import itertools
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rollguard.model.metrics import GapCause, MetricsAnswer, NoSnapshot, Question, Reading, Snapshot
from rollguard.model.names import WorkloadName
from rollguard.model.policy import MetricsStore
from rollguard.model.signals import Signal
from rollguard.model.time import Instant
from rollguard.ports import Clock, Metrics
from rollguard.signals import question

SLOT = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsGround:
    """A store with some minutes of history of at least one workload that has traffic, errors and a restart."""

    metrics: Metrics
    clock: Clock
    store: MetricsStore
    signals: tuple[Signal, ...]
    workloads: tuple[WorkloadName, ...]
    ends: tuple[Instant, ...]
    """Slot ends that lie in the history, `SLOT` seconds apart."""
    before: Instant
    """Before anything was."""
    cut: Callable[[], Awaitable[None]]
    """Makes the store unreachable."""

    def question(self, name: str, *instants: Instant) -> Question:
        """A signal's question."""
        signal = next(signal for signal in self.signals if signal.name == name)
        (asked,) = question(
            signal, self.store, workloads=self.workloads, instants=instants or self.ends, slot_seconds=SLOT
        )
        return asked

    async def ask(self, asked: Question, seconds: float = 20.0) -> tuple[MetricsAnswer, ...]:
        """The answers within so many seconds."""
        return await self.metrics.ask(asked, deadline=self.clock.mono().plus(seconds))

    async def readings(self, name: str) -> list[tuple[Snapshot, tuple[Reading, ...]]]:
        """The snapshots at all ends."""
        answers = await self.ask(self.question(name))
        found = [answer for answer in answers if isinstance(answer, Snapshot)]
        assert len(found) == len(self.ends), answers
        return [(answer, answer.readings) for answer in found]


MetricsCase = Callable[[MetricsGround], Awaitable[None]]


async def every_instant_has_its_answer_in_order(ground: MetricsGround) -> None:
    answers = await ground.ask(
        ground.question("errors", ground.before, ground.before.plus(SLOT), ground.before.plus(60))
    )
    assert [answer.at for answer in answers] == [ground.before.plus(SLOT * n) for n in range(3)]
    assert {answer.signal for answer in answers} == {"errors"}


async def nothing_there_is_a_gap_and_no_empty_snapshot(ground: MetricsGround) -> None:
    (answer,) = await ground.ask(ground.question("errors", ground.before))
    assert isinstance(answer, NoSnapshot)
    assert answer.cause is GapCause.EMPTY


async def several_instants_give_what_each_alone_gives(ground: MetricsGround) -> None:
    together = await ground.ask(ground.question("errors"))
    alone = [answer for end in ground.ends for answer in await ground.ask(ground.question("errors", end))]
    assert list(together) == alone


async def every_reading_has_all_its_parts_as_numbers_and_a_time(ground: MetricsGround) -> None:
    for snapshot, readings in await ground.readings("errors"):
        assert readings
        for reading in readings:
            values = {part: value for part, _class, value in reading.values}
            assert set(values) == {"bad", "total"}
            assert all(math.isfinite(value) for value in values.values())
            assert 0 <= values["bad"] <= values["total"]
            assert snapshot.at.since(reading.newest) >= 0
            assert reading.resets >= 0


async def nobody_is_there_twice(ground: MetricsGround) -> None:
    for _snapshot, readings in await ground.readings("errors"):
        owners = [(reading.namespace, reading.pod, reading.workload) for reading in readings]
        assert len(owners) == len(set(owners))
        assert all(pod and not workload for _namespace, pod, workload in owners)


async def buckets_never_fall_from_edge_to_edge_and_end_at_infinity(ground: MetricsGround) -> None:
    for _snapshot, readings in await ground.readings("latency"):
        for reading in readings:
            counts = sorted((float(edge), value) for _part, edge, value in reading.values)
            assert counts[-1][0] == math.inf
            assert all(low[1] <= high[1] for low, high in itertools.pairwise(counts))


async def a_counter_falls_only_where_a_reset_is_told(ground: MetricsGround) -> None:
    told = 0
    for (_, earlier), (_, later) in itertools.pairwise(await ground.readings("errors")):
        before = {reading.pod: reading for reading in earlier}
        for reading in later:
            told += reading.resets
            if reading.pod in before and reading.resets == 0:
                now, then = ({part: value for part, _, value in one.values} for one in (reading, before[reading.pod]))
                assert now["total"] >= then["total"]
                assert now["bad"] >= then["bad"]
    assert told > 0


async def a_store_out_of_reach_is_a_gap_by_the_deadline(ground: MetricsGround) -> None:
    await ground.cut()
    began = ground.clock.mono()
    answers = await ground.ask(ground.question("errors"), seconds=2.0)
    assert ground.clock.mono().since(began) < 4.0
    assert [answer.at for answer in answers] == list(ground.ends)
    assert {isinstance(answer, NoSnapshot) and answer.cause for answer in answers} <= {
        GapCause.UNREACHABLE,
        GapCause.TIMEOUT,
    }


METRICS_CASES: tuple[MetricsCase, ...] = (
    every_instant_has_its_answer_in_order,
    nothing_there_is_a_gap_and_no_empty_snapshot,
    several_instants_give_what_each_alone_gives,
    every_reading_has_all_its_parts_as_numbers_and_a_time,
    nobody_is_there_twice,
    buckets_never_fall_from_edge_to_edge_and_end_at_infinity,
    a_counter_falls_only_where_a_reset_is_told,
    # the last: it ends the store
    a_store_out_of_reach_is_a_gap_by_the_deadline,
)
