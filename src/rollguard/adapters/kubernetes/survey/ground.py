"""What release sets stand on in a namespace: Deployments, Services and autoscalers, as they are now."""

from __future__ import annotations

import asyncio

import msgspec

from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.objects import facts, wire
from rollguard.adapters.kubernetes.survey.asking import Asking
from rollguard.model.action import Unknown
from rollguard.policy.ground import DeploymentSeen, Ground, Labels


class _PodMeta(msgspec.Struct):
    labels: dict[str, str] | None = None


class _Template(msgspec.Struct):
    metadata: _PodMeta = msgspec.field(default_factory=_PodMeta)


class _Spec(msgspec.Struct):
    template: _Template = msgspec.field(default_factory=_Template)


class _Deployment(msgspec.Struct):
    metadata: wire.Meta
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: wire.DeploymentStatus = msgspec.field(default_factory=wire.DeploymentStatus)


async def ground(asking: Asking, namespace: str) -> Ground | Unknown:
    """All of it, or why one of the three cannot be listed."""
    asked = (rights.LIST_DEPLOYMENTS, rights.LIST_SERVICES, rights.LIST_AUTOSCALERS)
    answers = await asyncio.gather(*(asking.list(right, namespace) for right in asked))
    listed = [answer for answer in answers if not isinstance(answer, Unknown)]
    for right, answer in zip(asked, answers, strict=True):
        if isinstance(answer, Unknown):
            return Unknown(detail=f"{right.resource} of {namespace}: {answer.detail}")
    deployments, services, scalers = listed
    seen = sorted(map(_deployment, deployments), key=lambda each: each.name)
    names = frozenset(each.name for each in seen)
    found = [scaler for raw in scalers if (scaler := facts.autoscaler(raw, names)) is not None]
    return Ground(
        deployments=tuple(seen),
        services=tuple(sorted(map(_service, services))),
        autoscalers=tuple(sorted(found, key=lambda each: each.name)),
    )


def _deployment(raw: msgspec.Raw) -> DeploymentSeen:
    found = msgspec.json.decode(raw, type=_Deployment)
    labels = facts.pairs(found.spec.template.metadata.labels)
    return DeploymentSeen(name=found.metadata.name, pod_labels=labels, pods=found.status.replicas)


def _service(raw: msgspec.Raw) -> tuple[str, Labels]:
    found = msgspec.json.decode(raw, type=wire.Service)
    return found.metadata.name, facts.pairs(found.spec.selector)
