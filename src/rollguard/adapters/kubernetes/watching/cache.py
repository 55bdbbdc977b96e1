"""Copies of the collections behind the facts: Deployments always, the rest only where units are guarded.

ReplicaSets, pods, events and configuration are watched by namespace: all of a namespace that has a guarded unit, not
the unit's alone.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.objects.facts import OwnedPod
from rollguard.adapters.kubernetes.objects.template import Templates
from rollguard.adapters.kubernetes.watching import copied
from rollguard.adapters.kubernetes.watching.configuration import Copies, copies
from rollguard.adapters.kubernetes.watching.migrations import Migrations
from rollguard.adapters.kubernetes.watching.namespace import Namespace, Watch
from rollguard.adapters.kubernetes.watching.owned import Owned
from rollguard.adapters.kubernetes.watching.reflector import Change, Collection, Reflector
from rollguard.adapters.kubernetes.watching.switched import SetCopies
from rollguard.model.facts import ClusterEvent, MigrationRun, Workload
from rollguard.model.names import UnitName
from rollguard.model.policy import ReleaseSet
from rollguard.model.time import Instant
from rollguard.ports import Clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is copied beside workloads, pods and events."""

    config: bool = True
    """ConfigMaps, as fingerprints."""
    secrets: bool = False
    """Secrets' metadata too: needs the right to list them."""


