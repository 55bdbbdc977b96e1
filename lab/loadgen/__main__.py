"""`python -m lab.loadgen --kubeconfig K --port P --seed S`: open-loop traffic to Services.

`PUT /targets/NAMESPACE/SERVICE {"rps": 20}` starts or changes a target, `DELETE` ends it, `GET /stats` says what
came back. It follows the Services' EndpointSlices with a seeded lag, as kube-proxy does, and keeps connections
alive, so that an app that does not drain shows as failed requests. More of a target: `path`, and `keep_alive_s`,
`streams` and `stream_s` as in lab.loadgen.target.Wanted.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable

from lab.api import Api
from lab.http_server import HttpServer
from lab.loadgen.endpoints import Endpoints
from lab.loadgen.generator import LoadGenerator
from lab.mirror import Mirror
from lab.service import Tasks, run, say_ready


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
