"""What is copied of each kind of object, and what is kept of an object."""

from __future__ import annotations

from functools import partial

import msgspec

from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.objects import facts, wire
from rollguard.adapters.kubernetes.objects.facts import OwnedPod, OwnedRevision
from rollguard.adapters.kubernetes.objects.template import Templates
from rollguard.adapters.kubernetes.watching.migrations import Migrations
from rollguard.adapters.kubernetes.watching.reflector import Collection
from rollguard.model.facts import Autoscaler, ClusterEvent, MigrationRun, Service, Workload

_SLICES = msgspec.json.Decoder(wire.EndpointSlice)


def deployments(namespace: str, templates: Templates) -> Collection[Workload]:
    """The Deployments of a namespace; of all for the empty name."""
    return Collection(
        name=f"Deployments in {namespace or 'all namespaces'}",
        list_right=rights.LIST_DEPLOYMENTS,
        watch_right=rights.WATCH_DEPLOYMENTS,
        namespace=namespace,
        convert=partial(facts.workload, templates=templates),
    )


def replica_sets(namespace: str, templates: Templates) -> Collection[OwnedRevision]:
    """The ReplicaSets that a Deployment owns."""
    return Collection(
        name=f"ReplicaSets in {namespace}",
        list_right=rights.LIST_REPLICASETS,
        watch_right=rights.WATCH_REPLICASETS,
        namespace=namespace,
        convert=partial(facts.owned_revision, templates=templates),
    )


def pods(namespace: str, migrations: Migrations) -> Collection[OwnedPod]:
    """The pods that a ReplicaSet owns, and the bare ones that migrate."""
    return Collection(
        name=f"pods in {namespace}",
        list_right=rights.LIST_PODS,
        watch_right=rights.WATCH_PODS,
        namespace=namespace,
        convert=partial(_pod, migrations),
    )


def events(namespace: str) -> Collection[ClusterEvent]:
    """The events of pods."""
    return Collection(
        name=f"events in {namespace}",
        list_right=rights.LIST_EVENTS,
        watch_right=rights.WATCH_EVENTS,
        namespace=namespace,
        convert=facts.event,
        field_selector="involvedObject.kind=Pod",
    )


def jobs(namespace: str, migrations: Migrations) -> Collection[MigrationRun]:
    """The Jobs that migrate."""
    return Collection(
        name=f"Jobs in {namespace}",
        list_right=rights.LIST_JOBS,
        watch_right=rights.WATCH_JOBS,
        namespace=namespace,
        convert=migrations.job,
    )


def services(namespace: str, names: frozenset[str]) -> Collection[Service]:
    """The Services with these names."""
    return Collection(
        name=f"Services in {namespace}",
        list_right=rights.LIST_SERVICES,
        watch_right=rights.WATCH_SERVICES,
        namespace=namespace,
        convert=partial(facts.service, names=names),
    )


def slices(namespace: str, services: frozenset[str]) -> Collection[wire.EndpointSlice]:
    """The EndpointSlices of these Services, of which there is one at least: of no other one is anything sent."""
    return Collection(
        name=f"EndpointSlices in {namespace}",
        list_right=rights.LIST_SLICES,
        watch_right=rights.WATCH_SLICES,
        namespace=namespace,
        convert=_SLICES.decode,
        label_selector=f"{wire.SERVICE_LABEL} in ({','.join(sorted(services))})",
    )


def autoscalers(namespace: str, workloads: frozenset[str]) -> Collection[Autoscaler]:
    """The HorizontalPodAutoscalers of these Deployments."""
    return Collection(
        name=f"HorizontalPodAutoscalers in {namespace}",
        list_right=rights.LIST_AUTOSCALERS,
        watch_right=rights.WATCH_AUTOSCALERS,
        namespace=namespace,
        convert=partial(facts.autoscaler, workloads=workloads),
    )


def _pod(migrations: Migrations, raw: msgspec.Raw) -> OwnedPod | None:
    owned = facts.owned_pod(raw)
    run = migrations.pod(raw) if owned is None and migrations.patterns else None
    return owned if run is None else OwnedPod(owner="", pod=wire.Pod(metadata=wire.SlimMeta()), migration=run)
