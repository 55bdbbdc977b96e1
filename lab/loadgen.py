"""`python -m lab.loadgen --kubeconfig K --port P --seed S`: open-loop traffic to Services.

`PUT /targets/NAMESPACE/SERVICE {"rps": 20}` starts or changes a target, `DELETE` ends it, `GET /stats` says what
came back. It follows the Services' EndpointSlices with a seeded lag, as kube-proxy does, and keeps connections
alive, so that an app that does not drain shows as failed requests.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.api import Api
from lab.endpoints import Address, ServiceKey, Slices
from lab.exposition import CONTENT_TYPE, Family, render
from lab.http_client import Outcome, Pool
from lab.http_server import HttpServer, Request, Response, json_response
from lab.kubelet.addresses import loopback
from lab.mirror import Mirror
from lab.service import Tasks, run, say_ready

LAG_S = (0.1, 0.5)
REQUEST_TIMEOUT_S = 30.0
CONCURRENCY_MAX = 400
_LATENCIES_KEPT = 5000


@dataclass(slots=True)
class PodCounts:
    requests: int = 0
    errors: int = 0
    failures: int = 0


@dataclass(slots=True)
class Stats:
    """What the requests of one target came to. `dropped` were never sent: too many were under way."""

    requests: int = 0
    errors: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    dropped: int = 0
    no_endpoints: int = 0
    pods: dict[str, PodCounts] = field(default_factory=dict)
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES_KEPT))

    def count(self, pod_ip: str, outcome: Outcome, seconds: float) -> None:
        pod = self.pods.setdefault(pod_ip, PodCounts())
        self.requests += 1
        pod.requests += 1
        if outcome.failure is not None:
            self.failures[outcome.failure] += 1
            pod.failures += 1
            return
        self.statuses[outcome.status] += 1
        self.latencies.append(seconds)
        if outcome.status >= 500:
            self.errors += 1
            pod.errors += 1

    def document(self) -> dict[str, Any]:
        """As `GET /stats` gives it; latencies in seconds, of the last 5000 answers."""
        ordered = sorted(self.latencies)
        return {
            "requests": self.requests,
            "errors_5xx": self.errors,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "connection_failures": self.failures["refused"],
            "resets": self.failures["reset"],
            "timeouts": self.failures["timeout"],
            "dropped": self.dropped,
            "no_endpoints": self.no_endpoints,
            "pods": {
                ip: {"requests": pod.requests, "errors": pod.errors, "failures": pod.failures}
                for ip, pod in sorted(self.pods.items())
            },
            "latency_s": {f"p{q}": _quantile(ordered, q / 100) for q in (50, 95, 99)} | {"count": len(ordered)},
        }


def _quantile(ordered: list[float], q: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(q * len(ordered)))], 6) if ordered else None


class Endpoints:
    """Ready addresses of Services as this client believes them: each change arrives after a seeded lag, in order."""

    def __init__(self, seed: str, lag_s: tuple[float, float] = LAG_S) -> None:
        self._random = random.Random(f"{seed}:lag")
        self._lag_s = lag_s
        self._slices = Slices()
        self._known: dict[ServiceKey, tuple[int, tuple[Address, ...]]] = {}
        self._version = 0
        self._listeners: list[Callable[[ServiceKey], None]] = []

    def subscribe(self, listener: Callable[[ServiceKey], None]) -> None:
        self._listeners.append(listener)

    def addresses(self, key: ServiceKey) -> tuple[Address, ...]:
        return self._known.get(key, (0, ()))[1]

    def on_slice(self, kind: str, item: Any) -> None:
        """Listener of a Mirror of EndpointSlices."""
        key = self._slices.apply(kind, item)
        if key is None:
            return
        self._version += 1
        lag = self._random.uniform(*self._lag_s)
        asyncio.get_running_loop().call_later(lag, self._learn, key, self._version, self._slices.addresses(key))

    def _learn(self, key: ServiceKey, version: int, addresses: tuple[Address, ...]) -> None:
        if version > self._known.get(key, (0, ()))[0]:
            self._known[key] = (version, addresses)
            for listener in self._listeners:
                listener(key)


class Target:
    """Requests to one Service at a rate that does not depend on the answers."""

    def __init__(self, key: ServiceKey, endpoints: Endpoints, seed: str) -> None:
        self.stats = Stats()
        self.rps = 0.0
        self.path = "/"
        self._key = key
        self._endpoints = endpoints
        self._random = random.Random(f"{seed}:{key[0]}/{key[1]}")
        self._pools: dict[Address, Pool] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._turn = 0
        self._ticker: asyncio.Task[None] | None = None

    def set(self, rps: float, path: str) -> None:
        """Changes the rate from now on."""
        self.path = path
        if rps == self.rps:
            return
        self.rps = rps
        if self._ticker is not None:
            self._ticker.cancel()
        self._ticker = asyncio.create_task(self._tick()) if rps > 0 else None

    async def stop(self) -> None:
        tasks = [*self._under_way, *([self._ticker] if self._ticker else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for pool in self._pools.values():
            pool.close()

    def forget_removed(self) -> None:
        """Closes the connections to endpoints that are no longer known."""
        known = set(self._endpoints.addresses(self._key))
        for address in [address for address in self._pools if address not in known]:
            self._pools.pop(address).close()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += self._random.uniform(0.5, 1.5) / self.rps
            await asyncio.sleep(due - loop.time())
            self._fire()

    def _fire(self) -> None:
        addresses = self._endpoints.addresses(self._key)
        if not addresses:
            self.stats.no_endpoints += 1
        elif len(self._under_way) >= CONCURRENCY_MAX:
            self.stats.dropped += 1
        else:
            self._turn += 1
            task = asyncio.create_task(self._send(addresses[self._turn % len(addresses)]))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _send(self, address: Address) -> None:
        ip, port = address
        pool = self._pools.setdefault(address, Pool(loopback(ip), port))
        loop = asyncio.get_running_loop()
        started = loop.time()
        outcome = await pool.get(self.path, REQUEST_TIMEOUT_S)
        self.stats.count(ip, outcome, loop.time() - started)


class LoadGenerator:
    """All targets, and the HTTP interface to them."""

    def __init__(self, endpoints: Endpoints, seed: str) -> None:
        self._endpoints = endpoints
        self._seed = seed
        self._targets: dict[ServiceKey, Target] = {}
        endpoints.subscribe(self._on_endpoints)

    def _on_endpoints(self, key: ServiceKey) -> None:
        if key in self._targets:
            self._targets[key].forget_removed()

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        parts = request.path.strip("/").split("/")
        if parts == ["healthz"]:
            return Response(body=b"ok\n")
        if parts == ["stats"]:
            return json_response(self.document(request.query))
        if parts == ["metrics"]:
            return Response(body=self._exposition(), content_type=CONTENT_TYPE)
        if len(parts) == 3 and parts[0] == "targets":
            key = (parts[1], parts[2])
            if request.method == "DELETE":
                return self._delete(key)
            if request.method == "PUT":
                return self._put(key, request)
        return json_response({"error": "GET /stats, PUT or DELETE /targets/NAMESPACE/SERVICE"}, 404)

    def document(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Stats by `namespace/service`, with the query's `namespace` and `service` only, if given."""
        return {
            f"{namespace}/{service}": {"rps": target.rps, **target.stats.document()}
            for (namespace, service), target in sorted(self._targets.items())
            if query.get("namespace", namespace) == namespace and query.get("service", service) == service
        }

    async def close(self) -> None:
        await asyncio.gather(*(target.stop() for target in self._targets.values()))

    def _put(self, key: ServiceKey, request: Request) -> Response:
        try:
            document = request.json()
            rps = float(document["rps"])
        except (ValueError, KeyError, TypeError):
            return json_response({"error": 'expected {"rps": NUMBER, "path": TEXT (optional)}'}, 400)
        if not 0 <= rps <= 5000:
            return json_response({"error": f"rps {rps}: expected 0 to 5000"}, 400)
        if key not in self._targets:
            self._targets[key] = Target(key, self._endpoints, self._seed)
        self._targets[key].set(rps, document.get("path", "/"))
        return json_response({"rps": rps})

    async def _delete(self, key: ServiceKey) -> Response:
        target = self._targets.pop(key, None)
        if target is None:
            return json_response({"error": f"no target {'/'.join(key)}"}, 404)
        await target.stop()
        return json_response(target.stats.document())

    def _exposition(self) -> bytes:
        requests = Family("lab_client_requests_total", "counter", "Requests by outcome, as clients saw them.")
        latency = Family("lab_client_latency_p95_seconds", "gauge", "95th percentile of the last answers' latency.")
        for (namespace, service), target in sorted(self._targets.items()):
            stats, labels = target.stats, {"namespace": namespace, "service": service}
            outcomes = {str(status): count for status, count in stats.statuses.items()} | dict(stats.failures)
            for outcome, count in sorted(outcomes.items()):
                requests.add(count, **labels, outcome=outcome)
            p95 = _quantile(sorted(stats.latencies), 0.95)
            if p95 is not None:
                latency.add(p95, **labels)
        return render((requests, latency))


async def _start(options: argparse.Namespace, tasks: Tasks) -> Callable[[], Awaitable[None]]:
    api = Api.from_file(options.kubeconfig, patient=True)
    endpoints = Endpoints(options.seed)
    generator = LoadGenerator(endpoints, options.seed)
    slices = Mirror(api, "/apis/discovery.k8s.io/v1/endpointslices")
    slices.subscribe(endpoints.on_slice)
    server = HttpServer(generator.handle)
    port = await server.listen("127.0.0.1", options.port)
    tasks.start(slices.run(), "endpoint slices")
    await slices.synced.wait()
    say_ready(port=port)

    async def close() -> None:
        server.abort()
        await generator.close()
        await api.close()

    return close


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.loadgen", description="The lab's load generator.")
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    run(lambda tasks: _start(options, tasks))


if __name__ == "__main__":
    main()
