"""A policy's metrics store from where a command runs: at its address, else by the API server's proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from rollguard.adapters.kubernetes import Api
from rollguard.adapters.kubernetes.connection.service_proxy import ServiceProxy, service_of
from rollguard.adapters.prometheus import MetricsInspector, StoreProblem
from rollguard.adapters.prometheus.inspect import Door
from rollguard.adapters.reach import only_inside
from rollguard.model.policy import MetricsStore, StoreAccess
from rollguard.ports import Clock


@dataclass(frozen=True, slots=True)
class OpenedStore:
    """A store that answered."""

    inspector: MetricsInspector
    door: Door | None
    """The way to it through the API server; None where it answered at its address."""

    @property
    def by_proxy(self) -> bool:
        """Whether it answered through the API server."""
        return self.door is not None


@asynccontextmanager
async def opened_store(api: Api, clock: Clock, store: MetricsStore) -> AsyncIterator[OpenedStore]:
    """The store, which has answered once. Raises StoreProblem where it does not, on either way."""
    direct = MetricsInspector(store, clock)
    try:
        try:
            await direct.clock_offset()
        except StoreProblem as problem:
            door = _through_the_server(api, store)
            if door is None:
                raise
            proxied = MetricsInspector(store, clock, door=door)
            try:
                await proxied.clock_offset()
            except StoreProblem as second:
                raise StoreProblem(f"{problem.reason}; {second.reason}") from second
            yield OpenedStore(proxied, door)
        else:
            yield OpenedStore(direct, None)
    finally:
        await direct.close()


def _through_the_server(api: Api, store: MetricsStore) -> Door | None:
    """None for an address outside the cluster, or a store that wants secrets: the proxy takes none along."""
    service = service_of(store.address) if only_inside(store.address) else None
    if service is None or store.auth != StoreAccess():
        return None
    return ServiceProxy(api, service)
