"""Quorum reads of what a step of a plan writes to: without a resourceVersion, so that etcd answers, never a cache."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import msgspec

from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.connection.api import JSON, Api, Lane, NoAnswer, Reply
from rollguard.adapters.kubernetes.connection.rights import Right
from rollguard.adapters.kubernetes.objects import facts, wire
from rollguard.adapters.kubernetes.objects.template import template_of
from rollguard.model.action import (
    Absent,
    AutoscalerOutcome,
    FetchOutcome,
    Found,
    FoundAutoscaler,
    FoundService,
    ServiceOutcome,
    Unknown,
)
from rollguard.model.names import Ref
from rollguard.policy.selection import OPT_OUT
from rollguard.record.names import ANNOTATION_STEP

R = TypeVar("R", Found, FoundService, FoundAutoscaler)
PAGE = "500"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
GET = {
    "Deployment": rights.GET_DEPLOYMENT,
    "Service": rights.GET_SERVICE,
    "HorizontalPodAutoscaler": rights.GET_AUTOSCALER,
}


async def read(api: Api, ref: Ref, *, timeout: float) -> Reply:
    """The server's answer to a read of that object. Raises NoAnswer; KeyError for a kind that no step writes to."""
    return await api.send(GET[ref.kind], ref.namespace, ref.name, timeout=timeout, lane=Lane.ACTING)


async def deployment(api: Api, ref: Ref, *, timeout: float) -> FetchOutcome:
    """A Deployment; Absent also where another uid has its name."""
    body = await _body(api, ref, timeout=timeout)
    return body if isinstance(body, Absent | Unknown) else _same(ref, _found(body))


async def autoscaler(api: Api, ref: Ref, *, timeout: float) -> AutoscalerOutcome:
    """A HorizontalPodAutoscaler; Absent also where another uid has its name."""
    body = await _body(api, ref, timeout=timeout)
    if isinstance(body, Absent | Unknown):
        return body
    whole = msgspec.json.decode(body, type=wire.Autoscaler)
    meta, annotations = whole.metadata, whole.metadata.annotations or {}
    found = FoundAutoscaler(
        uid=meta.uid,
        resource_version=meta.resource_version,
        minimum=whole.spec.min_replicas,
        maximum=whole.spec.max_replicas,
        receipt=annotations.get(ANNOTATION_STEP, ""),
        has_annotations=bool(annotations),
    )
    return _same(ref, found)


async def service(api: Api, ref: Ref, *, timeout: float) -> ServiceOutcome:
    """A Service and what stands behind it; Absent also where another uid has its name.

    Unknown as well where the Service is read, but not its EndpointSlices or its pods.
    """
    try:
        async with asyncio.timeout(timeout):
            body = await _body(api, ref, timeout=timeout)
            if isinstance(body, Absent | Unknown):
                return body
            whole = msgspec.json.decode(body, type=wire.Service)
            selector = facts.pairs(whole.spec.selector)
            slices, selected = await asyncio.gather(
                _listed(api, rights.LIST_SLICES, ref.namespace, ((wire.SERVICE_LABEL, ref.name),), timeout=timeout),
                _selected(api, ref.namespace, selector, timeout=timeout),
            )
    except TimeoutError:
        return Unknown(detail=f"Service {ref.name}, its EndpointSlices and its pods: no answer within {timeout:g} s")
    if isinstance(slices, Unknown):
        return slices
    if isinstance(selected, Unknown):
        return selected
    behind = facts.endpoints(msgspec.json.decode(each, type=wire.EndpointSlice) for each in slices)
    ready = [each for each in behind if each.ready]
    meta, annotations = whole.metadata, whole.metadata.annotations or {}
    found = FoundService(
        uid=meta.uid,
        resource_version=meta.resource_version,
        selector=selector,
        receipt=annotations.get(ANNOTATION_STEP, ""),
        has_annotations=bool(annotations),
        serving=sum(each.pod in selected for each in ready),
        strangers=sum(each.pod not in selected for each in ready),
    )
    return _same(ref, found)


async def _selected(
    api: Api, namespace: str, selector: tuple[tuple[str, str], ...], *, timeout: float
) -> frozenset[str] | Unknown:
    """The names of the pods that a Service's selector selects; an empty one selects none, not all."""
    if not selector:
        return frozenset()
    pods = await _listed(api, rights.LIST_PODS, namespace, selector, timeout=timeout, accept=METADATA_ONLY)
    if isinstance(pods, Unknown):
        return pods
    return frozenset(msgspec.json.decode(each, type=wire.OnlyMeta).metadata.name for each in pods)


async def _listed(
    api: Api,
    right: Right,
    namespace: str,
    selector: tuple[tuple[str, str], ...],
    *,
    timeout: float,
    accept: str = JSON,
) -> list[msgspec.Raw] | Unknown:
    """All objects with these labels, every page of them."""
    params = {"limit": PAGE, "labelSelector": ",".join(f"{key}={value}" for key, value in selector)}
    found: list[msgspec.Raw] = []
    while True:
        try:
            reply = await api.send(right, namespace, params=params, timeout=timeout, lane=Lane.ACTING, accept=accept)
        except NoAnswer as error:
            return Unknown(detail=str(error))
        if not reply.ok:
            return Unknown(detail=reply.message())
        page = msgspec.json.decode(reply.body, type=wire.Page)
        found += page.items or []
        if not page.metadata.continue_:
            return found
        params = {**params, "continue": page.metadata.continue_}


async def _body(api: Api, ref: Ref, *, timeout: float) -> bytes | Absent | Unknown:
    try:
        reply = await read(api, ref, timeout=timeout)
    except NoAnswer as error:
        return Unknown(detail=str(error))
    if reply.status == 404:
        return Absent()
    return reply.body if reply.ok else Unknown(detail=reply.message())


def _same(ref: Ref, found: R) -> R | Absent:
    return found if not ref.uid or found.uid == ref.uid else Absent()


def _found(body: bytes) -> Found:
    whole = msgspec.json.decode(body, type=wire.WholeDeployment)
    meta = whole.metadata
    annotations = meta.annotations or {}
    raw = bytes(whole.spec.template)
    template = template_of(raw)
    return Found(
        uid=meta.uid,
        resource_version=meta.resource_version,
        generation=meta.generation,
        observed_generation=whole.status.observed_generation,
        paused=whole.spec.paused,
        template_body=template.body,
        template_digest=template.digest,
        receipt=annotations.get(ANNOTATION_STEP, ""),
        has_annotations=bool(annotations),
        revision=facts.number_of(annotations),
        raw_template=raw.decode(),
        guard=annotations.get(OPT_OUT, ""),
        last_applied=annotations.get(facts.LAST_APPLIED, ""),
        managed_fields=bytes(meta.managed_fields).decode(),
        replicas=whole.spec.replicas,
        ready=whole.status.ready_replicas,
    )
