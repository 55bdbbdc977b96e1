"""A policy's metrics store from where a command runs: at its address, else by the API server's proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from rollguard.adapters.kubernetes import Api
from rollguard.adapters.kubernetes.connection.service_proxy import ServiceProxy, service_of
from rollguard.adapters.prometheus import MetricsInspector, StoreProblem
from rollguard.adapters.reach import only_inside
from rollguard.model.policy import MetricsStore, StoreAccess
from rollguard.ports import Clock


@dataclass(frozen=True, slots=True)
class OpenedStore:
    """A store that answered. `by_proxy` says that it did so through the API server."""

    inspector: MetricsInspector
    by_proxy: bool


@asynccontextmanager
async def opened_store(api: Api, clock: Clock, store: MetricsStore) -> AsyncIterator[OpenedStore]:
    """The store, which has answered once. Raises StoreProblem where it does not, on either way."""
    direct = MetricsInspector(store, clock)
    try:
        try:
            await direct.clock_offset()
        except StoreProblem as problem:
            proxied = _proxied(api, clock, store)
            if proxied is None:
                raise
            try:
                await proxied.clock_offset()
            except StoreProblem as second:
                raise StoreProblem(f"{problem.reason}; {second.reason}") from second
            yield OpenedStore(proxied, by_proxy=True)
        else:
            yield OpenedStore(direct, by_proxy=False)
    finally:
        await direct.close()


def _proxied(api: Api, clock: Clock, store: MetricsStore) -> MetricsInspector | None:
    """None for an address outside the cluster, or a store that wants secrets: the proxy takes none along."""
    service = service_of(store.address) if only_inside(store.address) else None
    if service is None or store.auth != StoreAccess():
        return None
    return MetricsInspector(store, clock, door=ServiceProxy(api, service))
