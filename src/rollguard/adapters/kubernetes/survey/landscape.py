"""What runs on a cluster, for a first policy: Deployments, their Services and autoscalers. Only lists."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.objects.wire import Autoscaler, Meta
from rollguard.adapters.kubernetes.survey.asking import Asking, reading
from rollguard.model.action import Unknown

SERVICES = reading("", "v1", "services", "list")
AUTOSCALERS = reading("autoscaling", "v2", "horizontalpodautoscalers", "list")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentFound:
    """A Deployment as far as a policy needs it."""

    namespace: str
    name: str
    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...]
    pod_labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFound:
    """A Service. `ports` are (name, number)."""

    namespace: str
    name: str
    labels: tuple[tuple[str, str], ...]
    selector: tuple[tuple[str, str], ...]
    ports: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Landscape:
    """What may be seen. `refused` says in words what could not be listed."""

    deployments: tuple[DeploymentFound, ...]
    services: tuple[ServiceFound, ...]
    autoscaled: tuple[tuple[str, str], ...]
    """(namespace, Deployment) of each autoscaler."""
    refused: tuple[str, ...]


class _PodMeta(msgspec.Struct):
    labels: dict[str, str] | None = None


class _Template(msgspec.Struct):
    metadata: _PodMeta = msgspec.field(default_factory=_PodMeta)


class _DeploymentSpec(msgspec.Struct):
    template: _Template = msgspec.field(default_factory=_Template)


class _Deployment(msgspec.Struct):
    metadata: Meta
    spec: _DeploymentSpec = msgspec.field(default_factory=_DeploymentSpec)


class _Port(msgspec.Struct):
    name: str = ""
    port: int = 0


class _ServiceSpec(msgspec.Struct):
    selector: dict[str, str] | None = None
    ports: list[_Port] | None = None


class _Service(msgspec.Struct):
    metadata: Meta
    spec: _ServiceSpec = msgspec.field(default_factory=_ServiceSpec)


async def landscape(asking: Asking, namespaces: tuple[str, ...], own: str) -> Landscape:
    """What is in the namespaces, or in the whole cluster where none is named; where that is not allowed, in `own`.

    Services are looked for in the whole cluster where that is allowed: the metrics store is seldom beside its users.
    """
    refused: list[str] = []
    chosen = namespaces or ("",)
    deployments = await _listed(asking, rights.LIST_DEPLOYMENTS, chosen, refused)
    if deployments is None and not namespaces:
        chosen = (own,)
        deployments = await _listed(asking, rights.LIST_DEPLOYMENTS, chosen, refused)
    services = await _listed(asking, SERVICES, ("",), refused)
    if services is None:
        places = tuple(sorted({raw.metadata.namespace for raw in map(_deployment, deployments or ())})) or (own,)
        services = await _listed(asking, SERVICES, places, refused)
    scalers = await _listed(asking, AUTOSCALERS, chosen, refused)
    return Landscape(
        deployments=tuple(sorted(map(_deployment_found, deployments or ()), key=lambda one: (one.namespace, one.name))),
        services=tuple(sorted(map(_service_found, services or ()), key=lambda one: (one.namespace, one.name))),
        autoscaled=tuple(sorted(_scaled(raw) for raw in scalers or ())),
        refused=tuple(refused),
    )


async def _listed(
    asking: Asking, right: rights.Right, namespaces: tuple[str, ...], refused: list[str]
) -> tuple[msgspec.Raw, ...] | None:
    """The objects of all the namespaces that answer; None where none does."""
    answers = await asyncio.gather(*(asking.list(right, namespace) for namespace in namespaces))
    found = [answer for answer in answers if not isinstance(answer, Unknown)]
    for namespace, answer in zip(namespaces, answers, strict=True):
        if isinstance(answer, Unknown):
            where = f"of the namespace {namespace}" if namespace else "of all namespaces"
            refused.append(f"{right.resource} {where}: {answer.detail}")
    return tuple(raw for answer in found for raw in answer) if found else None


def _deployment(raw: msgspec.Raw) -> _Deployment:
    return msgspec.json.decode(raw, type=_Deployment)


def _pairs(found: dict[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((found or {}).items()))


def _deployment_found(raw: msgspec.Raw) -> DeploymentFound:
    found = _deployment(raw)
    return DeploymentFound(
        namespace=found.metadata.namespace,
        name=found.metadata.name,
        labels=_pairs(found.metadata.labels),
        annotations=_pairs(found.metadata.annotations),
        pod_labels=_pairs(found.spec.template.metadata.labels),
    )


def _service_found(raw: msgspec.Raw) -> ServiceFound:
    found = msgspec.json.decode(raw, type=_Service)
    return ServiceFound(
        namespace=found.metadata.namespace,
        name=found.metadata.name,
        labels=_pairs(found.metadata.labels),
        selector=_pairs(found.spec.selector),
        ports=tuple((port.name, port.port) for port in found.spec.ports or ()),
    )


def _scaled(raw: msgspec.Raw) -> tuple[str, str]:
    found = msgspec.json.decode(raw, type=Autoscaler)
    return found.metadata.namespace, found.spec.scale_target_ref.name
