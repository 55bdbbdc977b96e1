"""What the pods of one node share: settings, chaos, images, the way to other services."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.endpoints import Address, ServiceKey, Slices
from lab.http_client import Outcome, Pool
from lab.kubelet.addresses import Addresses, loopback
from lab.kubelet.chaos import Chaos
from lab.kubelet.events import Events
from lab.kubelet.program import Programs

_CALLEE_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`startup_s`: from a container's start until its app listens. `backoff`: scale of the kubelet's 10 s, 20 s, ...
    `linger_s`: how long an app without a preStop sleep goes on serving after it was told to end; longer than
    endpoints take to reach the load generator on a busy machine."""

    node: str
    seed: str
    startup_s: tuple[float, float] = (0.5, 2.0)
    backoff: float = 1.0
    linger_s: float = 1.5


@dataclass(slots=True, kw_only=True)
class Runtime:
    settings: Settings
    clock: Callable[[], float]
    chaos: Chaos
    events: Events
    addresses: Addresses
    services: Services
    programs: Programs | None = None
    """Runs pods of the product itself; a node without it has no such image."""
    images: dict[str, str] = field(default_factory=dict)
    """Digests by image, of what this node has pulled."""

    pods_seen: Counter[str] = field(default_factory=Counter)

    def pod_seed(self, namespace: str) -> str:
        """A seed for the next pod of a namespace: its place in their order on this node, for names are random."""
        self.pods_seen[namespace] += 1
        return f"{self.settings.seed}:{namespace}:{self.pods_seen[namespace]}"


class Services:
    """Calls from one app to another Service, over pools of connections to its ready pods."""

    def __init__(self, seed: str) -> None:
        self._slices = Slices()
        self._pools: dict[ServiceKey, dict[Address, Pool]] = {}
        self._random = random.Random(f"{seed}:services")

    def on_slice(self, kind: str, item: Any) -> None:
        """Listener of a Mirror of EndpointSlices; connections to pods that left are closed."""
        key = self._slices.apply(kind, item)
        pools = self._pools.get(key, {}) if key is not None else {}
        for address in set(pools).difference(self._slices.addresses(key) if key is not None else ()):
            pools.pop(address).close()

    async def call(self, namespace: str, service: str, path: str) -> bool:
        """One GET to one of the Service's ready pods; true when it answered without a 5xx."""
        outcome = await self.get(namespace, service, path)
        return outcome.failure is None and outcome.status < 500

    async def get(self, namespace: str, service: str, path: str) -> Outcome:
        """What became of one GET to one of the Service's ready pods; `refused` where it has none."""
        key = (namespace, service)
        candidates = self._slices.addresses(key)
        if not candidates:
            return Outcome(failure="refused")
        address = self._random.choice(candidates)
        pool = self._pools.setdefault(key, {}).setdefault(address, Pool(loopback(address[0]), address[1]))
        return await pool.get(path, _CALLEE_TIMEOUT_S)


def digest(image: str, retag: str = "") -> str:
    """A stable made-up digest; `retag` stands for a push of other content under the same tag."""
    return "sha256:" + hashlib.sha256(f"{image}{retag}".encode()).hexdigest()


def image_id(image: str, content: str) -> str:
    name = image.partition("@")[0]
    tag = name.rpartition("/")[2]
    bare = name[: -len(tag.partition(":")[2]) - 1] if ":" in tag else name
    return f"{bare}@{content}"


def environment(spec: Mapping[str, Any]) -> dict[str, str]:
    """The plain environment variables of a container."""
    return {entry["name"]: entry.get("value", "") for entry in spec.get("env") or ()}
