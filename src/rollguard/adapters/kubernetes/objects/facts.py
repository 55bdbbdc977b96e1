"""The API's objects as the facts of `model`. No I/O."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from rollguard.adapters.kubernetes.objects import wire
from rollguard.adapters.kubernetes.objects.template import HASH_LABEL, Templates
from rollguard.adapters.numbers import whole_number
from rollguard.model.facts import (
    Autoscaler,
    ClusterEvent,
    Condition,
    Container,
    Endpoint,
    MigrationRun,
    Pod,
    Revision,
    Service,
    Template,
    Workload,
)
from rollguard.model.names import TemplateHash, WorkloadKind, WorkloadName
from rollguard.model.time import Instant
from rollguard.observe import owners

REVISION_ANNOTATION = "deployment.kubernetes.io/revision"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
EPOCH = Instant(0.0)

_PODS = msgspec.json.Decoder(wire.Pod)
_DEPLOYMENTS = msgspec.json.Decoder(wire.Deployment)
_REPLICA_SETS = msgspec.json.Decoder(wire.ReplicaSet)
_SERVICES = msgspec.json.Decoder(wire.Service)
_AUTOSCALERS = msgspec.json.Decoder(wire.Autoscaler)
_EVENTS = msgspec.json.Decoder(wire.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedRevision:
    """A ReplicaSet and the Deployment (by uid) that controls it."""

    owner: str
    owner_name: str
    namespace: str
    revision: Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedPod:
    """A pod and the ReplicaSet (by uid) that controls it."""

    owner: str
    pod: wire.Pod
    migration: MigrationRun | None = None
    """For a pod that nothing controls and that migrates the database; `owner` is empty then."""


def workload(raw: msgspec.Raw, templates: Templates) -> Workload:
    """A Deployment, still without its revisions."""
    found = _DEPLOYMENTS.decode(raw)
    meta, spec, status = found.metadata, found.spec, found.status
    name = WorkloadName(meta.namespace, WorkloadKind.DEPLOYMENT, meta.name)
    managers = frozenset(entry.manager for entry in meta.managed_fields or ())
    return Workload(
        name=name,
        uid=meta.uid,
        created=instant(meta.creation_timestamp),
        generation=meta.generation,
        observed_generation=status.observed_generation,
        paused=spec.paused,
        strategy=spec.strategy.type,
        desired=spec.replicas,
        total=status.replicas,
        updated=status.updated_replicas,
        ready=status.ready_replicas,
        available=status.available_replicas,
        template=templates.of(spec.template),
        revisions=(),
        conditions=tuple(condition(each) for each in status.conditions or ()),
        labels=pairs(meta.labels),
        annotations=tuple(pair for pair in pairs(meta.annotations) if pair[0] != LAST_APPLIED),
        owners=owners(name, meta.labels or {}, meta.annotations or {}, managers),
    )


def owned_revision(raw: msgspec.Raw, templates: Templates) -> OwnedRevision | None:
    """A ReplicaSet of a Deployment; None for one that no Deployment controls."""
    found = _REPLICA_SETS.decode(raw)
    meta = found.metadata
    owner = meta.controller()
    if owner is None or owner.kind != WorkloadKind.DEPLOYMENT.value:
        return None
    return OwnedRevision(
        owner=owner.uid,
        owner_name=owner.name,
        namespace=meta.namespace,
        revision=Revision(
            hash=TemplateHash(sys.intern((meta.labels or {}).get(HASH_LABEL, ""))),
            number=number_of(meta.annotations or {}),
            uid=meta.uid,
            created=instant(meta.creation_timestamp),
            template=templates.of(found.spec.template),
            replicas=found.status.replicas,
            ready=found.status.ready_replicas,
        ),
    )


def number_of(annotations: dict[str, str]) -> int:
    """The revision number of a ReplicaSet or of its Deployment, by its annotations; 0 while it has none."""
    return whole_number(annotations.get(REVISION_ANNOTATION, "")) or 0


def owned_pod(raw: msgspec.Raw) -> OwnedPod | None:
    """A pod of a ReplicaSet; None for every other."""
    found = _PODS.decode(raw)
    owner = found.metadata.controller()
    if owner is None or owner.kind != "ReplicaSet":
        return None
    found.metadata.owner_references = None
    found.spec.node_name = sys.intern(found.spec.node_name)
    for status in (*(found.status.container_statuses or ()), *(found.status.init_container_statuses or ())):
        status.name, status.image = sys.intern(status.name), sys.intern(status.image)
        status.image_id = sys.intern(status.image_id)
    return OwnedPod(owner=sys.intern(owner.uid), pod=found)


def pod(found: wire.Pod, name: WorkloadName, revision: TemplateHash | None, template: Template) -> Pod:
    """The pod's facts; `template` (of its revision) tells its containers from injected ones."""
    meta, status = found.metadata, found.status
    conditions = {each.type: each for each in status.conditions or ()}
    ready = conditions.get("Ready")
    scheduled = conditions.get("PodScheduled")
    is_ready = ready is not None and ready.status == "True"
    return Pod(
        name=meta.name,
        uid=meta.uid,
        workload=name,
        revision=revision,
        node=found.spec.node_name,
        phase=status.phase,
        created=instant(meta.creation_timestamp),
        ready=is_ready,
        ready_since=instant_or_none(ready.last_transition_time) if ready is not None and is_ready else None,
        deleting=bool(meta.deletion_timestamp),
        containers=(
            *(container(each, template, init=True) for each in status.init_container_statuses or ()),
            *(container(each, template, init=False) for each in status.container_statuses or ()),
        ),
        unschedulable=scheduled.message
        if scheduled is not None and scheduled.status == "False" and scheduled.reason == "Unschedulable"
        else "",
    )


