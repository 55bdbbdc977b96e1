"""Templates kept as ControllerRevisions: immutable, native, and nobody's to prune, for no owner is named."""

from __future__ import annotations

import msgspec

from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.connection.api import Api, Lane, NoAnswer
from rollguard.adapters.kubernetes.objects.template import template_of
from rollguard.model.action import Absent, Unknown
from rollguard.model.facts import Template
from rollguard.model.names import WorkloadName
from rollguard.record.names import ANNOTATION_WORKLOAD, LABEL_SAVED

NAME_MAX = 200


class _Kept(msgspec.Struct):
    data: msgspec.Raw


async def save(api: Api, workload: WorkloadName, template: Template, *, timeout: float) -> str | Unknown:
    """Creates the ControllerRevision, named by the template's digest; one that exists already is the same."""
    name = name_of(workload, template)
    body = msgspec.json.encode(
        {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": name,
                "namespace": workload.namespace,
                "labels": {LABEL_SAVED: "template"},
                "annotations": {ANNOTATION_WORKLOAD: f"{workload.kind.value}/{workload.name}"},
            },
            "revision": 1,
            "data": msgspec.Raw(template.body.encode()),
        }
    )
    try:
        reply = await api.send(rights.CREATE_TEMPLATE, workload.namespace, body=body, timeout=timeout)
    except NoAnswer as error:
        return Unknown(detail=str(error))
    return name if reply.ok or reply.status == 409 else Unknown(detail=reply.message())


async def load(api: Api, namespace: str, name: str, *, timeout: float) -> Template | Absent | Unknown:
    """The template as it was saved."""
    try:
        reply = await api.send(rights.GET_TEMPLATE, namespace, name, timeout=timeout, lane=Lane.ACTING)
    except NoAnswer as error:
        return Unknown(detail=str(error))
    if reply.status == 404:
        return Absent()
    if not reply.ok:
        return Unknown(detail=reply.message())
    return template_of(msgspec.json.decode(reply.body, type=_Kept).data)


def name_of(workload: WorkloadName, template: Template) -> str:
    """The same for the same template of the same workload."""
    return f"{workload.name[:NAME_MAX]}-rollguard-{template.digest[:16]}"
