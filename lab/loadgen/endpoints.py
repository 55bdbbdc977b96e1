"""Ready addresses of Services as this client believes them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from lab.endpoints import Address, ServiceKey, Slices, pod_names

LAG_S = (0.1, 0.5)


class Endpoints:
    """Ready addresses of Services as this client believes them: each change arrives after a seeded lag, in order."""

    def __init__(self, seed: str, lag_s: tuple[float, float] = LAG_S) -> None:
        self._random = random.Random(f"{seed}:lag")
        self._lag_s = lag_s
        self._slices = Slices()
        self._known: dict[ServiceKey, tuple[int, tuple[Address, ...]]] = {}
        self._names: dict[str, str] = {}
        self._version = 0
        self._listeners: list[Callable[[ServiceKey], None]] = []

    def subscribe(self, listener: Callable[[ServiceKey], None]) -> None:
        self._listeners.append(listener)

    def addresses(self, key: ServiceKey) -> tuple[Address, ...]:
        return self._known.get(key, (0, ()))[1]

    def name_of(self, pod_ip: str) -> str:
        """The name of the pod that has, or had, this address; empty where no slice told it."""
        return self._names.get(pod_ip, "")

    def on_slice(self, kind: str, item: Any) -> None:
        """Listener of a Mirror of EndpointSlices."""
        key = self._slices.apply(kind, item)
        if key is None:
            return
        self._names.update(pod_names(item))
        self._version += 1
        lag = self._random.uniform(*self._lag_s)
        asyncio.get_running_loop().call_later(lag, self._learn, key, self._version, self._slices.addresses(key))

    def _learn(self, key: ServiceKey, version: int, addresses: tuple[Address, ...]) -> None:
        if version > self._known.get(key, (0, ()))[0]:
            self._known[key] = (version, addresses)
            for listener in self._listeners:
                listener(key)