def container(status: wire.ContainerStatus, template: Template, *, init: bool) -> Container:
    """One container's state."""
    ended = status.state.terminated or status.last_state.terminated
    waiting = status.state.waiting or wire.Waiting()
    return Container(
        name=status.name,
        in_template=any(status.name == name for name, _ in template.images),
        init=init,
        image=status.image,
        image_id=status.image_id,
        ready=status.ready,
        restarts=status.restart_count,
        waiting_reason=waiting.reason,
        waiting_message=waiting.message,
        exit_code=ended.exit_code if ended is not None else None,
        finished_at=instant_or_none(ended.finished_at) if ended is not None else None,
        sidecar=init and status.name in template.sidecars,
        running=status.state.running is not None,
    )


def event(raw: msgspec.Raw) -> ClusterEvent | None:
    """An Event about a pod; None for every other."""
    found = _EVENTS.decode(raw)
    if found.involved_object.kind != "Pod":
        return None
    series = found.series.last_observed_time if found.series is not None else None
    when = series or found.last_timestamp or found.event_time or found.metadata.creation_timestamp
    return ClusterEvent(
        pod=found.involved_object.name,
        reason=sys.intern(found.reason),
        message=found.message[:1024],
        last_seen=instant(when),
    )


def service(raw: msgspec.Raw, names: frozenset[str]) -> Service | None:
    """A Service, still without what stands behind it; None for one with another name."""
    found = _SERVICES.decode(raw)
    meta = found.metadata
    if meta.name not in names:
        return None
    return Service(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        created=instant(meta.creation_timestamp),
        selector=pairs(found.spec.selector),
        endpoints=(),
    )


def autoscaler(raw: msgspec.Raw, workloads: frozenset[str]) -> Autoscaler | None:
    """An autoscaler of one of these Deployments; None for every other."""
    found = _AUTOSCALERS.decode(raw)
    meta, spec = found.metadata, found.spec
    target, owner = spec.scale_target_ref, meta.controller()
    if target.kind != WorkloadKind.DEPLOYMENT.value or target.name not in workloads:
        return None
    return Autoscaler(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        workload=WorkloadName(meta.namespace, WorkloadKind.DEPLOYMENT, target.name),
        minimum=spec.min_replicas,
        maximum=spec.max_replicas,
        owner=f"{owner.kind}/{owner.name}" if owner is not None else "",
    )


def endpoints(found: Iterable[wire.EndpointSlice]) -> tuple[Endpoint, ...]:
    """What stands behind a Service, by its EndpointSlices, by name; a pod that has several addresses once.

    A pod is ready where any of its addresses is: that one gets requests.
    """
    by_pod: dict[str, Endpoint] = {}
    for each in (each for piece in found for each in piece.endpoints or ()):
        ready, serving = each.conditions.ready is not False, each.conditions.serving
        name = each.target_ref.name if each.target_ref.kind == "Pod" else ""
        here = Endpoint(
            pod=sys.intern(name),
            ready=ready,
            serving=ready if serving is None else serving,
            terminating=each.conditions.terminating is True,
        )
        other = by_pod.get(name, here)
        by_pod[name] = Endpoint(
            pod=here.pod,
            ready=here.ready or other.ready,
            serving=here.serving or other.serving,
            terminating=here.terminating and other.terminating,
        )
    return tuple(sorted(by_pod.values(), key=lambda each: each.pod))


def condition(found: wire.StatusCondition) -> Condition:
    """A condition as its controller wrote it."""
    return Condition(
        type=found.type,
        status=found.status,
        reason=found.reason,
        message=found.message,
        since=instant_or_none(found.last_transition_time),
        updated=instant_or_none(found.last_update_time),
    )


def pairs(found: dict[str, str] | None) -> tuple[tuple[str, str], ...]:
    """Labels or annotations, sorted."""
    return tuple(sorted((sys.intern(key), value) for key, value in (found or {}).items()))


def instant(text: str) -> Instant:
    """The API's time; the epoch where it is missing."""
    return instant_or_none(text) or EPOCH


def instant_or_none(text: str | None) -> Instant | None:
    """The API's time, None where it is missing."""
    return Instant.parse(text) if text else None
