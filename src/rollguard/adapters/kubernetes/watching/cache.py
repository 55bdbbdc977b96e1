"""Copies of the collections behind the facts: Deployments always, the rest only where units are guarded.

ReplicaSets, pods, events and configuration are watched by namespace: all of a namespace that has a guarded unit, not
the unit's alone.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.objects import facts, wire
from rollguard.adapters.kubernetes.objects.facts import OwnedPod, OwnedRevision
from rollguard.adapters.kubernetes.objects.template import Templates
from rollguard.adapters.kubernetes.watching.configuration import ConfigObject, Copies, copies
from rollguard.adapters.kubernetes.watching.migrations import Migrations
from rollguard.adapters.kubernetes.watching.reflector import Change, Collection, Key, Reflector
from rollguard.model.facts import ClusterEvent, MigrationRun, Workload
from rollguard.model.time import Instant
from rollguard.ports import Clock

T = TypeVar("T")

REMEMBERED = 20_000
"""ReplicaSets that are gone but whose pods may still be there."""


Watch = (
    Reflector[Workload]
    | Reflector[OwnedRevision]
    | Reflector[OwnedPod]
    | Reflector[ClusterEvent]
    | Reflector[MigrationRun]
    | Reflector[ConfigObject]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is copied beside workloads, pods and events."""

    config: bool = True
    """ConfigMaps, as fingerprints."""
    secrets: bool = False
    """Secrets' metadata too: needs the right to list them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """The copies that belong to one namespace, and the tasks that keep them."""

    revisions: Reflector[OwnedRevision]
    pods: Reflector[OwnedPod]
    events: Reflector[ClusterEvent]
    config: Copies | None
    """None where nobody asks what the configuration is."""
    jobs: Reflector[MigrationRun] | None
    """None where the policy names no migrations."""
    tasks: tuple[asyncio.Task[None], ...]

    def all(self) -> tuple[Watch, ...]:
        """Every copy of the namespace."""
        return (self.revisions, self.pods, self.events, *self._optional())

    def needed(self) -> tuple[Watch, ...]:
        """Those without which nothing is judged.

        What may be left out is passed over while there is no right to it: the interlocks that look at it say or hold
        that it is not known. Any other failure of it counts: it may be over in a moment, and then more is known.
        """
        return (self.revisions, self.pods, self.events, *(each for each in self._optional() if not each.denied))

    def _optional(self) -> tuple[Watch, ...]:
        config = self.config.watches if self.config is not None else ()
        jobs = (self.jobs,) if self.jobs is not None else ()
        return (*config, *jobs)


class Cache:
    """All copies, with the indexes by owner. `changed` is called with (namespace, Deployment's name)."""

    def __init__(
        self,
        api: Api,
        clock: Clock,
        rng: random.Random,
        changed: Callable[[str, str], None],
        *,
        stall: float,
        look: Look,
        on_failure: Callable[[str], None] = lambda _detail: None,
    ) -> None:
        self._api = api
        self._clock = clock
        self._rng = rng
        self._changed = changed
        self._stall = stall
        self._look = look
        self._on_failure = on_failure
        self._templates = Templates()
        self._migrations = Migrations((), self._server_now)
        self._ended: list[asyncio.Task[None]] = []
        self._lists: dict[str, asyncio.Task[None]] = {}
        self._initial: frozenset[str] = frozenset()
        self._namespaces: dict[str, Namespace] = {}
        self.deployments: dict[str, Reflector[Workload]] = {}
        self.revisions_of: defaultdict[str, dict[str, OwnedRevision]] = defaultdict(dict)
        self.pods_of: defaultdict[str, dict[Key, OwnedPod]] = defaultdict(dict)
        self.events_of: defaultdict[Key, dict[Key, ClusterEvent]] = defaultdict(dict)
        self._owner_of_set: dict[str, tuple[str, str, str]] = {}
        self._gone_sets: OrderedDict[str, None] = OrderedDict()
        self._sets: defaultdict[str, set[str]] = defaultdict(set)

    def watch_deployments(self, namespaces: frozenset[str]) -> None:
        """Copies the Deployments of exactly these namespaces from now on; of all for the empty name."""
        if not self.deployments:
            self._initial = namespaces
        for namespace in self.deployments.keys() - namespaces:
            del self.deployments[namespace]
            self._ended.append(_cancelled(self._lists.pop(namespace)))
        for namespace in sorted(namespaces - self.deployments.keys()):
            collection = Collection(
                name=f"Deployments in {namespace or 'all namespaces'}",
                list_right=rights.LIST_DEPLOYMENTS,
                watch_right=rights.WATCH_DEPLOYMENTS,
                namespace=namespace,
                convert=self._workload,
            )
            reflector = self._reflector(collection, self._deployment_changed)
            self.deployments[namespace] = reflector
            self._lists[namespace] = asyncio.create_task(reflector.run(), name=collection.name)

    def watch_namespaces(self, wanted: frozenset[str]) -> None:
        """Copies ReplicaSets, pods and events of exactly these namespaces from now on."""
        for namespace in wanted - self._namespaces.keys():
            self._namespaces[namespace] = self._begin(namespace)
        for namespace in self._namespaces.keys() - wanted:
            self._end(namespace)

    def look_for(self, migrations: tuple[str, ...], *, secrets: bool) -> None:
        """Which names are migrations from now on, and whether Secrets are looked at. Where that is not as before, the
        namespaces are copied afresh."""
        if migrations == self._migrations.patterns and secrets == self._look.secrets:
            return
        self._look = dataclasses.replace(self._look, secrets=secrets)
        namespaces = frozenset(self._namespaces)
        self.watch_namespaces(frozenset())
        self._migrations = Migrations(migrations, self._server_now)
        self.watch_namespaces(namespaces)

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

    def behind(self, namespace: str) -> tuple[Watch, ...]:
        """The copies that a unit's facts in this namespace rest on."""
        deployments = self.deployments.get(namespace) or self.deployments.get("")
        found: tuple[Watch, ...] = (deployments,) if deployments is not None else ()
        local = self._namespaces.get(namespace)
        return (*found, *local.needed()) if local is not None else found

    def all(self) -> tuple[Watch, ...]:
        """Every copy that is kept."""
        return (*self.deployments.values(), *(watch for each in self._namespaces.values() for watch in each.all()))

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

    def sets_of(self, deployment: str) -> frozenset[str]:
        """Uids of the Deployment's ReplicaSets, those that are gone included."""
        return frozenset(self._sets.get(deployment, ()))

    def check(self) -> None:
        """Raises what ended a copy's task: a bug, or an object that no API server sends."""
        tasks = [*self._lists.values(), *(task for each in self._namespaces.values() for task in each.tasks)]
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def close(self) -> None:
        """Ends all watches."""
        for name in tuple(self._namespaces):
            self._end(name)
        self._ended += [_cancelled(task) for task in self._lists.values()]
        await asyncio.gather(*self._ended, return_exceptions=True)

    def _begin(self, namespace: str) -> Namespace:
        revisions = self._reflector(
            Collection(
                name=f"ReplicaSets in {namespace}",
                list_right=rights.LIST_REPLICASETS,
                watch_right=rights.WATCH_REPLICASETS,
                namespace=namespace,
                convert=self._revision,
            ),
            self._revision_changed,
        )
        pods = self._reflector(
            Collection(
                name=f"pods in {namespace}",
                list_right=rights.LIST_PODS,
                watch_right=rights.WATCH_PODS,
                namespace=namespace,
                convert=self._pod,
            ),
            self._pod_changed,
        )
        events = self._reflector(
            Collection(
                name=f"events in {namespace}",
                list_right=rights.LIST_EVENTS,
                watch_right=rights.WATCH_EVENTS,
                namespace=namespace,
                convert=facts.event,
                field_selector="involvedObject.kind=Pod",
            ),
            self._event_changed,
        )
        jobs = self._jobs(namespace) if self._migrations.patterns else None
        config = copies(namespace, self._reflector, secrets=self._look.secrets) if self._look.config else None
        others: tuple[Watch, ...] = (*(config.watches if config else ()), *((jobs,) if jobs is not None else ()))
        kept: tuple[Watch, ...] = (revisions, pods, events, *others)
        tasks = tuple(asyncio.create_task(each.run(), name=each.collection.name) for each in kept)
        return Namespace(revisions=revisions, pods=pods, events=events, config=config, jobs=jobs, tasks=tasks)

    def _jobs(self, namespace: str) -> Reflector[MigrationRun]:
        return self._reflector(
            Collection(
                name=f"Jobs in {namespace}",
                list_right=rights.LIST_JOBS,
                watch_right=rights.WATCH_JOBS,
                namespace=namespace,
                convert=self._migrations.job,
            ),
            lambda change: self._migration_changed(namespace, change.old, change.new),
        )

    def _end(self, namespace: str) -> None:
        gone = self._namespaces.pop(namespace)
        self._ended += [_cancelled(task) for task in gone.tasks]
        for owned in gone.revisions.items.values():
            self.revisions_of.pop(owned.owner, None)
            self._forget(owned.revision.uid)
        for pod in gone.pods.items.values():
            self.pods_of.pop(pod.owner, None)
        self._migrations.forget(namespace)
        for key in [key for key in self.events_of if key[0] == namespace]:
            del self.events_of[key]

    def _forget(self, set_uid: str) -> None:
        self._gone_sets.pop(set_uid, None)
        owner, _, _ = self._owner_of_set.pop(set_uid, ("", "", ""))
        self._sets[owner].discard(set_uid)
        if not self._sets[owner]:
            del self._sets[owner]

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

    def _workload(self, raw: msgspec.Raw) -> Workload:
        return facts.workload(raw, self._templates)

    def _revision(self, raw: msgspec.Raw) -> OwnedRevision | None:
        return facts.owned_revision(raw, self._templates)

    def _pod(self, raw: msgspec.Raw) -> OwnedPod | None:
        owned = facts.owned_pod(raw)
        run = self._migrations.pod(raw) if owned is None and self._migrations.patterns else None
        return owned if run is None else OwnedPod(owner="", pod=wire.Pod(metadata=wire.SlimMeta()), migration=run)

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

    def _revision_changed(self, change: Change[OwnedRevision]) -> None:
        if change.old is not None:
            self.revisions_of[change.old.owner].pop(change.old.revision.uid, None)
            self._gone_sets[change.old.revision.uid] = None
        if change.new is not None:
            owned = change.new
            self.revisions_of[owned.owner][owned.revision.uid] = owned
            self._owner_of_set[owned.revision.uid] = (owned.owner, owned.namespace, owned.owner_name)
            self._sets[owned.owner].add(owned.revision.uid)
            self._gone_sets.pop(owned.revision.uid, None)
        while len(self._gone_sets) > REMEMBERED:
            self._forget(next(iter(self._gone_sets)))
        about = change.new or change.old
        if about is not None:
            self._changed(about.namespace, about.owner_name)

    def _pod_changed(self, change: Change[OwnedPod]) -> None:
        was = change.old.migration if change.old is not None else None
        is_ = change.new.migration if change.new is not None else None
        if was is not None or is_ is not None:
            self._migration_changed(change.key[0], was, is_)
            return
        if change.old is not None:
            self.pods_of[change.old.owner].pop(change.key, None)
        if change.new is not None:
            self.pods_of[change.new.owner][change.key] = change.new
        about = change.new or change.old
        if about is not None and about.owner in self._owner_of_set:
            _, namespace, name = self._owner_of_set[about.owner]
            self._changed(namespace, name)

    def _event_changed(self, change: Change[ClusterEvent]) -> None:
        about = change.new or change.old
        if about is None:
            return
        pod = (change.key[0], about.pod)
        if change.new is None:
            self.events_of[pod].pop(change.key, None)
        else:
            self.events_of[pod][change.key] = change.new
            namespace = self._namespaces.get(change.key[0])
            owned = namespace.pods.items.get(pod) if namespace is not None else None
            if owned is not None and owned.owner in self._owner_of_set:
                self._changed(*self._owner_of_set[owned.owner][1:])


def _cancelled(task: asyncio.Task[None]) -> asyncio.Task[None]:
    task.cancel()
    return task
