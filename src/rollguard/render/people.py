"""Roles for people: who may look, who may order, who may force."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.model.documents import Json
from rollguard.render.labels import Object, labels, shared_labels
from rollguard.render.roles import role

GROUP = "rollguard.dev"
AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleRole:
    """A role that nobody is bound to by the installation. Cluster-wide it joins the built-in role that it names."""

    name: str
    about: str
    joins: str
    rules: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]
    """API group, resources, verbs."""


PEOPLE = (
    PeopleRole(
        name="rollguard-viewer",
        about="see what is guarded, every rollout and every incident",
        joins="view",
        rules=(
            (GROUP, ("*",), ("get", "list", "watch")),
            ("coordination.k8s.io", ("leases",), ("get",)),
        ),
    ),
    PeopleRole(
        name="rollguard-operator",
        about="order a rollback, freeze, approve, reject",
        joins="edit",
        rules=((GROUP, ("guardedunits",), ("create", "patch")),),
    ),
    PeopleRole(
        name="rollguard-forcer",
        about="order a rollback against the guard's judgement (`--force`)",
        joins="",
        rules=((GROUP, ("guardedunits/force",), ("update",)),),
    ),
)
"""Whoever may edit Deployments in a namespace may undo them there: `edit` gets the operator's rights. Forcing joins
nothing: it is given by name."""


def people(*, namespaces: tuple[str, ...], instance: str) -> tuple[Object, ...]:
    """The roles as ClusterRoles; with namespaces as Roles in each of these."""
    if not namespaces:
        return tuple(_cluster_role(each) for each in PEOPLE)
    return tuple(
        role(each.name, namespace, _rules(each), labels(instance)) for namespace in namespaces for each in PEOPLE
    )


def _cluster_role(each: PeopleRole) -> Object:
    joins: Object = {f"{AGGREGATE}{each.joins}": "true"} if each.joins else {}
    return role(each.name, "", _rules(each), {**shared_labels(), **joins})


def _rules(each: PeopleRole) -> list[Json]:
    return [
        {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
        for group, resources, verbs in each.rules
    ]
