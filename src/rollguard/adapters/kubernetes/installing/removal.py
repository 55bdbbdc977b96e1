"""What an installed guard has left in a cluster: found by its labels, and taken out in an order that is safe."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import msgspec

from rollguard.adapters.kubernetes.connection.api import Api, Reply
from rollguard.adapters.kubernetes.installing import kinds
from rollguard.adapters.kubernetes.installing.install import FORBIDDEN, NOT_FOUND, InstallError, thing
from rollguard.adapters.kubernetes.installing.kinds import CLUSTER_KINDS, FOREIGN_KINDS, Thing
from rollguard.adapters.kubernetes.objects.wire import ListMeta, OnlyMeta
from rollguard.adapters.kubernetes.store.leadership import LEASE_NAME
from rollguard.record import manifests
from rollguard.record.names import LABEL_POLICY, LABEL_ROLLOUT, LABEL_SAVED
from rollguard.render import INSTANCE, OURS

PAGE = "500"
LIVE = frozenset({"planned", "acting", "verifying"})
"""States of a rollout whose plan is under way."""
INSTALLED = (
    "PrometheusRule",
    "ServiceMonitor",
    "CronJob",
    "Job",
    "RoleBinding",
    "Role",
    "ClusterRoleBinding",
    "ClusterRole",
    "ConfigMap",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Service",
    "ServiceAccount",
)
RECORDED = (("ConfigMap", LABEL_ROLLOUT), ("ConfigMap", LABEL_POLICY), ("ControllerRevision", LABEL_SAVED))
HOLDING = (
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "Pod",
    "Service",
    "PersistentVolumeClaim",
    "Secret",
    "ConfigMap",
)
"""Kinds of which one object keeps a namespace from being deleted with the guard."""
EVERY_NAMESPACE_HAS = "kube-root-ca.crt"


class _Status(msgspec.Struct):
    state: str = ""


class _Rollout(msgspec.Struct):
    status: _Status = msgspec.field(default_factory=_Status)


class _Page(msgspec.Struct):
    metadata: ListMeta = msgspec.field(default_factory=ListMeta)
    items: list[msgspec.Raw] | None = None


@dataclass(slots=True, kw_only=True)
class Found:
    """What there is to remove, each part in the order of its removal."""

    guard: list[Thing] = field(default_factory=list)
    """The Deployment."""
    installed: list[Thing] = field(default_factory=list)
    records: list[Thing] = field(default_factory=list)
    """Evidence, saved templates, and where the definitions stay, GuardedUnits and GuardedRollouts."""
    definitions: list[Thing] = field(default_factory=list)
    live: list[str] = field(default_factory=list)
    """Rollouts with a plan under way."""
    kept: list[str] = field(default_factory=list)
    """What stays though it is ours, and why."""
    shared: frozenset[str] = frozenset()
    """Namespaces where another guard has rights too: nothing tells its records from ours."""

    def namespaces(self) -> frozenset[str]:
        """Where this guard has rights: what it guards is there."""
        return frozenset(each.namespace for each in self.installed if each.kind == "Role")

    def things(self) -> tuple[Thing, ...]:
        """All of it, in the order of removal."""
        return (*self.guard, *self.installed, *self.records, *self.definitions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lister:
    """Lists objects in all namespaces, or in the given ones where the caller may not look at all of them."""

    api: Api
    namespaces: tuple[str, ...]

    async def things(self, kind: str, selector: str = "") -> list[Thing]:
        """The objects of a kind; none where the server does not know the kind. Raises InstallError at a refusal."""
        return [_thing(kind, raw) for raw in await self.raw(kind, selector)]

    async def raw(self, kind: str, selector: str = "") -> list[msgspec.Raw]:
        """The same as they are."""
        if kind in CLUSTER_KINDS:
            return _or_raise(await self._all(kind, "", selector), kind, "")
        everywhere = await self._all(kind, "", selector)
        if not isinstance(everywhere, Reply) or everywhere.status != FORBIDDEN:
            return _or_raise(everywhere, kind, "")
        found: list[msgspec.Raw] = []
        for namespace in self.namespaces:
            found += _or_raise(await self._all(kind, namespace, selector), kind, namespace)
        return found

    async def sees_all(self, kind: str) -> bool:
        """Whether the caller may look at the kind in all namespaces. Raises InstallError at any other refusal."""
        reply = await self.api.send(kinds.right(kind, "list"), "", params={"limit": "1"})
        if reply.ok or reply.status in (FORBIDDEN, NOT_FOUND):
            return reply.status != FORBIDDEN
        raise InstallError(f"{kind}: {reply.message()}")

    async def in_namespace(self, kind: str, namespace: str, selector: str = "") -> list[Thing]:
        """The objects of a kind in one namespace."""
        return [_thing(kind, raw) for raw in _or_raise(await self._all(kind, namespace, selector), kind, namespace)]

    async def _all(self, kind: str, namespace: str, selector: str) -> list[msgspec.Raw] | Reply:
        found: list[msgspec.Raw] = []
        params = {"limit": PAGE, **({"labelSelector": selector} if selector else {})}
        while True:
            reply = await self.api.send(kinds.right(kind, "list"), namespace, params=params)
            if not reply.ok:
                return reply
            page = msgspec.json.decode(reply.body, type=_Page)
            found += page.items or []
            if not page.metadata.continue_:
                return found
            params["continue"] = page.metadata.continue_


async def find(lister: Lister, *, namespace: str, keep_records: bool) -> Found:
    """Everything that the guard of that namespace has made. Raises InstallError where it may not be looked for."""
    found = Found()
    mine = f"{OURS},{INSTANCE}={namespace}"
    guards = await lister.things("Deployment", OURS)
    found.guard = await lister.things("Deployment", mine)
    others = sorted({each.namespace for each in guards if each not in found.guard})
    for kind in INSTALLED:
        # policies that are kept for open rollouts are records
        selector = f"{mine},!{LABEL_POLICY}" if kind == "ConfigMap" else mine
        found.installed += await _allowed(lister, kind, selector, found)
    rights = await lister.things("Role", f"{OURS},{INSTANCE}")
    found.shared = found.namespaces() & {each.namespace for each in rights if each not in found.installed}
    found.live = await _live(lister, found.namespaces())
    lease = await lister.api.send(kinds.right("Lease", "get"), namespace, LEASE_NAME)
    found.installed += [Thing("Lease", namespace, LEASE_NAME)] if lease.ok else []
    why = await _still_needed(lister, others, found)
    if why:
        found.kept.append(f"the definitions and people's roles: {why}")
    else:
        found.installed += await _allowed(lister, "ClusterRole", f"{OURS},!{INSTANCE}", found)
    if keep_records:
        found.kept.append(
            "the definitions, the admission policy, GuardedUnits, GuardedRollouts and evidence, kept policies"
        )
        return found
    found.definitions = [] if why else await _definitions(lister, found)
    if found.shared:
        found.kept.append(f"GuardedUnits, GuardedRollouts and evidence in {', '.join(sorted(found.shared))}: shared")
    for kind, label in RECORDED:
        found.records += await _here(lister, kind, label, found)
    if not any(each.kind == "CustomResourceDefinition" for each in found.definitions):
        # Their objects do not go with them then.
        for kind in ("GuardedRollout", "GuardedUnit"):
            found.records += await _here(lister, kind, "", found)
    return found


async def delete(api: Api, what: Thing, *, foreground: bool = False) -> bool:
    """Deletes it; false where it was gone already. Raises InstallError at a refusal."""
    params = {"propagationPolicy": "Foreground" if foreground else "Background"}
    asked = kinds.right(what.kind, "delete", "uninstalling")
    reply = await api.send(asked, what.namespace, what.name, params=params)
    if reply.ok or reply.status == NOT_FOUND:
        return reply.ok
    need = f"\nneeded: {kinds.needed(asked, what.namespace)}" if reply.status == FORBIDDEN else ""
    raise InstallError(f"{what}: {reply.message()}{need}")


async def holds(lister: Lister, namespace: str, going: Collection[Thing] = ()) -> tuple[Thing, ...]:
    """What else lives in the namespace, beside what is `going` and our own pods, which end with their Jobs."""
    found = [each for kind in HOLDING for each in await lister.in_namespace(kind, namespace)]
    pods = await lister.in_namespace("Pod", namespace, f"{OURS},{INSTANCE}={namespace}")
    return tuple(each for each in found if each.name != EVERY_NAMESPACE_HAS and each not in (*going, *pods))


async def is_ours(api: Api, namespace: str) -> bool:
    """Whether an installation made the namespace."""
    reply = await api.send(kinds.right("Namespace", "get"), "", namespace)
    labels = msgspec.json.decode(reply.body, type=OnlyMeta).metadata.labels if reply.ok else None
    key, _, value = OURS.partition("=")
    return (labels or {}).get(key) == value


async def _definitions(lister: Lister, found: Found) -> list[Thing]:
    """The definitions and the admission policy that are there, the definitions last: their objects go with them."""
    there = []
    for what in map(thing, reversed(manifests())):
        reply = await lister.api.send(kinds.right(what.kind, "get"), "", what.name)
        if reply.status == FORBIDDEN:
            found.kept.append(f"{what}: {reply.message()}")
        elif reply.ok:
            there.append(what)
    return there


async def _allowed(lister: Lister, kind: str, selector: str, found: Found) -> list[Thing]:
    """Objects of the cluster, and of others' kinds, that the caller may not even list are kept, and said."""
    try:
        return await lister.things(kind, selector)
    except InstallError as refusal:
        if kind not in CLUSTER_KINDS | FOREIGN_KINDS:
            raise
        found.kept.append(str(refusal).partition("\n")[0])
        return []


