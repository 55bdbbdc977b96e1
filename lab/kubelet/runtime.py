"""What the pods of one node share: settings, chaos, images, the way to other services."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.http_client import Pool
from lab.kubelet.addresses import Addresses, loopback
from lab.kubelet.chaos import Chaos
from lab.kubelet.events import Events

_CALLEE_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`startup_s`: from a container's start until its app listens. `backoff`: scale of the kubelet's 10 s, 20 s, ...
    `linger_s`: how long an app without a preStop sleep goes on serving after it was told to end."""

    node: str
    seed: str
    startup_s: tuple[float, float] = (0.5, 2.0)
    backoff: float = 1.0
    linger_s: float = 0.8


@dataclass(slots=True, kw_only=True)
class Runtime:
    settings: Settings
    clock: Callable[[], float]
    chaos: Chaos
    events: Events
    addresses: Addresses
    services: Services
    images: dict[str, str] = field(default_factory=dict)
    """Digests by image, of what this node has pulled."""

    def random(self, *names: object) -> random.Random:
        """A generator of its own for each purpose, from the node's seed."""
        return random.Random(":".join([self.settings.seed, *map(str, names)]))


class Services:
    """Ready addresses by Service, from its EndpointSlices, and pools of connections to them."""

    def __init__(self, seed: str) -> None:
        self._slices: dict[tuple[str, str], dict[str, tuple[tuple[str, int], ...]]] = {}
        self._pools: dict[tuple[str, int], Pool] = {}
        self._random = random.Random(f"{seed}:services")

    def on_slice(self, kind: str, item: Any) -> None:
        """Listener of a Mirror of EndpointSlices."""
        service = item["metadata"].get("labels", {}).get("kubernetes.io/service-name")
        if service is None:
            return
        slices = self._slices.setdefault((item["metadata"]["namespace"], service), {})
        slices.pop(item["metadata"]["name"], None)
        if kind != "DELETED":
            slices[item["metadata"]["name"]] = ready_addresses(item)

    def addresses(self, namespace: str, service: str) -> tuple[tuple[str, int], ...]:
        slices = self._slices.get((namespace, service), {})
        return tuple(address for addresses in slices.values() for address in addresses)

    async def call(self, namespace: str, service: str, path: str) -> bool:
        """One GET to one of the Service's ready pods; true when it answered without a 5xx."""
        candidates = self.addresses(namespace, service)
        if not candidates:
            return False
        ip, port = self._random.choice(candidates)
        pool = self._pools.setdefault((ip, port), Pool(loopback(ip), port))
        outcome = await pool.get(path, _CALLEE_TIMEOUT_S)
        return outcome.failure is None and outcome.status < 500


def ready_addresses(endpoint_slice: Any) -> tuple[tuple[str, int], ...]:
    """(pod IP, port) of the ready endpoints of one slice."""
    ports = [port["port"] for port in endpoint_slice.get("ports") or () if port.get("port")]
    return tuple(
        (address, ports[0])
        for endpoint in endpoint_slice.get("endpoints") or ()
        if ports and endpoint.get("conditions", {}).get("ready", True)
        for address in endpoint["addresses"]
    )


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
