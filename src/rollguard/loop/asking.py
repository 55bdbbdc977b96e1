"""The answers under every policy in use: the same signal under two definitions is never mixed.

Policies that ask the same of the same store share their answers, so that a change of mode costs no question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rollguard import signals
from rollguard.loop.answers import Answers
from rollguard.model.facts import UnitFacts
from rollguard.model.metrics import Answer
from rollguard.model.names import WorkloadName
from rollguard.model.policy import MetricsStore, Policy
from rollguard.model.records import RolloutRecord
from rollguard.model.signals import Signal
from rollguard.model.time import Instant, Mono
from rollguard.observe import PodIndex
from rollguard.ports import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """For which workloads a policy's signals are asked, and how far back where they never were."""

    policy: Policy
    workloads: frozenset[WorkloadName]
    earliest: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What of a policy its answers depend on."""

    store: MetricsStore
    signals: tuple[Signal, ...]
    used: frozenset[str]
    slot: float
    lateness: float

    def __hash__(self) -> int:
        """By what is cheap to hash; the signals are compared, which is quick where they are the same objects."""
        return hash((self.used, self.slot, self.lateness))

    @classmethod
    def of(cls, policy: Policy) -> _Asked:
        return cls(
            store=policy.metrics,
            signals=policy.signals,
            used=frozenset(signal.name for signal in signals.asked(policy)),
            slot=policy.timing.slot,
            lateness=policy.timing.lateness,
        )


class Asking:
    """Makes the metrics adapters that the policies name, and closes those that no policy in use names any more."""

    def __init__(self, connect: Callable[[MetricsStore], Metrics]) -> None:
        self._connect = connect
        self._stores: dict[MetricsStore, Metrics] = {}
        self._answers: dict[_Asked, Answers] = {}
        self._pods = PodIndex.empty()

    def under(self, policy: Policy) -> Answers:
        """The answers to what the policy asks."""
        key = _Asked.of(policy)
        if key not in self._answers:
            self._answers[key] = Answers(self._store(policy.metrics), policy)
            self._answers[key].pods = self._pods
        return self._answers[key]

    def look_at_pods(self, facts: list[UnitFacts], rollouts: tuple[RolloutRecord, ...], now: Instant) -> None:
        """Remembers which pod is whose."""
        self._pods = self._pods.updated(facts, rollouts, now)
        for answers in self._answers.values():
            answers.pods = self._pods

    async def ask(self, now: Instant, asks: Iterable[Ask], *, deadline: Mono) -> tuple[Answer, ...]:
        """What is new, folded, under all policies; answers that are asked for no more are forgotten."""
        together: dict[_Asked, Ask] = {}
        for ask in asks:
            key = _Asked.of(ask.policy)
            other = together.get(key, ask)
            together[key] = Ask(
                policy=ask.policy,
                workloads=other.workloads | ask.workloads,
                earliest=min(other.earliest, ask.earliest),
            )
        await self._keep(together.keys())
        new = await asyncio.gather(
            *(
                self.under(ask.policy).ask(
                    now, earliest=ask.earliest, workloads=tuple(sorted(ask.workloads)), deadline=deadline
                )
                for ask in together.values()
            )
        )
        return tuple(answer for answers in new for answer in answers)

    def clear(self) -> None:
        """Forgets every answer: we do not lead (any more)."""
        for answers in self._answers.values():
            answers.clear()

    def clock_offsets(self) -> list[float]:
        """Seconds by which the clocks of the stores are ahead of ours, as far as known."""
        known = (metrics.clock_offset() for metrics in self._stores.values())
        return [offset for offset in known if offset is not None]

    async def close(self) -> None:
        """Ends all connections."""
        await self._keep(())

    def _store(self, store: MetricsStore) -> Metrics:
        if store not in self._stores:
            self._stores[store] = self._connect(store)
        return self._stores[store]

    async def _keep(self, used: Iterable[_Asked]) -> None:
        keys = set(used)
        for key in self._answers.keys() - keys:
            del self._answers[key]
        for store in self._stores.keys() - {key.store for key in keys}:
            await self._stores.pop(store).close()
