"""`python -m lab.kubelet --kubeconfig K --node node-a --seed 1 [--schedule]`: one node of the lab."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Awaitable, Callable

from lab import autoscaling
from lab.api import Api
from lab.http_server import HttpServer
from lab.kubelet.addresses import Addresses
from lab.kubelet.chaos import Chaos
from lab.kubelet.events import Events
from lab.kubelet.node import Node
from lab.kubelet.pods import Pods
from lab.kubelet.program import Programs
from lab.kubelet.runtime import Runtime, Services, Settings
from lab.kubelet.scheduler import Scheduler
from lab.kubelet.server import Server, self_signed
from lab.mirror import Mirror
from lab.service import Tasks, run, say_ready

_SLICES = "/apis/discovery.k8s.io/v1/endpointslices"


def _range(text: str) -> tuple[float, float]:
    low, separator, high = text.partition("..")
    try:
        bounds = (float(low), float(high if separator else low))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected LOW..HIGH in seconds, for example 0.5..2") from None
    if not 0 <= bounds[0] <= bounds[1]:
        raise argparse.ArgumentTypeError(f"{text!r}: expected 0 <= LOW <= HIGH")
    return bounds


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.kubelet", description="One node of the lab.")
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--node", required=True, help="node-a is the first, node-b the second, up to node-d")
    parser.add_argument("--port", type=int, default=0, help="HTTP: scrapes, chaos, /healthz; 0 takes a free one")
    parser.add_argument("--logs-port", type=int, default=0, help="HTTPS: logs; 0 takes a free one")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--startup", type=_range, default=(0.5, 2.0), metavar="LOW..HIGH", help="seconds")
    parser.add_argument("--backoff", type=float, default=1.0, help="scale of the back-off of 10 s, 20 s, 40 s")
    parser.add_argument("--linger", type=float, default=1.5, help="seconds an app serves on after SIGTERM")
    parser.add_argument("--schedule", action="store_true", help="also bind pending pods to nodes")
    parser.add_argument("--cpu", default="64")
    parser.add_argument("--memory", default="256Gi")
    parser.add_argument("--pod-metrics", type=float, default=2.0, help="seconds between pod metrics; 0 for none")
    return parser.parse_args(argv)


async def _start(options: argparse.Namespace, tasks: Tasks) -> Callable[[], Awaitable[None]]:
    api = Api.from_file(options.kubeconfig, patient=True)
    name: str = options.node
    events = Events(api, "kubelet", name, time.time)
    services = Services(f"{options.seed}:{name}")
    runtime = Runtime(
        settings=Settings(
            node=name,
            seed=f"{options.seed}:{name}",
            startup_s=options.startup,
            backoff=options.backoff,
            linger_s=options.linger,
        ),
        clock=time.time,
        chaos=Chaos(),
        events=events,
        addresses=Addresses((ord(name[-1]) - ord("a")) % 4, start=os.getpid()),
        services=services,
        programs=Programs(api, options.kubeconfig),
    )
    pods = Pods(api, runtime)
    server = Server(pods, runtime.chaos, name, time.time)
    plain, secure = HttpServer(server.plain), HttpServer(server.secure)
    port = await plain.listen("127.0.0.1", options.port)
    logs_port = await secure.listen("127.0.0.1", options.logs_port, tls=self_signed())
    node = Node(api, name, time.time, cpu=options.cpu, memory=options.memory, logs_port=logs_port)
    await node.register()
    own = Mirror(api, "/api/v1/pods", fieldSelector=f"spec.nodeName={name}")
    own.subscribe(pods.on_pod)
    slices = Mirror(api, _SLICES)
    slices.subscribe(services.on_slice)
    work = {"lease": node.renew(), "events": events.run(), "pods": own.run(), "slices": slices.run()}
    for title, coroutine in work.items():
        tasks.start(coroutine, title)
    tasks.start(pods.check(), "check")
    if options.schedule:
        _start_scheduler(api, tasks)
    if options.pod_metrics > 0:
        await autoscaling.install(api)
        tasks.start(autoscaling.publish(api, pods, options.pod_metrics, time.time), "pod metrics")
    await own.synced.wait()
    say_ready(node=name, port=port, logs_port=logs_port)

    async def close() -> None:
        await pods.close()
        plain.abort()
        secure.abort()
        await api.close()

    return close


def _start_scheduler(api: Api, tasks: Tasks) -> None:
    events = Events(api, "default-scheduler", "", time.time)
    pods, nodes = Mirror(api, "/api/v1/pods"), Mirror(api, "/api/v1/nodes")
    scheduler = Scheduler(api, events, pods, nodes, time.time)
    tasks.start(events.run(), "scheduler events")
    tasks.start(pods.run(), "all pods")
    tasks.start(nodes.run(), "nodes")
    tasks.start(scheduler.run(), "scheduler")


def main() -> None:
    options = arguments()
    run(lambda tasks: _start(options, tasks))


if __name__ == "__main__":
    main()
