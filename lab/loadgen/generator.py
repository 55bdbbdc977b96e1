"""All targets, and the HTTP interface to them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

from lab.endpoints import ServiceKey
from lab.exposition import CONTENT_TYPE, Family, render
from lab.http_server import Request, Response, json_response
from lab.loadgen.endpoints import Endpoints
from lab.loadgen.stats import quantile
from lab.loadgen.target import Target, Wanted


class LoadGenerator:
    """All targets, and the HTTP interface to them."""

    def __init__(self, endpoints: Endpoints, seed: str) -> None:
        self._endpoints = endpoints
        self._seed = seed
        self._targets: dict[ServiceKey, Target] = {}
        endpoints.subscribe(self._on_endpoints)

    def _on_endpoints(self, key: ServiceKey) -> None:
        if key in self._targets:
            self._targets[key].on_endpoints()

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
            f"{namespace}/{service}": {"rps": target.wanted.rps, **target.stats.document()}
            for (namespace, service), target in sorted(self._targets.items())
            if query.get("namespace", namespace) == namespace and query.get("service", service) == service
        }

    async def close(self) -> None:
        await asyncio.gather(*(target.stop() for target in self._targets.values()))

    def _put(self, key: ServiceKey, request: Request) -> Response:
        try:
            wanted = Wanted.of(request.json())
        except (ValueError, KeyError, TypeError) as error:
            return json_response({"error": f'expected {{"rps": NUMBER, "path": TEXT (optional), ...}}: {error}'}, 400)
        if key not in self._targets:
            self._targets[key] = Target(key, self._endpoints, self._seed)
        self._targets[key].set(wanted)
        return json_response({"rps": wanted.rps})

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
            p95 = quantile(sorted(stats.latencies), 0.95)
            if p95 is not None:
                latency.add(p95, **labels)
        return render((requests, latency))
