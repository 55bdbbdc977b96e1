"""Which Services look like a metrics store, and which of them answers."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from dataclasses import dataclass

from rollguard.adapters.kubernetes import Api
from rollguard.adapters.kubernetes.connection.service_proxy import ServiceAddress
from rollguard.adapters.kubernetes.survey.landscape import ServiceFound
from rollguard.adapters.prometheus import MetricsInspector, StoreProblem
from rollguard.cli.store_door import opened_store
from rollguard.model.policy import MetricsStore, StoreAccess
from rollguard.ports import Clock

NAME = "app.kubernetes.io/name"
PORT_NAMES = ("http-web", "web", "http", "http-query", "http-metrics", "http-server")


@dataclass(frozen=True, slots=True)
class _Kind:
    pattern: re.Pattern[str]
    ports: tuple[int, ...]
    below: str = ""


KINDS = (
    _Kind(re.compile(r".*thanos-quer(y|ier)(-frontend)?$"), (9090, 10902, 80)),
    _Kind(re.compile(r".*mimir.*(query-frontend|gateway|nginx)$|^mimir$"), (8080, 80), "/prometheus"),
    _Kind(re.compile(r".*vmselect.*"), (8481,), "/select/0/prometheus"),
    _Kind(re.compile(r".*(vmsingle|victoria-metrics(-single)?(-server)?$).*"), (8428, 8429)),
    _Kind(re.compile(r".*prometheus.*"), (9090, 80)),
)
"""The first is asked first: what sees several stores goes before one of them."""
NO_STORE = re.compile(
    r"exporter|alertmanager|pushgateway|adapter|operator|kube-state-metrics|store-gateway|thanos-(sidecar|discovery)|grafana"
)


@dataclass(frozen=True, slots=True)
class StoreFound:
    """A store that answered. `by_proxy` says that it did so through the API server only."""

    address: str
    by_proxy: bool
    inspector: MetricsInspector


def candidates(services: tuple[ServiceFound, ...]) -> tuple[ServiceAddress, ...]:
    """The Services that look like a store, the likeliest first."""
    ranked: list[tuple[int, ServiceAddress]] = []
    for service in services:
        names = (service.name, dict(service.labels).get(NAME, ""))
        if not service.ports or NO_STORE.search(service.name):
            continue
        rank = next((n for n, kind in enumerate(KINDS) if any(kind.pattern.fullmatch(name) for name in names)), None)
        if rank is not None:
            ranked.append((rank, _address(service, KINDS[rank])))
    return tuple(address for _rank, address in sorted(ranked, key=lambda one: (one[0], one[1].namespace, one[1].name)))


def _address(service: ServiceFound, kind: _Kind) -> ServiceAddress:
    numbers = [number for _name, number in service.ports]
    named = [number for wanted in PORT_NAMES for name, number in service.ports if name == wanted]
    known = [number for number in kind.ports if number in numbers]
    return ServiceAddress(
        scheme="http",
        name=service.name,
        namespace=service.namespace,
        port=(known or named or numbers)[0],
        below=kind.below,
    )


def plain(address: str) -> MetricsStore:
    """A store of which only the address is known."""
    return MetricsStore(
        address=address,
        namespace_label="namespace",
        pod_label="pod",
        workload_label="deployment",
        match="",
        auth=StoreAccess(),
        scrape_interval=15.0,
    )


async def first_answering(
    api: Api, clock: Clock, addresses: tuple[str, ...], stack: AsyncExitStack, problems: list[str]
) -> StoreFound | None:
    """The first store that answers, open as long as the stack is; what the others say is added to `problems`."""
    for address in addresses:
        try:
            found = await stack.enter_async_context(opened_store(api, clock, plain(address)))
        except StoreProblem as problem:
            problems.append(problem.reason)
        else:
            return StoreFound(address, found.by_proxy, found.inspector)
    return None
