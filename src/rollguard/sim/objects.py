"""Deployments, ReplicaSets and pods as the simulated API server keeps them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from rollguard.model.facts import Condition, Container, InventoryItem, Owner, Pod, Revision, Template, Workload
from rollguard.model.names import TemplateHash, WorkloadName
from rollguard.model.time import Instant
from rollguard.sim.behaviour import Behaviour
from rollguard.sim.json_patch import JsonObject, JsonValue
from rollguard.sim.process import EPOCH
from rollguard.sim.template import template_of

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
REVISION = "deployment.kubernetes.io/revision"
RECEIPT = "rollguard.dev/step"


def at(seconds: float) -> Instant:
    """The wall time of a virtual second."""
    return Instant(EPOCH + seconds)


@dataclass(slots=True, kw_only=True, eq=False)
class ReplicaSet:
    """A revision. `replicas` is what the controller asks of it."""

    hash: TemplateHash
    uid: str
    number: int
    created: float
    raw: JsonObject
    template: Template
    annotations: dict[str, str]
    replicas: int = 0
    pods: list[SimPod] = field(default_factory=list)

    def revision(self) -> Revision:
        """As the core sees it now."""
        return Revision(
            hash=self.hash,
            number=self.number,
            uid=self.uid,
            created=at(self.created),
            template=self.template,
            replicas=self.replicas,
            ready=sum(pod.ready for pod in self.pods),
        )


@dataclass(slots=True, kw_only=True, eq=False)
class SimPod:
    """A pod with one container, its app and the app's counters."""

    name: str
    uid: str
    owner: SimDeployment
    revision: TemplateHash
    image: str
    behaviour: Behaviour
    created: float
    labels: dict[str, str]
    node: str = ""
    phase: str = "Pending"
    running: bool = False
    ready: bool = False
    ready_since: float | None = None
    deleting: bool = False
    gone: float | None = None
    started: float = 0.0
    restarts: int = 0
    failures: int = 0
    waiting_reason: str = "ContainerCreating"
    waiting_message: str = ""
    exit_code: int | None = None
    finished: float | None = None
    run: int = 0
    """Moves with each start of the container: a timer of an earlier run is void."""

    def pod(self) -> Pod:
        """As the core sees it now."""
        container = Container(
            name="app",
            in_template=True,
            init=False,
            image=self.image,
            image_id=f"{self.image}@sha256:0" if self.started else "",
            ready=self.ready,
            restarts=self.restarts,
            waiting_reason=self.waiting_reason,
            waiting_message=self.waiting_message,
            exit_code=self.exit_code,
            finished_at=None if self.finished is None else at(self.finished),
        )
        return Pod(
            name=self.name,
            uid=self.uid,
            workload=self.owner.name,
            revision=self.revision,
            node=self.node,
            phase=self.phase,
            created=at(self.created),
            ready=self.ready,
            ready_since=None if self.ready_since is None else at(self.ready_since),
            deleting=self.deleting,
            containers=(container,),
        )


def applied_by(manager: str, operation: str = "Apply") -> JsonObject:
    """An entry of managedFields by which the manager owns the containers."""
    fields: JsonObject = {"f:spec": {"f:template": {"f:spec": {"f:containers": {}}}}}
    return {"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": fields}


def _people() -> list[JsonValue]:
    return [applied_by("kubectl")]


@dataclass(slots=True, kw_only=True, eq=False)
class SimDeployment:
    """A Deployment: what people and the guard ask, and the status that its controller wrote."""

    name: WorkloadName
    uid: str
    created: float
    labels: dict[str, str]
    annotations: dict[str, str]
    raw: JsonObject
    template: Template
    replicas: int
    rps: float
    pod_labels: tuple[tuple[str, str], ...] = ()
    """What its pods carry beside `app`, which is its name where it is not among them."""
    capacity: float = math.inf
    """Requests per second that one of its pods can answer."""
    jobs: bool = False
    """Its pods take jobs from a queue; else they answer requests."""
    config: str = ""
    """The ConfigMap that its pods read."""
    owners: tuple[Owner, ...] = ()
    paused: bool = False
    max_surge: int = 1
    max_unavailable: int = 0
    history_limit: int = 10
    progress_deadline: float = 600.0
    generation: int = 1
    generation_since: float = 0.0
    """When the generation moved last."""
    version: int = 1
    observed_generation: int = 0
    total: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    progressed: float = 0.0
    condition: tuple[str, str, float] = ("True", "NewReplicaSetCreated", 0.0)
    replica_sets: list[ReplicaSet] = field(default_factory=list)
    managers: list[JsonValue] = field(default_factory=_people)
    """`metadata.managedFields`: people apply server-side."""
    sync_due: bool = False
    deleted: bool = False

    def document(self) -> JsonObject:
        """The object as the server gives it, as far as a patch may touch it."""
        metadata: JsonObject = {"uid": self.uid, "resourceVersion": str(self.version), "generation": self.generation}
        metadata["managedFields"] = list(self.managers)
        if self.annotations:
            metadata["annotations"] = dict(self.annotations)
        spec: JsonObject = {"replicas": self.replicas, "template": self.raw}
        if self.paused:
            spec["paused"] = True
        return {"metadata": metadata, "spec": spec}

    def set_template(self, raw: JsonObject) -> None:
        """Puts a template into the spec."""
        self.raw = raw
        self.template = template_of(raw)

    def pods(self) -> list[SimPod]:
        """All pods that exist."""
        return [pod for replica_set in self.replica_sets for pod in replica_set.pods]

    def target(self) -> ReplicaSet | None:
        """The ReplicaSet of the template that the spec asks for."""
        digest = self.template.digest
        return next((found for found in self.replica_sets if found.template.digest == digest), None)

    def workload(self) -> Workload:
        """As the core sees it now, but for its revisions, which come by another watch."""
        status, reason, since = self.condition
        deadline = "timed out progressing" if status == "False" else ""
        return Workload(
            name=self.name,
            uid=self.uid,
            created=at(self.created),
            generation=self.generation,
            observed_generation=self.observed_generation,
            paused=self.paused,
            strategy="RollingUpdate",
            desired=self.replicas,
            total=self.total,
            updated=self.updated,
            ready=self.ready,
            available=self.available,
            template=self.template,
            revisions=(),
            conditions=(
                Condition(type="Progressing", status=status, reason=reason, message=deadline, since=at(since)),
            ),
            labels=tuple(self.labels.items()),
            annotations=tuple(self.annotations.items()),
            owners=self.owners,
        )

    def item(self) -> InventoryItem:
        """As the inventory lists it."""
        return InventoryItem(
            name=self.name,
            uid=self.uid,
            labels=tuple(self.labels.items()),
            annotations=tuple(self.annotations.items()),
        )
