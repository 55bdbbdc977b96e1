"""The fields of the API's objects that are used, and only those: the rest is passed over while decoding.

Everything has a default: a bookmark has neither spec nor status.
"""

from __future__ import annotations

import msgspec


class Owner(msgspec.Struct, rename="camel", gc=False):
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class Meta(msgspec.Struct, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[Owner] | None = None

    def controller(self) -> Owner | None:
        """The owner that controls the object."""
        return next((owner for owner in self.owner_references or () if owner.controller), None)


class ManagedFields(msgspec.Struct, gc=False):
    """Of an entry only who wrote it."""

    manager: str = ""


class ManagedMeta(Meta):
    """With the field managers: tools that leave no other mark show there."""

    managed_fields: list[ManagedFields] | None = None


class SlimMeta(msgspec.Struct, rename="camel"):
    """A pod's: without annotations, which are large and unused."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str = ""
    owner_references: list[Owner] | None = None

    def controller(self) -> Owner | None:
        """The owner that controls the object."""
        return next((owner for owner in self.owner_references or () if owner.controller), None)


class StatusCondition(msgspec.Struct, rename="camel", gc=False):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None
    last_update_time: str | None = None


class Strategy(msgspec.Struct):
    type: str = "RollingUpdate"


class DeploymentSpec(msgspec.Struct):
    replicas: int = 1
    paused: bool = False
    strategy: Strategy = msgspec.field(default_factory=Strategy)
    template: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"))


class DeploymentStatus(msgspec.Struct, rename="camel"):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    conditions: list[StatusCondition] | None = None


class Deployment(msgspec.Struct):
    metadata: ManagedMeta
    spec: DeploymentSpec = msgspec.field(default_factory=DeploymentSpec)
    status: DeploymentStatus = msgspec.field(default_factory=DeploymentStatus)


class WholeMeta(Meta):
    """With the field managers' entries as they are: one object at a time is read so."""

    managed_fields: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b""))


class WholeDeployment(msgspec.Struct):
    """As a step of a plan needs it."""

    metadata: WholeMeta
    spec: DeploymentSpec = msgspec.field(default_factory=DeploymentSpec)
    status: DeploymentStatus = msgspec.field(default_factory=DeploymentStatus)


class ReplicaSetSpec(msgspec.Struct):
    replicas: int = 1
    template: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"))


class ReplicaSetStatus(msgspec.Struct, rename="camel"):
    replicas: int = 0
    ready_replicas: int = 0


class ReplicaSet(msgspec.Struct):
    metadata: Meta
    spec: ReplicaSetSpec = msgspec.field(default_factory=ReplicaSetSpec)
    status: ReplicaSetStatus = msgspec.field(default_factory=ReplicaSetStatus)


class Waiting(msgspec.Struct, gc=False):
    reason: str = ""
    message: str = ""


class Terminated(msgspec.Struct, rename="camel", gc=False):
    exit_code: int = 0
    finished_at: str | None = None


class Running(msgspec.Struct, gc=False):
    pass


class ContainerState(msgspec.Struct, gc=False):
    running: Running | None = None
    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(msgspec.Struct, rename="camel", gc=False):
    name: str = ""
    image: str = ""
    image_id: str = msgspec.field(default="", name="imageID")
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = msgspec.field(default_factory=ContainerState)
    last_state: ContainerState = msgspec.field(default_factory=ContainerState)


class PodSpec(msgspec.Struct, rename="camel"):
    node_name: str = ""


class PodStatus(msgspec.Struct, rename="camel"):
    phase: str = ""
    conditions: list[StatusCondition] | None = None
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None


class Pod(msgspec.Struct):
    metadata: SlimMeta
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus = msgspec.field(default_factory=PodStatus)


class BarePod(msgspec.Struct):
    """A pod with its annotations: only those without a controller are read so."""

    metadata: Meta
    status: PodStatus = msgspec.field(default_factory=PodStatus)


class JobSpec(msgspec.Struct):
    suspend: bool | None = None


class JobStatus(msgspec.Struct, rename="camel"):
    start_time: str | None = None
    completion_time: str | None = None
    conditions: list[StatusCondition] | None = None


class Job(msgspec.Struct):
    metadata: Meta
    spec: JobSpec = msgspec.field(default_factory=JobSpec)
    status: JobStatus = msgspec.field(default_factory=JobStatus)


class ServiceSpec(msgspec.Struct):
    selector: dict[str, str] | None = None


class Service(msgspec.Struct):
    metadata: Meta
    spec: ServiceSpec = msgspec.field(default_factory=ServiceSpec)


class EndpointConditions(msgspec.Struct, gc=False):
    """What is not said counts as: ready, serving like ready, not terminating."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class EndpointTarget(msgspec.Struct, gc=False):
    kind: str = ""
    name: str = ""


class Endpoint(msgspec.Struct, rename="camel"):
    conditions: EndpointConditions = msgspec.field(default_factory=EndpointConditions)
    target_ref: EndpointTarget = msgspec.field(default_factory=EndpointTarget)


SERVICE_LABEL = "kubernetes.io/service-name"


class EndpointSlice(msgspec.Struct):
    metadata: Meta
    endpoints: list[Endpoint] | None = None

    @property
    def service(self) -> str:
        """The name of the Service that it is a piece of."""
        return (self.metadata.labels or {}).get(SERVICE_LABEL, "")


class ScaleTarget(msgspec.Struct, gc=False):
    kind: str = ""
    name: str = ""


class AutoscalerSpec(msgspec.Struct, rename="camel"):
    scale_target_ref: ScaleTarget = msgspec.field(default_factory=ScaleTarget)
    min_replicas: int = 1
    max_replicas: int = 0


class Autoscaler(msgspec.Struct):
    metadata: Meta
    spec: AutoscalerSpec = msgspec.field(default_factory=AutoscalerSpec)


class ConfigMap(msgspec.Struct, rename="camel"):
    metadata: Meta
    data: dict[str, str] | None = None
    binary_data: dict[str, str] | None = None


class Involved(msgspec.Struct, gc=False):
    kind: str = ""
    name: str = ""
    namespace: str = ""


class Series(msgspec.Struct, rename="camel", gc=False):
    last_observed_time: str | None = None


class Event(msgspec.Struct, rename="camel"):
    metadata: SlimMeta
    involved_object: Involved = msgspec.field(default_factory=Involved)
    reason: str = ""
    message: str = ""
    last_timestamp: str | None = None
    event_time: str | None = None
    series: Series | None = None


class ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class Page(msgspec.Struct):
    """A page of a list; its items are decoded one by one."""

    metadata: ListMeta
    items: list[msgspec.Raw] | None = None


class Watched(msgspec.Struct):
    """An event of a watch."""

    type: str
    object: msgspec.Raw


class Status(msgspec.Struct):
    """What an ERROR event carries."""

    code: int = 0
    message: str = ""


class OnlyMeta(msgspec.Struct):
    """Any object, as far as its identity."""

    metadata: Meta
