"""Real parts of the lab, without an API server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from lab.api import Api, Kubeconfig
from lab.http_client import Pool
from lab.http_server import HttpServer
from lab.kubelet.addresses import Addresses, loopback
from lab.kubelet.app import App, Callee
from lab.kubelet.behaviour import parse_tag
from lab.kubelet.chaos import Chaos, Effect
from lab.kubelet.container import Container
from lab.kubelet.events import Events
from lab.kubelet.runtime import Runtime, Services, Settings


class Clock:
    """Wall time that a test moves."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Served:
    app: App
    server: HttpServer
    pool: Pool
    pod_ip: str
    port: int
    lines: list[str]


@asynccontextmanager
async def served(
    tag: str,
    *,
    clock: Callable[[], float] = time.time,
    effect: Callable[[], Effect] = Effect,
    callee: Callee | None = None,
    seed: str = "1",
) -> AsyncIterator[Served]:
    """An app that listens on an address of its own."""
    addresses = Addresses(3, start=int(time.time() * 1000))
    pod_ip = addresses.take()
    lines: list[str] = []
    app = App(parse_tag(tag), seed=seed, clock=clock, effect=effect, log=lines.append, callee=callee)
    app.ready = True
    server = HttpServer(app.handle)
    port = await server.listen(loopback(pod_ip), 8080)
    pool = Pool(loopback(pod_ip), port)
    try:
        yield Served(app, server, pool, pod_ip, port, lines)
    finally:
        pool.close()
        server.abort()
        addresses.release(pod_ip)


def runtime(*, backoff: float = 0.005, chaos: Chaos | None = None) -> Runtime:
    """A node's runtime whose events stay in their queue: nothing sends them."""
    api = Api(Kubeconfig(server="https://127.0.0.1:1", ca_data=""))
    return Runtime(
        settings=Settings(node="node-d", seed="1", startup_s=(0.0, 0.01), backoff=backoff, linger_s=0.05),
        clock=time.time,
        chaos=chaos or Chaos(),
        events=Events(api, "kubelet", "node-d", time.time),
        addresses=Addresses(3, start=int(time.time() * 1000)),
        services=Services("1"),
    )


def container(on: Runtime, image: str, *, policy: str = "Always", **spec: Any) -> tuple[Container, list[Any]]:
    """A container and the list of statuses that it shows from now on."""
    pod = {"metadata": {"name": "p", "namespace": "shop", "uid": "u1", "labels": {"app": "backend"}}}
    made = Container(
        on,
        pod,
        {"name": "app", "image": image, **spec},
        field_path="spec.containers",
        restart_policy=policy,
        job=policy != "Always",
        seed="1",
    )
    shown: list[Any] = []
    made.changed = lambda: shown.append(made.status())
    return made, shown


async def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Returns once the condition holds; fails the test after the timeout."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - polling with a deadline is the point
            await asyncio.sleep(0.01)
