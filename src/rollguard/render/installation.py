"""Everything that an installed guard consists of, in the order to apply it."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.model.permissions import Permission
from rollguard.render.deployment import deployment
from rollguard.render.labels import ACCOUNT, CONFIG_NAME, POLICY_KEY, Object, labelled, labels, shared_labels
from rollguard.render.people import people
from rollguard.render.roles import access


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What to install, and where."""

    namespace: str
    image: str
    policy_text: str
    policy_digest: str
    watched: tuple[str, ...]
    """The namespaces that the policy watches."""
    sets: tuple[str, ...]
    """Those of them that have release sets."""
    permissions: tuple[Permission, ...]
    namespaced: bool = False
    """No ClusterRole at all: neither the guard nor people get rights beyond these namespaces."""


def definitions(objects: tuple[Object, ...]) -> tuple[Object, ...]:
    """The definitions and the admission policy with our labels: once for a cluster, whatever guards run in it."""
    return tuple(labelled(each, shared_labels()) for each in objects)


def manifests(wanted: Installation, objects: tuple[Object, ...]) -> tuple[Object, ...]:
    """All objects; `objects` are the definitions and the admission policy."""
    own = labels(wanted.namespace)
    namespaces = tuple(sorted({*wanted.watched, wanted.namespace})) if wanted.namespaced else ()
    place: Object = {"namespace": wanted.namespace, "labels": own}
    space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": wanted.namespace, "labels": own}}
    account: Object = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": ACCOUNT, **place},
        "automountServiceAccountToken": False,
    }
    config: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG_NAME, **place},
        "data": {POLICY_KEY: wanted.policy_text},
    }
    return (
        *definitions(objects),
        space,
        account,
        *people(namespaces=namespaces, instance=wanted.namespace),
        *access(
            wanted.permissions,
            watched=wanted.watched,
            guard=wanted.namespace,
            sets=wanted.sets,
            namespaced=wanted.namespaced,
        ),
        config,
        deployment(namespace=wanted.namespace, image=wanted.image, policy_digest=wanted.policy_digest),
    )
