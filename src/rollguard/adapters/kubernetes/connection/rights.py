"""Every kind of request to the API server, with the RBAC right that it needs.

A request is made from one of these, which also gives its path and method: none can be sent without being declared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from rollguard.model.permissions import Permission, Scope
from rollguard.model.policy import Policy, SecretsAccess

METHODS = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One verb on one resource. `resource` holds the subresource too, as `pods/log`."""

    group: str
    version: str
    resource: str
    verb: str
    why: str
    scope: Scope = Scope.WATCHED

    @property
    def method(self) -> str:
        """The HTTP method."""
        return METHODS[self.verb]

    @property
    def mutates(self) -> bool:
        """Whether a request of this kind changes the cluster."""
        return self.method != "GET"

    @property
    def permission(self) -> Permission:
        """The same as a noun that the pure rooms know."""
        return Permission(group=self.group, resource=self.resource, verb=self.verb, scope=self.scope, why=self.why)

    def path(self, namespace: str, name: str = "") -> str:
        """The request's path; an empty namespace means all of them."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        resource, _, sub = self.resource.partition("/")
        parts = [root]
        if namespace and self.scope is not Scope.CLUSTER:
            parts.append(f"namespaces/{quote(namespace, safe='')}")
        parts.append(resource)
        # A name from the command line must not reach another path.
        parts += [quote(part, safe="") for part in (name, sub) if part]
        return "/".join(parts)


def _apps(resource: str, verb: str, why: str) -> Right:
    return Right(group="apps", version="v1", resource=resource, verb=verb, why=why)


def _batch(resource: str, verb: str, why: str) -> Right:
    return Right(group="batch", version="v1", resource=resource, verb=verb, why=why)


def _core(resource: str, verb: str, why: str, scope: Scope = Scope.WATCHED) -> Right:
    return Right(group="", version="v1", resource=resource, verb=verb, why=why, scope=scope)


def _services(verb: str, why: str) -> Right:
    return _core("services", verb, why, Scope.SETS)


def _slices(verb: str, why: str) -> Right:
    return Right(
        group="discovery.k8s.io", version="v1", resource="endpointslices", verb=verb, why=why, scope=Scope.SETS
    )


def _scalers(verb: str, why: str) -> Right:
    return Right(
        group="autoscaling", version="v2", resource="horizontalpodautoscalers", verb=verb, why=why, scope=Scope.SETS
    )


def _own(resource: str, verb: str, why: str, scope: Scope = Scope.WATCHED) -> Right:
    return Right(group="rollguard.dev", version="v1alpha1", resource=resource, verb=verb, why=why, scope=scope)


def _lease(verb: str, why: str) -> Right:
    return Right(group="coordination.k8s.io", version="v1", resource="leases", verb=verb, why=why, scope=Scope.GUARD)


LIST_DEPLOYMENTS = _apps("deployments", "list", "to know the workloads and their targets")
WATCH_DEPLOYMENTS = _apps("deployments", "watch", "to see a rollout begin")
GET_DEPLOYMENT = _apps("deployments", "get", "a fresh read before each step")
PATCH_DEPLOYMENT = _apps("deployments", "patch", "to put an old template back")
LIST_REPLICASETS = _apps("replicasets", "list", "the recorded revisions")
WATCH_REPLICASETS = _apps("replicasets", "watch", "the recorded revisions")
GET_TEMPLATE = _apps("controllerrevisions", "get", "templates of healthy revisions that were kept")
CREATE_TEMPLATE = _apps("controllerrevisions", "create", "to keep the template of a healthy revision")
LIST_PODS = _core("pods", "list", "which pods run which revision, and how they fare")
WATCH_PODS = _core("pods", "watch", "to see crash loops and failed image pulls at once")
READ_LOGS = _core("pods/log", "get", "evidence saved before a rollback")
LIST_EVENTS = _core("events", "list", "the cause of a failed image pull")
WATCH_EVENTS = _core("events", "watch", "the cause of a failed image pull")
LIST_JOBS = _batch("jobs", "list", "whether the database was migrated")
WATCH_JOBS = _batch("jobs", "watch", "to see a migration run and end")
CREATE_CONFIGMAP = _core(
    "configmaps", "create", "to keep evidence, and the policy that a rollout began with", Scope.BOTH
)
DELETE_CONFIGMAP = _core("configmaps", "delete", "clean-up of both with their rollouts", Scope.BOTH)
LIST_CONFIGMAPS = _core(
    "configmaps", "list", "whether the old version's configuration changed; clean-up of policies", Scope.BOTH
)
WATCH_CONFIGMAPS = _core("configmaps", "watch", "whether the old version's configuration changed (hashes are kept)")
GET_CONFIGMAP = _core("configmaps", "get", "the policy that an open rollout began with", Scope.GUARD)
PATCH_CONFIGMAP = _core("configmaps", "patch", "to mark which kept policy came into force last", Scope.GUARD)
LIST_SECRETS = _core("secrets", "list", "whether a Secret changed, and Helm's releases (metadata only)")
WATCH_SECRETS = _core("secrets", "watch", "whether a Secret changed, and Helm's releases (metadata only)")
LIST_SERVICES = _services("list", "which colour is live")
WATCH_SERVICES = _services("watch", "which colour is live")
GET_SERVICE = _services("get", "a fresh read before a Service is switched")
PATCH_SERVICE = _services("patch", "to switch a Service back to the old colour")
LIST_SLICES = _slices("list", "which pods get a Service's requests")
WATCH_SLICES = _slices("watch", "which pods get a Service's requests")
LIST_AUTOSCALERS = _scalers("list", "how many pods an autoscaler leaves to a colour")
WATCH_AUTOSCALERS = _scalers("watch", "how many pods an autoscaler leaves to a colour")
GET_AUTOSCALER = _scalers("get", "a fresh read before a minimum is raised or restored")
PATCH_AUTOSCALER = _scalers("patch", "to raise the old colour's minimum for the time of a rollback")
CREATE_EVENT = Right(
    group="events.k8s.io", version="v1", resource="events", verb="create", why="to say on the workload what was done"
)
LIST_UNITS = _own("guardedunits", "list", "the guard's own state", Scope.BOTH)
WATCH_UNITS = _own("guardedunits", "watch", "people's requests and freezes", Scope.BOTH)
GET_UNIT = _own("guardedunits", "get", "the guard's own state", Scope.BOTH)
CREATE_UNIT = _own("guardedunits", "create", "the guard's own state", Scope.BOTH)
UPDATE_UNIT = _own("guardedunits/status", "update", "the guard's own state", Scope.BOTH)
PATCH_UNIT = _own("guardedunits", "patch", "orders from the guard's own pod or Job (`/scripts/rollback.sh`)")
LIST_ROLLOUTS = _own("guardedrollouts", "list", "the guard's own state", Scope.BOTH)
GET_ROLLOUT = _own("guardedrollouts", "get", "the guard's own state")
CREATE_ROLLOUT = _own("guardedrollouts", "create", "the guard's own state")
UPDATE_ROLLOUT = _own("guardedrollouts/status", "update", "the guard's own state")
DELETE_ROLLOUT = _own("guardedrollouts", "delete", "clean-up of old rollouts")
LIST_POLICIES = _own("guardpolicies", "list", "the policy, where it is a cluster object", Scope.GUARD)
WATCH_POLICIES = _own("guardpolicies", "watch", "changes of the policy", Scope.GUARD)
PATCH_POLICY = _own("guardpolicies/status", "patch", "to say what is wrong with the policy", Scope.GUARD)
GET_LEASE = _lease("get", "who acts")
CREATE_LEASE = _lease("create", "who acts")
UPDATE_LEASE = _lease("update", "who acts")
CREATE_TOKEN_REVIEW = Right(
    group="authentication.k8s.io",
    version="v1",
    resource="tokenreviews",
    verb="create",
    why="whose token asks for the metrics",
    scope=Scope.CLUSTER,
)
CREATE_ACCESS_REVIEW = Right(
    group="authorization.k8s.io",
    version="v1",
    resource="subjectaccessreviews",
    verb="create",
    why="whether its account may get `/metrics`",
    scope=Scope.CLUSTER,
)

CONTROLLER = (
    LIST_DEPLOYMENTS,
    WATCH_DEPLOYMENTS,
    GET_DEPLOYMENT,
    PATCH_DEPLOYMENT,
    LIST_REPLICASETS,
    WATCH_REPLICASETS,
    GET_TEMPLATE,
    CREATE_TEMPLATE,
    LIST_PODS,
    WATCH_PODS,
    READ_LOGS,
    LIST_EVENTS,
    WATCH_EVENTS,
    LIST_CONFIGMAPS,
    WATCH_CONFIGMAPS,
    CREATE_CONFIGMAP,
    DELETE_CONFIGMAP,
    CREATE_EVENT,
    LIST_UNITS,
    WATCH_UNITS,
    GET_UNIT,
    CREATE_UNIT,
    UPDATE_UNIT,
    PATCH_UNIT,
    LIST_ROLLOUTS,
    GET_ROLLOUT,
    CREATE_ROLLOUT,
    UPDATE_ROLLOUT,
    DELETE_ROLLOUT,
    LIST_POLICIES,
    WATCH_POLICIES,
    PATCH_POLICY,
    GET_CONFIGMAP,
    PATCH_CONFIGMAP,
    GET_LEASE,
    CREATE_LEASE,
    UPDATE_LEASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """Rights that only some policies need."""

    rights: tuple[Right, ...]
    needed_by: Callable[[Policy], bool]
    when: str = "some policies"
    """The same in words, for docs/install.md."""


def _looks_at_secrets(policy: Policy) -> bool:
    return policy.owners.secrets is SecretsAccess.METADATA


RELEASE_SETS = (
    LIST_SERVICES,
    WATCH_SERVICES,
    GET_SERVICE,
    PATCH_SERVICE,
    LIST_SLICES,
    WATCH_SLICES,
    LIST_AUTOSCALERS,
    WATCH_AUTOSCALERS,
    GET_AUTOSCALER,
    PATCH_AUTOSCALER,
)

EXTRA: tuple[Extra, ...] = (
    Extra(rights=(LIST_SECRETS, WATCH_SECRETS), needed_by=_looks_at_secrets, when="`secrets: metadata`"),
    Extra(
        rights=(LIST_JOBS, WATCH_JOBS), needed_by=lambda policy: policy.migration is not None, when="`migration` is set"
    ),
    Extra(
        rights=RELEASE_SETS,
        needed_by=lambda policy: bool(policy.release_sets()),
        when="a watch has a release set",
    ),
)

METRICS = (CREATE_TOKEN_REVIEW, CREATE_ACCESS_REVIEW)
"""Beside what is needed to guard: without them nobody gets the metrics at the pods' own addresses."""


def needed(policy: Policy) -> tuple[Right, ...]:
    """The rights that the running guard needs under this policy, each once."""
    extra = (right for each in EXTRA if each.needed_by(policy) for right in each.rights)
    return tuple(dict.fromkeys((*CONTROLLER, *extra)))
