"""The simulated cluster: its API server's objects, controller, nodes, traffic, and the people who act on it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from rollguard.model.action import FIELD_MANAGER, Applied, Conflict, Rejected
from rollguard.model.facts import Configuration, Owner, Template
from rollguard.model.metrics import GapCause
from rollguard.model.names import Ref, WorkloadKind, WorkloadName
from rollguard.sim.controller import Controller
from rollguard.sim.json_patch import JsonObject
from rollguard.sim.kubelet import Kubelet, KubeletTiming
from rollguard.sim.lease import Lease
from rollguard.sim.network import InvariantBroken
from rollguard.sim.objects import LAST_APPLIED, RECEIPT, REVISION, SimDeployment, applied_by, at
from rollguard.sim.patching import annotations_of, patched, refusal
from rollguard.sim.queues import Queues
from rollguard.sim.scaling import Scaling
from rollguard.sim.services import Adjusted, Services
from rollguard.sim.store import RecordStore
from rollguard.sim.template import canonical, pod_template, template_of
from rollguard.sim.traffic import Traffic
from rollguard.sim.watching import Watching

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One accepted write to a Deployment, for whoever checks what happened."""

    at: float
    sent_at: float
    actor: str
    workload: WorkloadName
    before: Template
    after: Template
    replicas_before: int
    replicas_after: int
    receipt: str
    """The value of the annotation `rollguard.dev/step` after it."""
    observed: bool
    """Whether the status was up to date (observedGeneration = generation) before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitted:
    """A Kubernetes Event that the guard put on a workload."""

    at: float
    uid: str
    workload: WorkloadName
    reason: str
    text: str
    warning: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One mutating request (no dry run) at the moment in which a process hands it to its port."""

    at: float
    process: str
    ref: Ref
    patch: str
    timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A time in which the metrics store does not answer, by virtual seconds."""

    start: float
    end: float
    cause: GapCause


@dataclass(slots=True, kw_only=True)
class WorldSettings:
    """How the simulated cluster is made. Seconds."""

    scrape_interval: float = 15.0
    kubelet: KubeletTiming


class World:
    """All that is the same for every process that looks at the cluster. Make it inside a running loop."""

    def __init__(self, seed: int, settings: WorldSettings | None = None) -> None:
        settings = settings or WorldSettings(kubelet=KubeletTiming())
        self.loop = asyncio.get_running_loop()
        self.random = random.Random(seed)
        self.watching = Watching(self.loop, self.random)
        self.traffic = Traffic(random.Random(seed + 1), settings.scrape_interval)
        self.kubelet = Kubelet(self.watching, self.traffic, settings.kubelet)
        self.controller = Controller(self.kubelet, self.watching)
        self.kubelet.on_change = self._pods_changed
        self.deployments: dict[WorkloadName, SimDeployment] = {}
        self.services = Services(self.watching, self.traffic, self.deployments, random.Random(seed + 2))
        self.services.on_change = self._adjusted
        self.queues = Queues(self.watching, self.traffic)
        self.scaling = Scaling(self.watching, self.traffic, self.scale)
        self.scaling.on_change = self._adjusted
        self.records = RecordStore(self.loop)
        self.lease = Lease()
        self.saved_templates: dict[tuple[str, str], Template] = {}
        self.emitted: list[Emitted] = []
        self.evidence: list[tuple[float, str]] = []
        self.refused: dict[WorkloadName, str] = {}
        """Deployments whose templates admission refuses to change for the guard, and in which words."""
        self.admission: Callable[[JsonObject], JsonObject] = lambda raw: raw
        """What mutating admission makes of each template that is written."""
        self.changes: list[Changed] = []
        self.on_change: list[Callable[[Changed], None]] = []
        self.on_adjust: list[Callable[[Adjusted], None]] = []
        self.on_pods: list[Callable[[SimDeployment], None]] = []
        """Told of each Deployment whose pods came, went or changed."""
        self.on_send: list[Callable[[Sent], None]] = []
        self.blind: list[Blind] = []
        self.configuration = Configuration()
        """The fingerprints of ConfigMaps; of what is not set nothing is known."""

    # --- what people and other controllers do ---

    def deploy(
        self,
        name: str,
        image: str,
        *,
        namespace: str = "production",
        replicas: int = 3,
        rps: float = 20.0,
        labels: tuple[tuple[str, str], ...] = (),
        pod_labels: tuple[tuple[str, str], ...] = (),
        age: float = 0.0,
        config: str = "",
        owners: tuple[Owner, ...] = (),
    ) -> SimDeployment:
        """A new Deployment; with `age` it has stood that long already, by its own timestamps."""
        workload = WorkloadName(namespace, WorkloadKind.DEPLOYMENT, name)
        applied = pod_template(name, image, labels=pod_labels, config=config)
        raw = self.admission(applied)
        now = self.loop.time()
        deployment = SimDeployment(
            name=workload,
            uid=self.watching.uid(),
            created=now - age,
            labels={"app": name, **dict(labels)},
            annotations={LAST_APPLIED: canonical({"spec": {"template": applied}})},
            raw=raw,
            template=template_of(raw),
            replicas=replicas,
            rps=rps,
            pod_labels=pod_labels,
            config=config,
            owners=owners,
        )
        deployment.progressed = now
        self.deployments[workload] = deployment
        self.watching.touch(deployment)
        self.controller.wake(deployment)
        return deployment

    def backdate(self, deployment: SimDeployment, seconds: float) -> None:
        """As if all that is there had been there that much longer, by the cluster's own timestamps."""
        deployment.created -= seconds
        status, reason, since = deployment.condition
        deployment.condition = (status, reason, since - seconds)
        for replica_set in deployment.replica_sets:
            replica_set.created -= seconds
            self.watching.revision_changed(deployment, replica_set)
            for pod in replica_set.pods:
                pod.created -= seconds
                pod.ready_since = None if pod.ready_since is None else pod.ready_since - seconds
                self.watching.pod_changed(pod)
        self.watching.touch(deployment)

    def set_image(
        self,
        deployment: SimDeployment,
        image: str,
        *,
        actor: str = "alice",
        annotations: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """As `kubectl apply` of the manifest with another image."""
        raw = pod_template(
            deployment.name.name,
            image,
            labels=deployment.pod_labels,
            annotations=annotations,
            config=deployment.config,
        )
        deployment.annotations[LAST_APPLIED] = canonical({"spec": {"template": raw}})
        deployment.managers = [applied_by("kubectl")]
        self._change(deployment, actor, self.loop.time(), raw=raw)

    def undo_by_hand(self, deployment: SimDeployment, *, actor: str = "alice", number: int | None = None) -> bool:
        """As `kubectl rollout undo`: template and annotations of the revision with the second highest number, or of
        the one asked for; False where there is none or it has the Deployment's template already."""
        by_number = sorted(deployment.replica_sets, key=lambda found: found.number)
        chosen = by_number[-2:-1] if number is None else [found for found in by_number if found.number == number]
        if not chosen or chosen[0].template.digest == deployment.template.digest:
            return False
        back = chosen[0]
        kept = {key: value for key, value in deployment.annotations.items() if key in (LAST_APPLIED, REVISION)}
        deployment.annotations = {**back.annotations, **kept}
        self._change(deployment, actor, self.loop.time(), raw=back.raw)
        return True

    def scale(self, deployment: SimDeployment, replicas: int, *, actor: str = "autoscaler") -> None:
        """As an autoscaler or `kubectl scale` does."""
        self._change(deployment, actor, self.loop.time(), replicas=replicas)

    def annotate(self, deployment: SimDeployment, key: str, value: str) -> None:
        """As `kubectl annotate`: moves resourceVersion, not generation."""
        deployment.annotations[key] = value
        self.watching.touch(deployment)

    def pause_rollout(self, deployment: SimDeployment, *, paused: bool = True) -> None:
        """As `kubectl rollout pause` (or resume)."""
        deployment.paused = paused
        deployment.generation += 1
        deployment.generation_since = self.loop.time()
        self.watching.touch(deployment)
        self.controller.wake(deployment)

    def delete(self, deployment: SimDeployment) -> None:
        """As `kubectl delete deployment`."""
        deployment.deleted = True
        del self.deployments[deployment.name]
        for pod in deployment.pods():
            self.kubelet.delete(pod)
        self.watching.touch(deployment)

    def database_down(self, down: bool) -> None:
        """The shared database fails (or returns): all workloads suffer alike."""
        self.settle()
        self.traffic.database_down = down

    def settle(self) -> None:
        """Brings all counters up to now."""
        for deployment in self.deployments.values():
            self.traffic.settle(deployment, self.loop.time())
        self.services.settle()

    def _pods_changed(self, deployment: SimDeployment) -> None:
        self.controller.wake(deployment)
        self.services.pods_changed(deployment)
        self.queues.pods_changed(deployment)
        for listener in self.on_pods:
            listener(deployment)

    # --- the API server ---

    def send(self, sent: Sent) -> None:
        """A mutating request is about to leave."""
        self._tell(self.on_send, sent)

    def patch(
        self, ref: Ref, text: str, *, actor: str, sent_at: float, dry_run: bool
    ) -> Applied | Conflict | Rejected | None:
        """A JSON Patch as the API server takes it; None where there is no such object. Raises ValueError for a kind
        that it does not know."""
        match ref.kind:
            case "Deployment":
                return self._patch(ref, text, actor=actor, sent_at=sent_at, dry_run=dry_run)
            case "Service":
                return self.services.patch(ref, text, actor=actor, sent_at=sent_at, dry_run=dry_run)
            case "HorizontalPodAutoscaler":
                return self.scaling.patch(ref, text, actor=actor, sent_at=sent_at, dry_run=dry_run)
        raise ValueError(f"no such kind: {ref.kind}")

    def _patch(
        self, ref: Ref, text: str, *, actor: str, sent_at: float, dry_run: bool
    ) -> Applied | Conflict | Rejected | None:
        workload = WorkloadName(ref.namespace, WorkloadKind.DEPLOYMENT, ref.name)
        deployment = self.deployments.get(workload)
        if deployment is None:
            return None
        after = patched(deployment.document(), text)
        if isinstance(after, Conflict):
            return after
        if workload in self.refused:
            return refusal(self.refused[workload])
        metadata, spec, annotations = after.get("metadata"), after.get("spec"), annotations_of(after)
        if not isinstance(metadata, dict) or not isinstance(spec, dict):
            return Rejected(status=422, detail="metadata and spec are required")
        raw, replicas, managers = spec.get("template"), spec.get("replicas"), metadata.get("managedFields")
        if not isinstance(raw, dict) or annotations is None or not isinstance(replicas, int):
            return Rejected(status=422, detail="spec.template must be an object, spec.replicas a number")
        if not template_of(raw).images:
            return Rejected(status=422, detail="spec.template.spec.containers: Required value")
        raw = self.admission(raw)
        if dry_run:
            return self._applied(deployment, template_of(raw))
        deployment.annotations = annotations
        deployment.paused = spec.get("paused") is True
        # As the server does: who changes the containers owns them from then on, whatever else the patch says.
        if template_of(raw).digest != deployment.template.digest:
            deployment.managers = [applied_by(FIELD_MANAGER, "Update")]
        elif isinstance(managers, list):
            deployment.managers = managers
        self._change(deployment, actor, sent_at, raw=raw, replicas=replicas)
        return self._applied(deployment, deployment.template)

    def _applied(self, deployment: SimDeployment, template: Template) -> Applied:
        return Applied(
            at=at(self.loop.time()),
            generation=deployment.generation,
            template_body=template.body,
            template_digest=template.digest,
        )

    def _change(
        self,
        deployment: SimDeployment,
        actor: str,
        sent_at: float,
        *,
        raw: JsonObject | None = None,
        replicas: int | None = None,
    ) -> None:
        before, replicas_before = deployment.template, deployment.replicas
        observed = deployment.observed_generation == deployment.generation
        self.traffic.settle(deployment, self.loop.time())
        if raw is not None:
            deployment.set_template(self.admission(raw))
        if replicas is not None:
            deployment.replicas = replicas
        if before.digest != deployment.template.digest or replicas_before != deployment.replicas:
            deployment.generation += 1
            deployment.generation_since = self.loop.time()
        self.watching.touch(deployment)
        self.controller.wake(deployment)
        change = Changed(
            at=self.loop.time(),
            sent_at=sent_at,
            actor=actor,
            workload=deployment.name,
            before=before,
            after=deployment.template,
            replicas_before=replicas_before,
            replicas_after=deployment.replicas,
            receipt=deployment.annotations.get(RECEIPT, ""),
            observed=observed,
        )
        self.changes.append(change)
        self._tell(self.on_change, change)

    def _adjusted(self, change: Adjusted) -> None:
        self._tell(self.on_adjust, change)

    def _tell(self, listeners: Iterable[Callable[[T], None]], told: T) -> None:
        try:
            for listener in listeners:
                listener(told)
        except InvariantBroken as error:
            self.records.broken.append(error)
            raise
