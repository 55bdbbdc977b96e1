"""`python -m lab.exporter --kubeconfig K --port P`: object states on `/metrics`, databases on `/metrics/database`."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from lab.api import Api
from lab.exporter import pods, workloads
from lab.exporter.database import Databases
from lab.exposition import CONTENT_TYPE, Family, render
from lab.http_server import HttpServer, Request, Response, json_response
from lab.mirror import Mirror
from lab.service import Tasks, run, say_ready

_KINDS: tuple[tuple[str, Callable[[Iterable[Any]], Iterable[Family]]], ...] = (
    ("/api/v1/pods", pods.families),
    ("/apis/apps/v1/deployments", workloads.deployments),
    ("/apis/apps/v1/replicasets", workloads.replica_sets),
    ("/apis/batch/v1/jobs", workloads.jobs),
    ("/apis/autoscaling/v2/horizontalpodautoscalers", workloads.autoscalers),
)


class Exporter:
    def __init__(self, api: Api) -> None:
        self._kinds = [(Mirror(api, path), families) for path, families in _KINDS]
        self._databases = Databases()

    @property
    def mirrors(self) -> list[Mirror]:
        return [mirror for mirror, _ in self._kinds]

    def handle(self, request: Request) -> Response:
        if request.path == "/healthz":
            return Response(body=b"ok\n")
        if request.path == "/metrics":
            return Response(body=self.exposition(), content_type=CONTENT_TYPE)
        if request.path == "/metrics/database":
            return Response(body=render(self._databases.families()), content_type=CONTENT_TYPE)
        if request.path == "/lab/database" and request.method == "POST":
            try:
                return json_response(self._databases.set(request.json()))
            except (ValueError, TypeError) as error:
                return json_response({"error": str(error)}, 400)
        return Response(status=404, body=b"not found\n")

    def exposition(self) -> bytes:
        """The states of all objects, as one scrape."""
        return render([family for mirror, families in self._kinds for family in families(mirror.objects.values())])


async def _start(options: argparse.Namespace, tasks: Tasks) -> Callable[[], Awaitable[None]]:
    api = Api.from_file(options.kubeconfig, patient=True)
    exporter = Exporter(api)
    server = HttpServer(exporter.handle)
    port = await server.listen("127.0.0.1", options.port)
    for mirror in exporter.mirrors:
        tasks.start(mirror.run(), "mirror")
    for mirror in exporter.mirrors:
        await mirror.synced.wait()
    say_ready(port=port)

    async def close() -> None:
        server.abort()
        await api.close()

    return close


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.exporter", description="The lab's exporter.")
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    run(lambda tasks: _start(options, tasks))


if __name__ == "__main__":
    main()
