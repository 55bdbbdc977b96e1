"""What the cluster says of a unit: plain facts, without judgement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rollguard.model.names import TemplateHash, UnitName, WorkloadName
from rollguard.model.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A pod template. `body` is its canonical JSON (sorted keys, no `pod-template-hash` label)."""

    body: str
    digest: str
    """SHA-256 of `body`, hexadecimal: two templates are the same exactly if their digests are."""
    bare_digest: str
    """The same without the template's annotations: equal for a `kubectl rollout restart`."""
    images: tuple[tuple[str, str], ...]
    """(container, image) in the template's order, init containers first."""
    config: tuple[str, ...] = ()
    """The ConfigMaps and Secrets that it refers to, as `ConfigMap/name`, sorted."""
    sidecars: tuple[str, ...] = ()
    """Names of its native sidecars: init containers with `restartPolicy: Always`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A recorded pod template: for a Deployment, a ReplicaSet."""

    hash: TemplateHash
    number: int
    uid: str
    created: Instant
    template: Template
    replicas: int
    ready: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition of an object's status, as its controller wrote it."""

    type: str
    status: str
    reason: str
    message: str
    since: Instant | None
    """When its status last changed."""
    updated: Instant | None = None
    """When anything of it, the reason included, last changed, where the condition has that time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The state of one container of a pod."""

    name: str
    in_template: bool
    """False for what admission injected (sidecars of a mesh): event rules pass it over."""
    init: bool
    """It runs before the others; a native sidecar goes on beside them."""
    image: str
    image_id: str
    ready: bool
    restarts: int
    waiting_reason: str = ""
    waiting_message: str = ""
    exit_code: int | None = None
    """Of the last termination, running again or not; None where it never ended."""
    finished_at: Instant | None = None
    sidecar: bool = False
    """A native sidecar of the template: an init container with `restartPolicy: Always`."""
    running: bool = False
    """It runs at this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod and the revision that owns it; `revision` is None where the owner is not known (any more)."""

    name: str
    uid: str
    workload: WorkloadName
    revision: TemplateHash | None
    node: str
    phase: str
    created: Instant
    ready: bool
    ready_since: Instant | None
    deleting: bool
    containers: tuple[Container, ...]
    unschedulable: str = ""
    """The scheduler's message while it finds no node; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterEvent:
    """A Kubernetes Event about a pod of the unit: the cause of a failed image pull may stand only here."""

    pod: str
    reason: str
    message: str
    last_seen: Instant


class Tool(StrEnum):
    """What manages workloads beside people."""

    ARGO_CD = "Argo CD"
    FLUX_KUSTOMIZATION = "Flux Kustomization"
    FLUX_HELM = "Flux HelmRelease"
    HELM = "Helm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A tool's object that the workload comes from; its names are empty where the workload does not tell them."""

    tool: Tool
    name: str
    namespace: str

    @property
    def object(self) -> str:
        """`argocd/shop`, or `shop` where its namespace is not told; empty where nothing is."""
        return f"{self.namespace}/{self.name}" if self.namespace and self.name else self.name

    def __str__(self) -> str:
        return f"{self.tool.value} {self.object or '(which object is not told)'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmRelease:
    """The newest record of a Helm release; `status` is empty, and `version` 0, where none was seen."""

    name: str
    namespace: str
    version: int = 0
    status: str = ""
    """As Helm writes it: `deployed`, `pending-upgrade`, ..."""