class Cache:
    """All copies, and what belongs to what in them. `changed` is called with (namespace, Deployment's name),
    `set_changed` with the unit of a release set whose Services, their endpoints or autoscalers changed."""

    def __init__(
        self,
        api: Api,
        clock: Clock,
        rng: random.Random,
        changed: Callable[[str, str], None],
        set_changed: Callable[[UnitName], None],
        *,
        stall: float,
        look: Look,
        on_failure: Callable[[str], None] = lambda _detail: None,
    ) -> None:
        self._api = api
        self._clock = clock
        self._rng = rng
        self._changed = changed
        self._set_changed = set_changed
        self._stall = stall
        self._look = look
        self._on_failure = on_failure
        self._templates = Templates()
        self._migrations = Migrations((), self._server_now)
        self._ended: list[asyncio.Task[None]] = []
        self._lists: dict[str, asyncio.Task[None]] = {}
        self._initial: frozenset[str] = frozenset()
        self._namespaces: dict[str, Namespace] = {}
        self._sets: dict[str, SetCopies] = {}
        self.deployments: dict[str, Reflector[Workload]] = {}
        self.owned = Owned(changed)

    def watch_deployments(self, namespaces: frozenset[str]) -> None:
        """Copies the Deployments of exactly these namespaces from now on; of all for the empty name."""
        if not self.deployments:
            self._initial = namespaces
        for namespace in self.deployments.keys() - namespaces:
            del self.deployments[namespace]
            self._ended.append(_cancelled(self._lists.pop(namespace)))
        for namespace in sorted(namespaces - self.deployments.keys()):
            collection = copied.deployments(namespace, self._templates)
            reflector = self._reflector(collection, self._deployment_changed)
            self.deployments[namespace] = reflector
            self._lists[namespace] = asyncio.create_task(reflector.run(), name=collection.name)

    def watch_namespaces(self, wanted: frozenset[str]) -> None:
        """Copies ReplicaSets, pods and events of exactly these namespaces from now on."""
        for namespace in wanted - self._namespaces.keys():
            self._namespaces[namespace] = self._begin(namespace)
        for namespace in self._namespaces.keys() - wanted:
            self._end(namespace)

    def watch_sets(self, sets: tuple[ReleaseSet, ...]) -> None:
        """Copies what these release sets need, and exactly in their namespaces, from now on.

        A namespace whose sets are others than before is copied afresh.
        """
        wanted: dict[str, tuple[ReleaseSet, ...]] = {}
        for each in sets:
            wanted[each.namespace] = (*wanted.get(each.namespace, ()), each)
        for namespace in [each for each, copies_ in self._sets.items() if wanted.get(each) != copies_.sets]:
            self._ended += [_cancelled(task) for task in self._sets.pop(namespace).tasks]
        for namespace in wanted.keys() - self._sets.keys():
            self._sets[namespace] = SetCopies(namespace, wanted[namespace], self._reflector, self._set_changed)

    def look_for(self, migrations: tuple[str, ...], *, secrets: bool) -> None:
        """Which names are migrations from now on, and whether Secrets are looked at.

        Fewer names than before need nothing new. Else the namespaces are copied afresh, and what ran before is
        remembered as far as it was known.
        """
        fewer = bool(migrations) and set(migrations) <= set(self._migrations.patterns)
        same = migrations == self._migrations.patterns
        self._migrations.look_for(migrations)
        if (same or fewer) and secrets == self._look.secrets:
            return
        self._look = dataclasses.replace(self._look, secrets=secrets)
        for namespace in tuple(self._namespaces):
            self._stop(namespace)
            self._migrations.listed_afresh(namespace)
            self._namespaces[namespace] = self._begin(namespace)

    def listed(self) -> bool:
        """Whether the first list of all Deployments is complete.

        A namespace that came later, or whose list is refused, is left out: one without rights must not hide all others.
        """
        first = [self.deployments[each] for each in self._initial & self.deployments.keys()]
        known = any(each.listed.is_set() for each in first) or not first
        return known and all(each.listed.is_set() or each.refused for each in first)

    def unlisted(self) -> tuple[str, ...]:
        """What keeps Deployments from being listed, one line for each collection that has failed so far."""
        return tuple(
            f"{each.collection.name}: {each.last_error}"
            for each in self.deployments.values()
            if not each.listed.is_set() and each.last_error
        )

    def namespace(self, name: str) -> Namespace | None:
        """The copies of a namespace; None where it is not watched."""
        return self._namespaces.get(name)

    def for_sets(self, namespace: str) -> SetCopies | None:
        """The copies for a namespace's release sets; None where it has none."""
        return self._sets.get(namespace)

    def behind(self, namespace: str) -> tuple[Watch, ...]:
        """The copies that the facts of a Deployment's unit in this namespace rest on."""
        deployments = self.deployments.get(namespace) or self.deployments.get("")
        found: tuple[Watch, ...] = (deployments,) if deployments is not None else ()
        local = self._namespaces.get(namespace)
        return (*found, *local.needed()) if local is not None else found

    def all(self) -> tuple[Watch, ...]:
        """Every copy that is kept."""
        local: tuple[Namespace | SetCopies, ...] = (*self._namespaces.values(), *self._sets.values())
        return (*self.deployments.values(), *(watch for each in local for watch in each.all()))

    def configuration(self, namespace: str) -> Copies | None:
        """The copies of a namespace's ConfigMaps and Secrets; None where they are not watched."""
        local = self._namespaces.get(namespace)
        return local.config if local is not None else None

    def workload(self, namespace: str, name: str) -> Workload | None:
        """A Deployment from the copy, without its revisions."""
        reflector = self.deployments.get(namespace) or self.deployments.get("")
        return reflector.items.get((namespace, name)) if reflector is not None else None

    def migrations(self, namespace: str) -> tuple[MigrationRun, ...]:
        """The migrations of a namespace, those included that were deleted while they were watched."""
        return self._migrations.of(namespace)

    def migrations_from(self, namespace: str) -> Instant | None:
        """Since when none can have been missed; None where nobody watches, or may not."""
        local = self._namespaces.get(namespace)
        if local is None or local.jobs is None or local.jobs.denied:
            return None
        if local.jobs.since is None or local.pods.since is None:
            return None
        return max(local.jobs.since, local.pods.since)

    def check(self) -> None:
        """Raises what ended a copy's task: a bug, or an object that no API server sends."""
        local: tuple[Namespace | SetCopies, ...] = (*self._namespaces.values(), *self._sets.values())
        tasks = [*self._lists.values(), *(task for each in local for task in each.tasks)]
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def close(self) -> None:
        """Ends all watches."""
        for name in tuple(self._namespaces):
            self._end(name)
        self.watch_sets(())
        self._ended += [_cancelled(task) for task in self._lists.values()]
        await asyncio.gather(*self._ended, return_exceptions=True)

    def _begin(self, namespace: str) -> Namespace:
        revisions = self._reflector(copied.replica_sets(namespace, self._templates), self.owned.revision_changed)
        pods = self._reflector(copied.pods(namespace, self._migrations), self._pod_changed)
        events = self._reflector(copied.events(namespace), self._event_changed)
        jobs = self._jobs(namespace) if self._migrations.patterns else None
        config = copies(namespace, self._reflector, secrets=self._look.secrets) if self._look.config else None
        others: tuple[Watch, ...] = (*(config.watches if config else ()), *((jobs,) if jobs is not None else ()))
        kept: tuple[Watch, ...] = (revisions, pods, events, *others)
        tasks = tuple(asyncio.create_task(each.run(), name=each.collection.name) for each in kept)
        return Namespace(revisions=revisions, pods=pods, events=events, config=config, jobs=jobs, tasks=tasks)

    def _jobs(self, namespace: str) -> Reflector[MigrationRun]:
        return self._reflector(
            copied.jobs(namespace, self._migrations),
            lambda change: self._migration_changed(namespace, change.old, change.new),
        )

    def _end(self, namespace: str) -> None:
        self._stop(namespace)
        self._migrations.forget(namespace)

    def _stop(self, namespace: str) -> None:
        gone = self._namespaces.pop(namespace)
        self._ended += [_cancelled(task) for task in gone.tasks]
        self.owned.forget(namespace, gone.revisions.items.values(), gone.pods.items.values())

    def _reflector(self, collection: Collection[T], on_change: Callable[[Change[T]], None]) -> Reflector[T]:
        return Reflector(
            self._api,
            collection,
            self._clock,
            self._rng,
            on_change,
            stall=self._stall,
            on_failure=self._on_failure,
        )

    def _server_now(self) -> Instant:
        return self._clock.now().plus(self._api.clock_offset() or 0.0)

    def _migration_changed(self, namespace: str, old: MigrationRun | None, new: MigrationRun | None) -> None:
        """A migration is a matter of all units of its namespace."""
        self._migrations.changed(namespace, old, new)
        deployments = self.deployments.get(namespace) or self.deployments.get("")
        for key in tuple(deployments.items) if deployments is not None else ():
            if key[0] == namespace:
                self._changed(*key)

    def _deployment_changed(self, change: Change[Workload]) -> None:
        self._changed(*change.key)

    def _pod_changed(self, change: Change[OwnedPod]) -> None:
        was = change.old.migration if change.old is not None else None
        is_ = change.new.migration if change.new is not None else None
        if was is not None or is_ is not None:
            self._migration_changed(change.key[0], was, is_)
            return
        self.owned.pod_changed(change)

    def _event_changed(self, change: Change[ClusterEvent]) -> None:
        local = self._namespaces.get(change.key[0])
        self.owned.event_changed(change, local.pods.items if local is not None else {})


def _cancelled(task: asyncio.Task[None]) -> asyncio.Task[None]:
    task.cancel()
    return task
