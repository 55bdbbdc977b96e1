"""The end of an installed guard: it is stopped first, and what it holds back is let go before its rights are taken."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from rollguard.adapters.kubernetes.connection.api import JSON_PATCH, Api
from rollguard.adapters.kubernetes.installing import kinds
from rollguard.adapters.kubernetes.installing.install import NOT_FOUND, InstallError
from rollguard.adapters.kubernetes.installing.kinds import Thing
from rollguard.adapters.kubernetes.installing.removal import Found, Lister, delete, holds, is_ours
from rollguard.adapters.kubernetes.installing.running import pods_of
from rollguard.adapters.kubernetes.objects.wire import OnlyMeta
from rollguard.adapters.kubernetes.store.leadership import DURATION_S, read_lease
from rollguard.adapters.numbers import whole_number
from rollguard.model.action import Unknown
from rollguard.ports import Clock
from rollguard.record.names import ANNOTATION_MIN_REPLICAS, ANNOTATION_PAUSED
from rollguard.render import SELECTOR

POLL_S = 0.2
PODS_GONE_S = 90.0
DEFINITION_GONE_S = 60.0
LEASE_S = 2 * DURATION_S + 5.0

Say = Callable[[str], None]


async def stop(api: Api, clock: Clock, found: Found, *, namespace: str, say: Say) -> None:
    """Deletes the Deployment; returns when its pods are gone and no other process renews the Lease."""
    for each in found.guard:
        if await delete(api, each, foreground=True):
            say(f"{each}: deleted")
    deadline = clock.mono().plus(PODS_GONE_S)
    while pods := await pods_of(api, namespace, SELECTOR):
        if isinstance(pods, str) or clock.mono() > deadline:
            names = pods if isinstance(pods, str) else ", ".join(pod.metadata.name for pod in pods)
            raise InstallError(f"the guard's pods in {namespace} are not gone: {names}")
        await clock.sleep_until(clock.mono().plus(POLL_S))
    await _until_free(api, clock, namespace)
    say(f"no guard acts in {namespace} any more")


async def let_go(lister: Lister, namespaces: frozenset[str], *, say: Say) -> None:
    """Lifts the guard's own pauses in these namespaces, and puts back what autoscalers had as their minimum."""
    for raw in await lister.raw("Deployment"):
        meta = msgspec.json.decode(raw, type=OnlyMeta).metadata
        if meta.namespace in namespaces and ANNOTATION_PAUSED in (meta.annotations or {}):
            changes = [{"op": "add", "path": "/spec/paused", "value": False}]
            await _restore(lister.api, Thing("Deployment", meta.namespace, meta.name), ANNOTATION_PAUSED, changes)
            say(f"Deployment {meta.name} in {meta.namespace}: our pause is lifted")
    for raw in await lister.raw("HorizontalPodAutoscaler"):
        meta = msgspec.json.decode(raw, type=OnlyMeta).metadata
        before = whole_number((meta.annotations or {}).get(ANNOTATION_MIN_REPLICAS, ""))
        if meta.namespace in namespaces and before is not None:
            changes = [{"op": "add", "path": "/spec/minReplicas", "value": before}]
            what = Thing("HorizontalPodAutoscaler", meta.namespace, meta.name)
            await _restore(lister.api, what, ANNOTATION_MIN_REPLICAS, changes)
            say(f"{what}: minReplicas is {before} again")


async def remove(api: Api, clock: Clock, found: Found, *, say: Say) -> None:
    """Deletes what was found, the definitions last; returns when they are gone with all their objects."""
    for each in (*found.installed, *found.records, *found.definitions):
        say(f"{each}: {'deleted' if await delete(api, each) else 'gone already'}")
    deadline = clock.mono().plus(DEFINITION_GONE_S)
    for each in found.definitions:
        while (await api.send(kinds.right(each.kind, "get"), "", each.name)).status != NOT_FOUND:
            if clock.mono() > deadline:
                raise InstallError(f"{each} is not gone after {DEFINITION_GONE_S:g} s")
            await clock.sleep_until(clock.mono().plus(POLL_S))


async def leave_namespace(lister: Lister, namespace: str, *, say: Say) -> None:
    """Deletes the guard's namespace where an installation made it and nothing else lives in it."""
    kept = await stays(lister, namespace)
    if kept:
        say(kept)
    elif kept is not None and await delete(lister.api, Thing("Namespace", "", namespace)):
        say(f"Namespace {namespace}: deleted")


async def stays(lister: Lister, namespace: str, going: Collection[Thing] = ()) -> str | None:
    """Why the guard's namespace would be kept once what is `going` is gone, empty where it would be deleted; None where
    it is not ours."""
    if not await is_ours(lister.api, namespace):
        return None
    others = await holds(lister, namespace, going)
    return f"Namespace {namespace}: kept, for {', '.join(map(str, others[:3]))} live in it" if others else ""


async def _restore(api: Api, what: Thing, annotation: str, changes: list[dict[str, object]]) -> None:
    pointer = annotation.replace("~", "~0").replace("/", "~1")
    patch = [*changes, {"op": "remove", "path": f"/metadata/annotations/{pointer}"}]
    asked = kinds.right(what.kind, "patch", "uninstalling")
    body = msgspec.json.encode(patch)
    reply = await api.send(asked, what.namespace, what.name, body=body, content_type=JSON_PATCH)
    if not reply.ok and reply.status != NOT_FOUND:
        raise InstallError(f"{what}: {reply.message()}\nneeded: {kinds.needed(asked, what.namespace)}")


async def _until_free(api: Api, clock: Clock, namespace: str) -> None:
    """A Lease that nobody renews for its duration is free, whoever's name it carries."""
    deadline = clock.mono().plus(LEASE_S)
    seen, since = "", clock.mono()
    while True:
        lease = await read_lease(api, namespace=namespace)
        if isinstance(lease, Unknown):
            raise InstallError(f"the Lease in {namespace} cannot be read: {lease.detail}")
        if lease is None or not lease.holder:
            return
        if lease.metadata.resource_version != seen:
            seen, since = lease.metadata.resource_version, clock.mono()
        if clock.mono().since(since) > DURATION_S:
            return
        if clock.mono() > deadline:
            raise InstallError(
                f"{lease.holder} still renews the Lease in {namespace}: another guard runs there (`rollguard run`?);"
                " stop it, then uninstall again"
            )
        await clock.sleep_until(clock.mono().plus(POLL_S))
