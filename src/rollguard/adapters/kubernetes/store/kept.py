"""`ports.KeptPolicies`: one immutable ConfigMap for each policy, in the guard's own namespace."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from rollguard import policy as policies
from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.connection.api import JSON, MERGE_PATCH, Api, Lane, NoAnswer, Reply
from rollguard.adapters.kubernetes.connection.rights import Right
from rollguard.adapters.kubernetes.objects.wire import Page
from rollguard.model.action import Unknown
from rollguard.model.policy import Policy
from rollguard.ports import Clock, PolicyLost
from rollguard.record.names import ANNOTATION_IN_FORCE, LABEL_POLICY
from rollguard.render.labels import labels

KEY = "policy.json"


class _Kept(msgspec.Struct):
    data: dict[str, str] | None = None


class _Meta(msgspec.Struct, rename="camel"):
    creation_timestamp: str = ""
    annotations: dict[str, str] | None = None

    def digest(self) -> str:
        return (self.annotations or {}).get(LABEL_POLICY, "")

    def in_force(self) -> str:
        """When it came into force last: both are ISO times in UTC."""
        return (self.annotations or {}).get(ANNOTATION_IN_FORCE, self.creation_timestamp)


class _Listed(msgspec.Struct):
    metadata: _Meta
    data: dict[str, str] | None = None


class KubernetesKeptPolicies:
    """Named by digest, and found again by a label of ours; the others are those by which `uninstall` finds it."""

    def __init__(self, api: Api, clock: Clock, *, namespace: str) -> None:
        self._api = api
        self._clock = clock
        self._namespace = namespace

    async def keep(self, policy: Policy, *, timeout: float) -> Unknown | None:
        """Creates the ConfigMap; one that exists already is marked as the newest."""
        now = self._clock.now().iso()
        body = msgspec.json.encode(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": name_of(policy.digest),
                    "labels": {**labels(self._namespace), LABEL_POLICY: "kept"},
                    "annotations": {LABEL_POLICY: policy.digest, ANNOTATION_IN_FORCE: now},
                },
                "immutable": True,
                "data": {KEY: policies.canonical(policy).decode()},
            }
        )
        reply = await self._send(rights.CREATE_CONFIGMAP, "", timeout, body=body)
        if isinstance(reply, Unknown):
            return reply
        if reply.status == 409:
            return await self._mark(policy.digest, now, timeout)
        return None if reply.ok else Unknown(detail=reply.message())

    async def _mark(self, digest: str, now: str, timeout: float) -> Unknown | None:
        """An installation of before may lack this right: kept it is all the same."""
        body = msgspec.json.encode({"metadata": {"annotations": {ANNOTATION_IN_FORCE: now}}})
        reply = await self._send(rights.PATCH_CONFIGMAP, name_of(digest), timeout, body=body, content_type=MERGE_PATCH)
        if isinstance(reply, Unknown):
            return reply
        return None if reply.ok or reply.status == 403 else Unknown(detail=reply.message())

    async def newest(self, *, timeout: float) -> Policy | Unknown | None:
        """By the time at which each came into force last; what was changed, or kept by another version, is passed
        over."""
        listed = await self._list(timeout)
        if isinstance(listed, Unknown):
            return listed
        for each in sorted(listed, key=lambda each: each.metadata.in_force(), reverse=True):
            try:
                return policies.restored((each.data or {}).get(KEY, "").encode(), each.metadata.digest())
            except ValueError:
                continue
        return None

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
        listed = await self._list(timeout)
        if isinstance(listed, Unknown):
            return listed
        return tuple(digest for each in listed if (digest := each.metadata.digest()))

    async def _list(self, timeout: float) -> list[_Listed] | Unknown:
        reply = await self._send(rights.LIST_CONFIGMAPS, "", timeout, params={"labelSelector": f"{LABEL_POLICY}=kept"})
        if isinstance(reply, Unknown):
            return reply
        if not reply.ok:
            return Unknown(detail=reply.message())
        items = msgspec.json.decode(reply.body, type=Page).items or []
        return [msgspec.json.decode(item, type=_Listed) for item in items]

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
        content_type: str = JSON,
    ) -> Reply | Unknown:
        try:
            return await self._api.send(
                right,
                self._namespace,
                name,
                params=params,
                body=body,
                content_type=content_type,
                timeout=timeout,
                lane=Lane.ACTING,
            )
        except NoAnswer as error:
            return Unknown(detail=str(error))


def name_of(digest: str) -> str:
    """A valid name, whatever stands in a record as the digest."""
    return f"rollguard-policy-{sha256(digest.encode()).hexdigest()[:16]}"