ABSENT = "absent"
"""The fingerprint of what does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Fingerprints of the ConfigMaps and Secrets of a namespace; never their values."""

    kinds: frozenset[str] = frozenset()
    """The kinds that were looked at; of the others nothing is known."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """By `ConfigMap/name`."""

    def fingerprint(self, reference: str) -> str | None:
        """That of `ConfigMap/name`, ABSENT where there is none; None where its kind was not looked at."""
        if reference.partition("/")[0] not in self.kinds:
            return None
        return self.fingerprints.get(reference, ABSENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationRun:
    """A Job, or a pod without a controller, whose name says that it migrates the database."""

    kind: str
    """`Job` or `Pod`."""
    name: str
    uid: str
    started: Instant
    finished: Instant | None = None
    """When it ended, well or not; None while it runs, and where it was deleted before it had ended."""
    failed: bool = False
    backward_compatible: bool = False
    """Marked so: the code from before it works on what it leaves."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A Deployment and its recorded revisions."""

    name: WorkloadName
    uid: str
    created: Instant
    generation: int
    observed_generation: int
    paused: bool
    strategy: str
    desired: int
    total: int
    updated: int
    ready: int
    available: int
    template: Template
    revisions: tuple[Revision, ...]
    conditions: tuple[Condition, ...]
    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...]
    owners: tuple[Owner, ...] = ()

    def target(self) -> Revision | None:
        """The revision that the spec asks for; None until its ReplicaSet exists and is seen."""
        same = [r for r in self.revisions if r.template.digest == self.template.digest]
        return max(same, key=lambda r: r.number) if same else None

    def unfinished(self) -> str:
        """What is missing until its template is all that runs, and all of it available; empty where nothing is."""
        if self.observed_generation < self.generation:
            return f"generation {self.observed_generation} of {self.generation} is observed"
        if self.updated < self.desired:
            return f"{self.updated} of {self.desired} pods are updated"
        if self.total > self.updated:
            return f"{self.total - self.updated} old pods are left"
        if self.available < self.updated:
            return f"{self.available} of {self.updated} updated pods are available"
        return ""

    def revision(self, hash_: TemplateHash) -> Revision | None:
        """The recorded revision of that hash, if it is still there."""
        return next((r for r in self.revisions if r.hash == hash_), None)

    def annotation(self, key: str) -> str:
        """The annotation's value, empty where there is none."""
        return next((v for k, v in self.annotations if k == key), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A pod behind a Service, as its EndpointSlices have it."""

    pod: str
    ready: bool
    serving: bool
    terminating: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A Service of a release set and what stands behind it."""

    namespace: str
    name: str
    uid: str
    created: Instant
    selector: tuple[tuple[str, str], ...]
    endpoints: tuple[Endpoint, ...]

    def selects(self, key: str) -> str:
        """The value of that label in its selector, empty where the selector does not name it."""
        return dict(self.selector).get(key, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaler:
    """A HorizontalPodAutoscaler of a workload of the unit."""

    namespace: str
    name: str
    uid: str
    workload: WorkloadName
    """What it scales."""
    minimum: int
    maximum: int
    owner: str = ""
    """The tool's object that keeps it as it is (KEDA's `ScaledObject/<name>`), empty where none is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFacts:
    """All facts of a unit as of one moment. `complete` is False while a cache behind it is not in sync."""

    unit: UnitName
    as_of: Instant
    complete: bool
    missing: tuple[str, ...]
    """What is not in sync, in words, for the reason of a hold."""
    members: tuple[Workload, ...]
    """Empty where the workload does not exist (any more). Of a release set: all that exist of both colours."""
    pods: tuple[Pod, ...]
    events: tuple[ClusterEvent, ...]
    config: Configuration = field(default_factory=Configuration)
    helm: tuple[HelmRelease, ...] = ()
    """Of the members' releases, one each."""
    migrations: tuple[MigrationRun, ...] = ()
    """Of the unit's namespace, by start, those included that were deleted while they were watched."""
    migrations_from: Instant | None = None
    """Since when none can have been missed, by the API server's clock; None where nobody watches."""
    services: tuple[Service, ...] = ()
    """Of a release set: those that exist of its members' Services, by name."""
    autoscalers: tuple[Autoscaler, ...] = ()
    """Of a release set: those of its workloads, by name."""

    def member(self, name: WorkloadName) -> Workload | None:
        """The unit's workload of that name; None where it does not exist."""
        return next((workload for workload in self.members if workload.name == name), None)

    def service(self, name: str) -> Service | None:
        """The unit's Service of that name; None where it does not exist."""
        return next((service for service in self.services if service.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryItem:
    """A workload that exists, with what a policy's watch selects by."""

    name: WorkloadName
    uid: str
    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...]
