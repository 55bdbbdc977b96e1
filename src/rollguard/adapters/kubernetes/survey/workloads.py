"""The workloads of a watched namespace: by plain lists, for a look once, not by watches."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import defaultdict

import msgspec

from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.objects import facts
from rollguard.adapters.kubernetes.objects.template import Templates
from rollguard.adapters.kubernetes.objects.wire import AutoscalerSpec, Meta, StatusCondition
from rollguard.adapters.kubernetes.survey.asking import Asking, reading
from rollguard.adapters.kubernetes.survey.ground import ground
from rollguard.doctor.facts import Autoscaler, NamespaceSeen, WorkloadSeen
from rollguard.model.action import Absent, Unknown
from rollguard.model.facts import Pod, UnitFacts, Workload
from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.permissions import Scope
from rollguard.model.time import Instant

NAMESPACES = reading("", "v1", "namespaces", "get", Scope.CLUSTER)
AUTOSCALERS = reading("autoscaling", "v2", "horizontalpodautoscalers", "list")
DEFAULT_HISTORY = 10
_SCALING = ("ScalingActive", "AbleToScale")


class _Container(msgspec.Struct, rename="camel"):
    name: str = ""
    readiness_probe: dict[str, msgspec.Raw] | None = None


class _PodSpec(msgspec.Struct):
    containers: list[_Container] | None = None


class _Template(msgspec.Struct):
    spec: _PodSpec = msgspec.field(default_factory=_PodSpec)


class _Spec(msgspec.Struct, rename="camel"):
    revision_history_limit: int | None = None
    template: _Template = msgspec.field(default_factory=_Template)


class _Deployment(msgspec.Struct):
    spec: _Spec = msgspec.field(default_factory=_Spec)


class _ScalerStatus(msgspec.Struct):
    conditions: list[StatusCondition] | None = None


class _Scaler(msgspec.Struct):
    metadata: Meta
    spec: AutoscalerSpec = msgspec.field(default_factory=AutoscalerSpec)
    status: _ScalerStatus = msgspec.field(default_factory=_ScalerStatus)


Raws = tuple[msgspec.Raw, ...]


async def namespace(asking: Asking, name: str, now: Instant, *, sets: bool = False) -> NamespaceSeen:
    """A namespace with its Deployments, their autoscalers, revisions and pods; where it has release sets also with
    what these stand on."""
    exists, deployments, scalers, revisions, pods = await asyncio.gather(
        asking.get(NAMESPACES, "", name),
        asking.list(rights.LIST_DEPLOYMENTS, name),
        asking.list(AUTOSCALERS, name),
        asking.list(rights.LIST_REPLICASETS, name),
        asking.list(rights.LIST_PODS, name),
    )
    # The conversions may take long where there are many pods: the event loop must not stand still.
    workloads = deployments if isinstance(deployments, Unknown) else await asyncio.to_thread(_workloads, deployments)
    return NamespaceSeen(
        name=name,
        exists=exists if isinstance(exists, Unknown) else not isinstance(exists, Absent),
        workloads=workloads,
        autoscalers=scalers if isinstance(scalers, Unknown) else tuple(_autoscalers(name, scalers)),
        units=await _whole_units(workloads, revisions, pods, now),
        ground=await ground(asking, name) if sets else None,
    )


async def _whole_units(
    workloads: tuple[WorkloadSeen, ...] | Unknown, sets: Raws | Unknown, pods: Raws | Unknown, now: Instant
) -> tuple[UnitFacts, ...] | Unknown:
    if isinstance(workloads, Unknown):
        return workloads
    if isinstance(sets, Unknown):
        return sets
    return pods if isinstance(pods, Unknown) else await asyncio.to_thread(_units, workloads, sets, pods, now)


def _workloads(raw: Raws) -> tuple[WorkloadSeen, ...]:
    templates = Templates()
    found = []
    for each in raw:
        spec = msgspec.json.decode(each, type=_Deployment).spec
        containers = spec.template.spec.containers or []
        limit = spec.revision_history_limit
        seen = WorkloadSeen(
            workload=facts.workload(each, templates),
            history_limit=DEFAULT_HISTORY if limit is None else limit,
            unprobed=tuple(container.name for container in containers if container.readiness_probe is None),
        )
        found.append(seen)
    return tuple(sorted(found, key=lambda seen: seen.workload.name))


def _autoscalers(namespace: str, raw: Raws) -> list[Autoscaler]:
    found = []
    for each in raw:
        scaler = msgspec.json.decode(each, type=_Scaler)
        target = scaler.spec.scale_target_ref
        if target.kind != WorkloadKind.DEPLOYMENT.value:
            continue
        conditions = scaler.status.conditions or []
        wrong = [each.message or each.reason for each in conditions if each.type in _SCALING and each.status == "False"]
        found.append(
            Autoscaler(
                name=scaler.metadata.name,
                target=WorkloadName(namespace, WorkloadKind.DEPLOYMENT, target.name),
                minimum=scaler.spec.min_replicas,
                inactive="; ".join(wrong),
            )
        )
    return found


def _units(workloads: tuple[WorkloadSeen, ...], sets: Raws, pods: Raws, now: Instant) -> tuple[UnitFacts, ...]:
    templates = Templates()
    revisions = [owned for raw in sets if (owned := facts.owned_revision(raw, templates)) is not None]
    by_set: defaultdict[str, list[facts.OwnedPod]] = defaultdict(list)
    for raw in pods:
        pod = facts.owned_pod(raw)
        if pod is not None:
            by_set[pod.owner].append(pod)
    return tuple(_unit(seen.workload, revisions, by_set, now) for seen in workloads)


def _unit(
    workload: Workload, revisions: list[facts.OwnedRevision], by_set: dict[str, list[facts.OwnedPod]], now: Instant
) -> UnitFacts:
    mine = sorted(
        (owned.revision for owned in revisions if owned.owner == workload.uid), key=lambda revision: revision.number
    )
    pods: list[Pod] = []
    for revision in mine:
        owned = by_set.get(revision.uid, [])
        pods += [facts.pod(each.pod, workload.name, revision.hash, revision.template) for each in owned]
    return UnitFacts(
        unit=UnitName.of_workload(workload.name),
        as_of=now,
        complete=True,
        missing=(),
        members=(dataclasses.replace(workload, revisions=tuple(mine)),),
        pods=tuple(pods),
        events=(),
    )
