"""The traffic to one Service: requests at a rate, and streams that stay open."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.endpoints import Address, ServiceKey
from lab.http_client import Pool
from lab.kubelet.addresses import loopback
from lab.kubelet.app import STREAM_PATH
from lab.loadgen.endpoints import Endpoints
from lab.loadgen.stats import Stats

REQUEST_TIMEOUT_S = 30.0
CONCURRENCY_MAX = 400
RPS_MAX = 5000
STREAMS_MAX = 100
_RETRY_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`keep_alive_s`: so long, at most, clients go on using the connections that they have to a pod that left the
    Service, for only new connections go where the Service points. `streams` are open at any time, each for `stream_s`
    at most."""

    rps: float
    path: str = "/"
    keep_alive_s: float = 0.0
    streams: int = 0
    stream_s: float = 1.0

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Wanted:
        """Raises ValueError for what is missing, or out of bounds; KeyError and TypeError for other things."""
        wanted = cls(
            rps=float(document["rps"]),
            path=str(document.get("path", "/")),
            keep_alive_s=float(document.get("keep_alive_s", 0)),
            streams=int(document.get("streams", 0)),
            stream_s=float(document.get("stream_s", 1)),
        )
        if not 0 <= wanted.rps <= RPS_MAX:
            raise ValueError(f"rps {wanted.rps}: expected 0 to {RPS_MAX}")
        if not 0 <= wanted.streams <= STREAMS_MAX:
            raise ValueError(f"streams {wanted.streams}: expected 0 to {STREAMS_MAX}")
        return wanted


class Target:
    """Requests to one Service at a rate that does not depend on the answers."""

    def __init__(self, key: ServiceKey, endpoints: Endpoints, seed: str) -> None:
        self.stats = Stats()
        self.wanted = Wanted(rps=0.0)
        self._key = key
        self._endpoints = endpoints
        self._random = random.Random(f"{seed}:{key[0]}/{key[1]}")
        self._pools: dict[Address, Pool] = {}
        self._leaving: dict[Address, asyncio.TimerHandle] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._streams: list[asyncio.Task[None]] = []
        self._turn = 0
        self._ticker: asyncio.Task[None] | None = None

    def set(self, wanted: Wanted) -> None:
        """Changes the traffic from now on."""
        before, self.wanted = self.wanted, wanted
        if wanted.rps != before.rps:
            if self._ticker is not None:
                self._ticker.cancel()
            self._ticker = asyncio.create_task(self._tick()) if wanted.rps > 0 else None
        while len(self._streams) > wanted.streams:
            self._streams.pop().cancel()
        while len(self._streams) < wanted.streams:
            self._streams.append(asyncio.create_task(self._stream()))

    async def stop(self) -> None:
        tasks = [*self._under_way, *self._streams, *([self._ticker] if self._ticker else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for timer in self._leaving.values():
            timer.cancel()
        for pool in self._pools.values():
            pool.close()

    def on_endpoints(self) -> None:
        """Leaves the connections to endpoints that are no longer known: at once, or after a while."""
        known = set(self._endpoints.addresses(self._key))
        for address in [address for address in self._leaving if address in known]:
            self._leaving.pop(address).cancel()
        for address in [address for address in self._pools if address not in known]:
            if self.wanted.keep_alive_s <= 0:
                self._pools.pop(address).close()
            elif address not in self._leaving:
                after_s = self._random.uniform(0.5, 1.0) * self.wanted.keep_alive_s
                self._leaving[address] = asyncio.get_running_loop().call_later(after_s, self._leave, address)

    def _leave(self, address: Address) -> None:
        self._leaving.pop(address, None)
        self._pools.pop(address).close()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += self._random.uniform(0.5, 1.5) / self.wanted.rps
            await asyncio.sleep(due - loop.time())
            self._fire()

    def _fire(self) -> None:
        kept = tuple(address for address in self._leaving if self._pools[address].idle)
        addresses = self._endpoints.addresses(self._key) + kept
        if not addresses:
            self.stats.no_endpoints += 1
        elif len(self._under_way) >= CONCURRENCY_MAX:
            self.stats.dropped += 1
        else:
            task = asyncio.create_task(self._send(self._next(addresses)))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    def _next(self, addresses: tuple[Address, ...]) -> Address:
        self._turn += 1
        return addresses[self._turn % len(addresses)]

    async def _send(self, address: Address) -> None:
        pool = self._pools.get(address)
        known = self._endpoints.addresses(self._key)
        if known and address not in known and (pool is None or not pool.idle):
            # Nobody opens a new connection to a pod that the Service does not have.
            address = self._next(known)
            pool = self._pools.get(address)
        if pool is None:
            pool = self._pools[address] = Pool(loopback(address[0]), address[1])
        pod = self.stats.pod(address[0], self._endpoints.name_of(address[0]))
        loop = asyncio.get_running_loop()
        started = loop.time()
        pod.reached(time.time())
        outcome = await pool.get(self.wanted.path, REQUEST_TIMEOUT_S)
        self.stats.count(pod, outcome, loop.time() - started)

    async def _stream(self) -> None:
        """One connection after another, each of its own, to whatever the Service points at when it is opened."""
        while True:
            addresses = self._endpoints.addresses(self._key)
            if not addresses:
                await asyncio.sleep(_RETRY_S)
                continue
            ip, port = self._next(addresses)
            pod = self.stats.pod(ip, self._endpoints.name_of(ip))
            pod.reached(time.time())
            seconds = self._random.uniform(0.5, 1.0) * self.wanted.stream_s
            pool = Pool(loopback(ip), port)
            outcome = await pool.get(f"{STREAM_PATH}?seconds={seconds:.2f}", REQUEST_TIMEOUT_S)
            pool.close()
            self.stats.count_stream(pod, outcome)
            if outcome.failure is not None:
                await asyncio.sleep(_RETRY_S)
