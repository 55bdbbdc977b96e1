"""Everything that an installed guard consists of, in the order to apply it."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.model.permissions import Permission
from rollguard.model.policy import Policy
from rollguard.render.around import around
from rollguard.render.deployment import deployment, journal_claim, journal_file
from rollguard.render.job import job_template
from rollguard.render.labels import ACCOUNT, CONFIG_NAME, POLICY_KEY, Object, labelled, labels, shared_labels
from rollguard.render.people import people
from rollguard.render.roles import access


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What to install, and where."""

    namespace: str
    image: str
    policy: Policy
    policy_text: str
    """As its file has it: it goes into the ConfigMap."""
    permissions: tuple[Permission, ...]
    namespaced: bool = False
    """No ClusterRole at all: neither the guard nor people get rights beyond these namespaces."""


def definitions(objects: tuple[Object, ...]) -> tuple[Object, ...]:
    """The definitions and the admission policy with our labels: once for a cluster, whatever guards run in it."""
    return tuple(labelled(each, shared_labels()) for each in objects)


def space(name: str) -> Object:
    """The guard's namespace: in whichever file it is, it is the same, or each `kubectl apply` would undo the other."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels(name)}}


def manifests(wanted: Installation, objects: tuple[Object, ...]) -> tuple[Object, ...]:
    """All objects; `objects` are the definitions and the admission policy."""
    watched = wanted.policy.namespaces()
    namespaces = tuple(sorted({*watched, wanted.namespace})) if wanted.namespaced else ()
    place: Object = {"namespace": wanted.namespace, "labels": labels(wanted.namespace)}
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
        space(wanted.namespace),
        account,
        *people(namespaces=namespaces, instance=wanted.namespace),
        *access(
            wanted.permissions,
            watched=watched,
            guard=wanted.namespace,
            sets=wanted.policy.set_namespaces(),
            namespaced=wanted.namespaced,
        ),
        config,
        *around(wanted.namespace, alerts=wanted.policy.takes_alerts),
        *((journal_claim(wanted.namespace),) if journal_file(wanted.policy) else ()),
        deployment(namespace=wanted.namespace, image=wanted.image, policy=wanted.policy),
        job_template(namespace=wanted.namespace, image=wanted.image, watched=watched),
    )
