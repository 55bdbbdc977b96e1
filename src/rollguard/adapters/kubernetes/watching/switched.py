"""The copies that release sets need beside their Deployments: Services, what stands behind them, and autoscalers."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Protocol, TypeVar

from rollguard.adapters.kubernetes.objects import facts
from rollguard.adapters.kubernetes.objects.wire import EndpointSlice
from rollguard.adapters.kubernetes.watching import copied
from rollguard.adapters.kubernetes.watching.reflector import Change, Collection, Reflector
from rollguard.model.facts import Autoscaler, Service
from rollguard.model.names import UnitName
from rollguard.model.policy import ReleaseSet

T = TypeVar("T")


class Make(Protocol):
    """Makes a copy that is not running yet."""

    def __call__(self, collection: Collection[T], on_change: Callable[[Change[T]], None], /) -> Reflector[T]: ...


class SetCopies:
    """The copies of one namespace for the release sets that it has. `changed` is called with the unit of each set that
    something happened to."""

    def __init__(
        self, namespace: str, sets: tuple[ReleaseSet, ...], make: Make, changed: Callable[[UnitName], None]
    ) -> None:
        """Begins at once; needs a running event loop."""
        self.sets = sets
        self._changed = changed
        services = frozenset(member.service for each in sets for member in each.members if member.service)
        workloads = frozenset(workload.name for each in sets for workload in each.deployments())
        self._autoscalers = make(copied.autoscalers(namespace, workloads), self._autoscaler_changed)
        self._services: Reflector[Service] | None = None
        self._slices: Reflector[EndpointSlice] | None = None
        if services:
            self._services = make(copied.services(namespace, services), self._service_changed)
            self._slices = make(copied.slices(namespace, services), self._slice_changed)
        self.tasks = tuple(asyncio.create_task(each.run(), name=each.collection.name) for each in self.all())

    def all(self) -> tuple[Reflector[Service] | Reflector[EndpointSlice] | Reflector[Autoscaler], ...]:
        """All of them: without one of them a set is not judged."""
        behind = (self._services, self._slices, self._autoscalers)
        return tuple(each for each in behind if each is not None)

    def services_of(self, release_set: ReleaseSet) -> tuple[Service, ...]:
        """Those of its members' Services that exist, by name, with what stands behind them."""
        if self._services is None or self._slices is None:
            return ()
        slices, found = self._slices.items.values(), []
        for name in sorted({member.service for member in release_set.members}):
            service = self._services.items.get((release_set.namespace, name))
            if service is not None:
                endpoints = facts.endpoints(each for each in slices if each.service == name)
                found.append(dataclasses.replace(service, endpoints=endpoints))
        return tuple(found)

    def autoscalers_of(self, release_set: ReleaseSet) -> tuple[Autoscaler, ...]:
        """Those that scale one of its Deployments, by name."""
        own = (each for each in self._autoscalers.items.values() if release_set.member_of(each.workload.name))
        return tuple(sorted(own, key=lambda each: each.name))

    def _service_changed(self, change: Change[Service]) -> None:
        self._wake_for(change.key[1])

    def _slice_changed(self, change: Change[EndpointSlice]) -> None:
        for each in (change.old, change.new):
            if each is not None:
                self._wake_for(each.service)

    def _wake_for(self, service: str) -> None:
        for each in self.sets:
            if any(member.service == service for member in each.members):
                self._changed(each.unit)

    def _autoscaler_changed(self, change: Change[Autoscaler]) -> None:
        names = {each.workload.name for each in (change.old, change.new) if each is not None}
        for each in self.sets:
            if any(each.member_of(name) for name in names):
                self._changed(each.unit)
