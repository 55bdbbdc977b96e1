"""HorizontalPodAutoscalers: one sync at a time, off at 0 replicas, slow to scale down; and tools that keep them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from rollguard.model.action import Applied, Conflict, FoundAutoscaler, Rejected
from rollguard.model.facts import Autoscaler
from rollguard.model.names import Ref
from rollguard.sim.json_patch import JsonObject
from rollguard.sim.objects import RECEIPT, SimDeployment, at
from rollguard.sim.patching import annotations_of, patched
from rollguard.sim.services import Adjusted
from rollguard.sim.traffic import Traffic
from rollguard.sim.watching import Watching

TOLERANCE = 0.1
"""So near to what one pod is to carry nothing is scaled."""


@dataclass(slots=True, kw_only=True)
class ScalingTiming:
    """Seconds."""

    sync: float = 3.0
    stabilisation: float = 12.0
    """A scale-down goes no lower than any wish of that time."""
    set_back: float = 4.0
    """From a change of a minimum until the tool that keeps it sets it back."""


@dataclass(slots=True, kw_only=True, eq=False)
class SimAutoscaler:
    """An autoscaler of one Deployment."""

    name: str
    uid: str
    target: SimDeployment
    minimum: int
    maximum: int
    per_pod: float
    """Requests per second that one pod is to carry."""
    owner: str = ""
    """The tool's object that keeps its minimum (KEDA's), empty where none does."""
    kept_at: int = 0
    annotations: dict[str, str] = field(default_factory=dict)
    version: int = 1
    wishes: list[tuple[float, int]] = field(default_factory=list)

    @property
    def ref(self) -> Ref:
        """What it is called."""
        return Ref("HorizontalPodAutoscaler", self.target.name.namespace, self.name, self.uid)

    def document(self) -> JsonObject:
        """The object as the server gives it, as far as a patch may touch it."""
        metadata: JsonObject = {"uid": self.uid, "resourceVersion": str(self.version)}
        if self.annotations:
            metadata["annotations"] = dict(self.annotations)
        return {"metadata": metadata, "spec": {"minReplicas": self.minimum, "maxReplicas": self.maximum}}

    def autoscaler(self) -> Autoscaler:
        """As the core sees it."""
        return Autoscaler(
            namespace=self.target.name.namespace,
            name=self.name,
            uid=self.uid,
            workload=self.target.name,
            minimum=self.minimum,
            maximum=self.maximum,
            owner=self.owner,
        )


class Scaling:
    """The store of autoscalers and their controller. `scale` is how it changes `spec.replicas`."""

    def __init__(self, watching: Watching, traffic: Traffic, scale: Callable[[SimDeployment, int], None]) -> None:
        self._watching = watching
        self._loop = watching.loop
        self._traffic = traffic
        self._scale = scale
        self.timing = ScalingTiming()
        self.all: dict[tuple[str, str], SimAutoscaler] = {}
        self.on_change: Callable[[Adjusted], None] = lambda _change: None

    # --- what people and tools do ---

    def create(
        self, deployment: SimDeployment, minimum: int, maximum: int, *, per_pod: float, owner: str = ""
    ) -> SimAutoscaler:
        """A new autoscaler of the Deployment, of its name; `owner` is a tool that keeps its minimum."""
        autoscaler = SimAutoscaler(
            name=deployment.name.name,
            uid=self._watching.uid(),
            target=deployment,
            minimum=minimum,
            maximum=maximum,
            per_pod=per_pod,
            owner=owner,
            kept_at=minimum,
        )
        self.all[deployment.name.namespace, autoscaler.name] = autoscaler
        self._touch(autoscaler)
        self._loop.call_later(self.timing.sync, self._sync, autoscaler)
        return autoscaler

    def set_minimum(self, autoscaler: SimAutoscaler, minimum: int, *, actor: str = "alice") -> None:
        """As `kubectl patch hpa`."""
        self._change(autoscaler, actor, self._loop.time(), minimum)

    # --- the API server ---

    def found(self, ref: Ref) -> FoundAutoscaler | None:
        """The autoscaler as it is."""
        autoscaler = self.all.get((ref.namespace, ref.name))
        if autoscaler is None or (ref.uid and ref.uid != autoscaler.uid):
            return None
        return FoundAutoscaler(
            uid=autoscaler.uid,
            resource_version=str(autoscaler.version),
            minimum=autoscaler.minimum,
            maximum=autoscaler.maximum,
            receipt=autoscaler.annotations.get(RECEIPT, ""),
            has_annotations=bool(autoscaler.annotations),
        )

    def patch(
        self, ref: Ref, text: str, *, actor: str, sent_at: float, dry_run: bool
    ) -> Applied | Conflict | Rejected | None:
        """A JSON Patch as the API server takes it; None where there is no such autoscaler."""
        autoscaler = self.all.get((ref.namespace, ref.name))
        if autoscaler is None:
            return None
        after = patched(autoscaler.document(), text)
        if isinstance(after, Conflict):
            return after
        spec, annotations = after.get("spec"), annotations_of(after)
        minimum = spec.get("minReplicas") if isinstance(spec, dict) else None
        if not isinstance(minimum, int) or annotations is None:
            return Rejected(status=422, detail="spec.minReplicas must be a number")
        if not 1 <= minimum <= autoscaler.maximum:
            return Rejected(status=422, detail="spec.maxReplicas: must be greater than or equal to `minReplicas`")
        if not dry_run:
            autoscaler.annotations = annotations
            self._change(autoscaler, actor, sent_at, minimum)
        return Applied(at=at(self._loop.time()), generation=0)

    def _change(self, autoscaler: SimAutoscaler, actor: str, sent_at: float, minimum: int) -> None:
        before, autoscaler.minimum = autoscaler.minimum, minimum
        self._touch(autoscaler)
        if autoscaler.owner and minimum != autoscaler.kept_at:
            self._loop.call_later(self.timing.set_back, self._set_back, autoscaler)
        self.on_change(
            Adjusted(
                at=self._loop.time(),
                sent_at=sent_at,
                actor=actor,
                ref=autoscaler.ref,
                before={"minReplicas": str(before)},
                after={"minReplicas": str(minimum)},
                receipt=autoscaler.annotations.get(RECEIPT, ""),
            )
        )

    def _set_back(self, autoscaler: SimAutoscaler) -> None:
        if autoscaler.minimum != autoscaler.kept_at:
            self._change(autoscaler, "keda", self._loop.time(), autoscaler.kept_at)

    def _touch(self, autoscaler: SimAutoscaler) -> None:
        self._watching.version += 1
        autoscaler.version = self._watching.version
        for cache in self._watching.caches:
            cache.autoscaler(autoscaler.ref, autoscaler.autoscaler())

    # --- the controller ---

    def _sync(self, autoscaler: SimAutoscaler) -> None:
        deployment = autoscaler.target
        if deployment.deleted:
            return
        self._loop.call_later(self.timing.sync, self._sync, autoscaler)
        if deployment.replicas == 0:
            autoscaler.wishes.clear()
            return
        now = self._loop.time()
        wish = min(autoscaler.maximum, max(autoscaler.minimum, self._by_load(autoscaler)))
        autoscaler.wishes = [(t, n) for t, n in autoscaler.wishes if now - t < self.timing.stabilisation]
        autoscaler.wishes.append((now, wish))
        if wish < deployment.replicas:
            wish = min(deployment.replicas, max(n for _, n in autoscaler.wishes))
        if wish != deployment.replicas:
            self._scale(deployment, wish)

    def _by_load(self, autoscaler: SimAutoscaler) -> int:
        pods = [pod for pod in autoscaler.target.pods() if pod.ready and not pod.deleting]
        if not pods:
            return autoscaler.target.replicas
        load = sum(self._traffic.behind.get(pod.uid, 0.0) for pod in pods)
        if abs(load / (len(pods) * autoscaler.per_pod) - 1.0) <= TOLERANCE:
            return autoscaler.target.replicas
        return math.ceil(load / autoscaler.per_pod)