async def _still_needed(lister: Lister, others: list[str], found: Found) -> str:
    """Why what all guards share must stay, or empty."""
    if others:
        return f"guards run in {', '.join(others)} too"
    if found.shared:
        return f"another guard has rights in {', '.join(sorted(found.shared))}"
    # What was not seen is no evidence that it is not there: the definitions would take another guard's records along.
    return "" if await lister.sees_all("Deployment") else "whether other guards run cannot be seen from here"


async def _here(lister: Lister, kind: str, selector: str, found: Found) -> list[Thing]:
    """Objects of this guard: of the namespaces where it alone has rights."""
    alone = found.namespaces() - found.shared
    return [each for each in await lister.things(kind, selector) if each.namespace in alone]


async def _live(lister: Lister, namespaces: frozenset[str]) -> list[str]:
    names = []
    for raw in await lister.raw("GuardedRollout"):
        what = _thing("GuardedRollout", raw)
        if what.namespace in namespaces and msgspec.json.decode(raw, type=_Rollout).status.state in LIVE:
            names.append(f"{what.namespace}/{what.name}")
    return names


def _thing(kind: str, raw: msgspec.Raw) -> Thing:
    meta = msgspec.json.decode(raw, type=OnlyMeta).metadata
    return Thing(kind, meta.namespace, meta.name)


def _or_raise(answer: list[msgspec.Raw] | Reply, kind: str, namespace: str) -> list[msgspec.Raw]:
    if not isinstance(answer, Reply):
        return answer
    if answer.status == NOT_FOUND:
        return []
    asked = kinds.right(kind, "list", "uninstalling")
    raise InstallError(f"{kind}: {answer.message()}\nneeded: {kinds.needed(asked, namespace)}")
