"""The Lease as a promise of time: what lost answers, strangers and deletions do to it."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field
from typing import Any

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import KubernetesLeadership
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.model.time import Instant, Mono
from rollguard.ports import Held, NotHeld
from tests.unit.kubernetes.server import Conversation, serving


class Hands(SystemClock):
    """A clock that a test moves; its wall time is far from the Lease's, and must not matter."""

    def __init__(self, seconds: float = 1000.0) -> None:
        self.seconds = seconds

    def now(self) -> Instant:
        return Instant(self.seconds * 7)

    def mono(self) -> Mono:
        return Mono(self.seconds)


@dataclass(slots=True)
class LeaseServer:
    """One Lease with compare-and-swap; `lost` swallows answers after (or `refuse` before) their effect."""

    lease: dict[str, Any] | None = None
    version: int = 0
    lost: bool = False
    refuse: int = 0
    writes: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, on: Conversation) -> None:
        if self.refuse:
            await on.answer({"message": "no"}, status=self.refuse)
        elif on.asked.method == "GET":
            await (on.answer(self.lease) if self.lease else on.answer({"message": "none"}, status=404))
        else:
            await self._write(on)

    async def _write(self, on: Conversation) -> None:
        body = json.loads(on.asked.body)
        known = self.lease["metadata"]["resourceVersion"] if self.lease else None
        if body["metadata"].get("resourceVersion") != known:
            await on.answer({"message": "modified"}, status=409)
            return
        self.version += 1
        self.lease = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        self.writes.append(self.lease)
        if self.lost:
            on.reset()
        else:
            await on.answer(self.lease)

    @property
    def epoch(self) -> str:
        assert self.lease is not None
        annotations: dict[str, str] = self.lease["metadata"]["annotations"]
        return annotations["rollguard.dev/epoch"]


def candidate(url: str, clock: Hands, who: str = "a") -> KubernetesLeadership:
    api = Api(Connection(server=url, tls=ssl.create_default_context(), namespace="n"), clock)
    return KubernetesLeadership(api, clock, namespace="n", identity=who)


async def test_a_renewal_counts_ten_seconds_from_its_start_and_keeps_its_epoch() -> None:
    state, clock = LeaseServer(), Hands()
    async with serving(state) as server:
        leader = candidate(server.url, clock)
        assert await leader.renew(open_epochs=(4,)) == Held(until=Mono(1010.0), epoch=5)
        clock.seconds += 2
        assert await leader.renew(open_epochs=(5,)) == Held(until=Mono(1012.0), epoch=5)
    assert state.lease is not None
    assert state.lease["spec"]["leaseDurationSeconds"] == 15


async def test_without_an_answer_the_last_renewal_counts_to_its_own_end_and_no_further() -> None:
    state, clock = LeaseServer(), Hands()
    async with serving(state) as server:
        leader = candidate(server.url, clock)
        await leader.renew(open_epochs=())
        state.refuse = 503
        clock.seconds += 9
        assert await leader.renew(open_epochs=()) == Held(until=Mono(1010.0), epoch=1)
        clock.seconds += 1
        assert isinstance(await leader.renew(open_epochs=()), NotHeld)


async def test_a_takeover_whose_answer_was_lost_is_not_held_until_it_is_seen() -> None:
    state, clock = LeaseServer(lost=True), Hands()
    async with serving(state) as server:
        leader = candidate(server.url, clock)
        assert isinstance(await leader.renew(open_epochs=(2,)), NotHeld)
        assert state.epoch == "3"
        state.lost = False
        assert await leader.renew(open_epochs=(2,)) == Held(until=Mono(1010.0), epoch=3)


async def test_a_stranger_is_followed_by_our_clock_alone_whatever_its_times_say() -> None:
    state, clock = LeaseServer(), Hands()
    async with serving(state) as server:
        await candidate(server.url, clock, "stranger").renew(open_epochs=())
        follower = candidate(server.url, clock, "b")
        clock.seconds += 1_000_000
        assert await follower.renew(open_epochs=()) == NotHeld(holder="stranger", detail="held by stranger")
        clock.seconds += 14.9
        assert isinstance(await follower.renew(open_epochs=()), NotHeld)
        clock.seconds += 0.1
        assert await follower.renew(open_epochs=()) == Held(until=Mono(clock.seconds + 10), epoch=2)


async def test_each_renewal_of_the_stranger_starts_the_wait_anew() -> None:
    state, clock = LeaseServer(), Hands()
    async with serving(state) as server:
        stranger, follower = candidate(server.url, clock, "stranger"), candidate(server.url, clock, "b")
        for _ in range(6):
            await stranger.renew(open_epochs=())
            assert isinstance(await follower.renew(open_epochs=()), NotHeld)
            clock.seconds += 14
        clock.seconds += 1
        assert isinstance(await follower.renew(open_epochs=()), Held)


async def test_of_two_that_take_over_at_once_one_wins() -> None:
    state, clock = LeaseServer(), Hands()
    async with serving(state) as server:
        first, second = candidate(server.url, clock, "a"), candidate(server.url, clock, "b")
        await candidate(server.url, clock, "gone").renew(open_epochs=())
        for each in (first, second):
            await each.renew(open_epochs=())
        clock.seconds += 15
        outcomes = [await each.renew(open_epochs=()) for each in (first, second)]
    assert [type(each) for each in outcomes] == [Held, NotHeld]


async def test_a_leader_that_finds_a_higher_epoch_in_an_open_rollout_begins_a_new_one() -> None:
    state, clock = LeaseServer(), Hands()
    async with serving(state) as server:
        leader = candidate(server.url, clock)
        await leader.renew(open_epochs=())
        held = await leader.renew(open_epochs=(8,))
    assert isinstance(held, Held)
    assert held.epoch == 9
    assert state.epoch == "9"
