"""`ports.KeptPolicies`: one immutable ConfigMap for each policy, in the guard's own namespace."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from rollguard import policy as policies
from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.connection.api import Api, Lane, NoAnswer, Reply
from rollguard.adapters.kubernetes.connection.rights import Right
from rollguard.adapters.kubernetes.objects.wire import Page
from rollguard.model.action import Unknown
from rollguard.model.policy import Policy
from rollguard.ports import PolicyLost
from rollguard.record.names import LABEL_POLICY
from rollguard.render.labels import labels

KEY = "policy.json"


class _Kept(msgspec.Struct):
    data: dict[str, str] | None = None


class _Meta(msgspec.Struct):
    annotations: dict[str, str] | None = None


class _Listed(msgspec.Struct):
    metadata: _Meta


class KubernetesKeptPolicies:
    """Named by digest, and found again by a label of ours; the others are those by which `uninstall` finds it."""

    def __init__(self, api: Api, *, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    async def keep(self, policy: Policy, *, timeout: float) -> Unknown | None:
        """Creates the ConfigMap; one that exists already is the same."""
        body = msgspec.json.encode(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": name_of(policy.digest),
                    "labels": {**labels(self._namespace), LABEL_POLICY: "kept"},
                    "annotations": {LABEL_POLICY: policy.digest},
                },
                "immutable": True,
                "data": {KEY: policies.canonical(policy).decode()},
            }
        )
        reply = await self._send(rights.CREATE_CONFIGMAP, "", timeout, body=body)
        if isinstance(reply, Unknown):
            return reply
        return None if reply.ok or reply.status == 409 else Unknown(detail=reply.message())

    async def load(self, digest: str, *, timeout: float) -> Policy | PolicyLost | Unknown:
        """The policy as it was kept. What the server will not give (403, 404) is lost; no answer is unknown."""
        reply = await self._send(rights.GET_CONFIGMAP, name_of(digest), timeout)
        if isinstance(reply, Unknown):
            return reply
        if reply.status in (403, 404):
            return PolicyLost(detail=reply.message())
        if not reply.ok:
            return Unknown(detail=reply.message())
        text = (msgspec.json.decode(reply.body, type=_Kept).data or {}).get(KEY, "")
        try:
            return policies.restored(text.encode(), digest)
        except ValueError as error:
            return PolicyLost(detail=f"ConfigMap {name_of(digest)}: {error}")

    async def digests(self, *, timeout: float) -> tuple[str, ...] | Unknown:
        """Of all that are kept."""
        reply = await self._send(rights.LIST_CONFIGMAPS, "", timeout, params={"labelSelector": f"{LABEL_POLICY}=kept"})
        if isinstance(reply, Unknown):
            return reply
        if not reply.ok:
            return Unknown(detail=reply.message())
        items = msgspec.json.decode(reply.body, type=Page).items or []
        found = (msgspec.json.decode(item, type=_Listed).metadata.annotations or {} for item in items)
        return tuple(digest for annotations in found if (digest := annotations.get(LABEL_POLICY, "")))

    async def drop(self, digest: str, *, timeout: float) -> Unknown | None:
        """Deletes the ConfigMap."""
        reply = await self._send(rights.DELETE_CONFIGMAP, name_of(digest), timeout)
        if isinstance(reply, Unknown):
            return reply
        return None if reply.ok or reply.status == 404 else Unknown(detail=reply.message())

    async def _send(
        self,
        right: Right,
        name: str,
        timeout: float,
        *,
        params: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply | Unknown:
        try:
            return await self._api.send(
                right, self._namespace, name, params=params, body=body, timeout=timeout, lane=Lane.ACTING
            )
        except NoAnswer as error:
            return Unknown(detail=str(error))


def name_of(digest: str) -> str:
    """A valid name, whatever stands in a record as the digest."""
    return f"rollguard-policy-{sha256(digest.encode()).hexdigest()[:16]}"
