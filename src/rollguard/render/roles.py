"""RBAC of exactly the rights that the guard declares: a Role in each namespace where one is needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from rollguard.model.documents import Json
from rollguard.model.permissions import Permission, Scope
from rollguard.render.labels import ACCOUNT, Object, labels

API_GROUP = "rbac.authorization.k8s.io"
API_VERSION = f"{API_GROUP}/v1"


def access(
    permissions: tuple[Permission, ...],
    *,
    watched: tuple[str, ...],
    guard: str,
    sets: tuple[str, ...] = (),
    account: str = "",
    namespaced: bool = False,
) -> tuple[Object, ...]:
    """Roles and bindings for the ServiceAccount of namespace `account` (else the guard's own); a ClusterRole only
    for what no namespace holds, and never where `namespaced`. `sets` are the namespaces with release sets."""
    subject: Json = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": account or guard}
    found: list[Object] = []
    cluster = [each for each in permissions if each.scope is Scope.CLUSTER]
    if cluster and not namespaced:
        found += _bound(_abroad(guard), "", cluster, subject, guard)
    for namespace in sorted({*watched, guard}):
        here = [each for each in permissions if each.scope.covers(namespace, watched=watched, guard=guard, sets=sets)]
        if here:
            found += _bound(ACCOUNT if namespace == guard else _abroad(guard), namespace, here, subject, guard)
    return tuple(found)


def rules(permissions: Iterable[Permission]) -> list[Json]:
    """The rules of a Role: resources with the same verbs share one."""
    verbs: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in permissions:
        verbs[each.group, each.resource].add(each.verb)
    together: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, resource), allowed in sorted(verbs.items()):
        together[group, tuple(sorted(allowed))].append(resource)
    return [
        {"apiGroups": [group], "resources": list(resources), "verbs": list(allowed)}
        for (group, allowed), resources in sorted(together.items())
    ]


def role(name: str, namespace: str, rules_: list[Json], labels_: Object) -> Object:
    """A Role; without namespace a ClusterRole."""
    kind = "Role" if namespace else "ClusterRole"
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": _metadata(name, namespace, labels_), "rules": rules_}


def _abroad(guard: str) -> str:
    """The name outside the guard's own namespace, which several guards may watch: none takes another's rights. With a
    colon, as in the cluster's own roles: no role for people is called so."""
    return f"{ACCOUNT}:{guard}"


def _bound(
    name: str, namespace: str, permissions: Iterable[Permission], subject: Json, instance: str
) -> tuple[Object, Object]:
    made = role(name, namespace, rules(permissions), labels(instance))
    binding: Object = {
        "apiVersion": API_VERSION,
        "kind": f"{made['kind']}Binding",
        "metadata": _metadata(name, namespace, labels(instance)),
        "roleRef": {"apiGroup": API_GROUP, "kind": made["kind"], "name": name},
        "subjects": [subject],
    }
    return made, binding


def _metadata(name: str, namespace: str, labels_: Object) -> Object:
    place: Object = {"namespace": namespace} if namespace else {}
    return {"name": name, **place, "labels": labels_}
