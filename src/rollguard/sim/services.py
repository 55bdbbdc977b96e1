"""Services: their selectors, the EndpointSlices that follow these and the pods a little late, and their clients."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from rollguard.model.action import Applied, Conflict, FoundService, Rejected
from rollguard.model.facts import Endpoint, Service
from rollguard.model.names import Ref, WorkloadName
from rollguard.sim.json_patch import JsonObject
from rollguard.sim.objects import RECEIPT, SimDeployment, SimPod, at
from rollguard.sim.patching import annotations_of, patched, refusal
from rollguard.sim.traffic import Traffic
from rollguard.sim.watching import Watching


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """One accepted write to a Service or an autoscaler, for whoever checks what happened."""

    at: float
    sent_at: float
    actor: str
    ref: Ref
    before: dict[str, str]
    """Its selector, or its minimum as `minReplicas`."""
    after: dict[str, str]
    receipt: str
    """The value of the annotation `rollguard.dev/step` after it."""


@dataclass(slots=True, kw_only=True)
class ServiceTiming:
    """Seconds; pairs are the bounds of a seeded draw."""

    slices: tuple[float, float] = (0.03, 0.3)
    """From a change to the EndpointSlices that show it."""
    proxy: tuple[float, float] = (0.02, 0.4)
    """From the EndpointSlices to the clients' new connections."""
    keep_alive: float = 3.0
    """So long after that the last old connection is in use."""


STEPS = 6
"""In so many equal parts the connections move over to where new ones go."""
ORDER = 1e-6
"""Seconds between two things that nodes are told."""
CONNECTIONS = 20
"""Of all clients of a Service."""


@dataclass(slots=True, kw_only=True, eq=False)
class SimService:
    """A Service, what its EndpointSlices say, and where its clients' connections are."""

    namespace: str
    name: str
    uid: str
    created: float
    selector: dict[str, str]
    rps: float
    """What its clients ask together, requests per second."""
    annotations: dict[str, str] = field(default_factory=dict)
    version: int = 1
    deleted: bool = False
    slices: dict[str, tuple[SimPod, Endpoint]] = field(default_factory=dict)
    """By the pod's name."""
    sync_due: bool = False
    told: float = 0.0
    """When the clients' nodes are told of the newest EndpointSlices."""
    open_to: tuple[SimPod, ...] = ()
    """Where new connections go, as the clients' nodes know the EndpointSlices."""
    shares: dict[SimPod, float] = field(default_factory=dict)
    """The part of the connections that each pod has; they make 1 but where new ones find nobody."""
    moving: int = 0
    """Steps until the connections are spread evenly over where new ones go."""
    stepping: bool = False
    leaving: dict[SimPod, float] = field(default_factory=dict)
    """When the last connection ends to a pod that no new one goes to."""
    settled: float = 0.0
    lost: float = 0.0
    """Requests so far that nobody took: no endpoint, or one that does not run any more."""
    reset: dict[WorkloadName, int] = field(default_factory=dict)
    """Connections so far whose pod went while they were in use, by its workload."""

    @property
    def ref(self) -> Ref:
        """What it is called."""
        return Ref("Service", self.namespace, self.name, self.uid)

    def document(self) -> JsonObject:
        """The object as the server gives it, as far as a patch may touch it."""
        metadata: JsonObject = {"uid": self.uid, "resourceVersion": str(self.version)}
        if self.annotations:
            metadata["annotations"] = dict(self.annotations)
        return {"metadata": metadata, "spec": {"selector": dict(self.selector)}}

    def service(self) -> Service:
        """As the core sees it, but for its endpoints, which come by another watch."""
        return Service(
            namespace=self.namespace,
            name=self.name,
            uid=self.uid,
            created=at(self.created),
            selector=tuple(sorted(self.selector.items())),
            endpoints=(),
        )

    def endpoints(self) -> tuple[Endpoint, ...]:
        """What its EndpointSlices say."""
        return tuple(endpoint for _, (_, endpoint) in sorted(self.slices.items()))

    def share_of(self, workload: WorkloadName) -> float:
        """The part of its clients' connections that the workload's pods have."""
        return sum(share for pod, share in self.shares.items() if pod.owner.name == workload)

    def _selects(self, pod: SimPod) -> bool:
        return self.selector.items() <= pod.labels.items()


class Services:
    """The store of Services, the EndpointSlice controller and all clients."""

    def __init__(
        self,
        watching: Watching,
        traffic: Traffic,
        deployments: dict[WorkloadName, SimDeployment],
        rng: random.Random,
    ) -> None:
        self._watching = watching
        self._loop = watching.loop
        self._traffic = traffic
        self._deployments = deployments
        self._random = rng
        self.timing = ServiceTiming()
        self.all: dict[tuple[str, str], SimService] = {}
        self.refused: dict[str, str] = {}
        """Names of Services that admission refuses to change for the guard, and in which words."""
        self.on_change: Callable[[Adjusted], None] = lambda _change: None
        traffic.before.append(self._before)

    # --- what people do ---

    def create(
        self, name: str, selector: dict[str, str], *, rps: float, namespace: str = "production", age: float = 0.0
    ) -> SimService:
        """A new Service, whose clients begin to ask at once."""
        now = self._loop.time()
        uid = self._watching.uid()
        service = SimService(
            namespace=namespace, name=name, uid=uid, created=now - age, selector=selector, rps=rps, settled=now
        )
        self.all[namespace, name] = service
        self._touch(service)
        self._wake(service)
        return service

    def select(self, service: SimService, key: str, value: str, *, actor: str = "alice") -> None:
        """As `kubectl patch service`: the selector names another value."""
        self._change(service, actor, self._loop.time(), {**service.selector, key: value})

    def delete(self, service: SimService) -> None:
        """As `kubectl delete service`."""
        self._settle(service)
        service.deleted = True
        del self.all[service.namespace, service.name]
        self._let_go(service)
        self._touch(service)

    def settle(self) -> None:
        """Brings the counts of lost requests up to now."""
        for service in self.all.values():
            self._count(service)

    # --- the API server ---

    def found(self, ref: Ref) -> FoundService | None:
        """The Service, its EndpointSlices and the pods that its selector selects, read at one moment."""
        service = self.all.get((ref.namespace, ref.name))
        if service is None or (ref.uid and ref.uid != service.uid):
            return None
        ready = [pod for pod, endpoint in service.slices.values() if endpoint.ready]
        selected = {pod.name for pod in self._selected(service)}
        serving = sum(pod.name in selected for pod in ready)
        return FoundService(
            uid=service.uid,
            resource_version=str(service.version),
            selector=tuple(sorted(service.selector.items())),
            receipt=service.annotations.get(RECEIPT, ""),
            has_annotations=bool(service.annotations),
            serving=serving,
            strangers=len(ready) - serving,
        )

    def patch(
        self, ref: Ref, text: str, *, actor: str, sent_at: float, dry_run: bool
    ) -> Applied | Conflict | Rejected | None:
        """A JSON Patch as the API server takes it; None where there is no such Service."""
        service = self.all.get((ref.namespace, ref.name))
        if service is None:
            return None
        after = patched(service.document(), text)
        if isinstance(after, Conflict):
            return after
        if service.name in self.refused:
            return refusal(self.refused[service.name])
        spec, annotations = after.get("spec"), annotations_of(after)
        selector = spec.get("selector") if isinstance(spec, dict) else None
        if not isinstance(selector, dict) or annotations is None:
            return Rejected(status=422, detail="spec.selector must be an object")
        if not dry_run:
            service.annotations = annotations
            self._change(service, actor, sent_at, {key: str(value) for key, value in selector.items()})
        return Applied(at=at(self._loop.time()), generation=0)

    def _change(self, service: SimService, actor: str, sent_at: float, selector: dict[str, str]) -> None:
        before, service.selector = service.selector, selector
        self._touch(service)
        self._wake(service)
        self.on_change(
            Adjusted(
                at=self._loop.time(),
                sent_at=sent_at,
                actor=actor,
                ref=service.ref,
                before=before,
                after=selector,
                receipt=service.annotations.get(RECEIPT, ""),
            )
        )

    def _touch(self, service: SimService) -> None:
        self._watching.version += 1
        service.version = self._watching.version
        seen = None if service.deleted else service.service()
        for cache in self._watching.caches:
            cache.service(service.ref, seen)

    # --- the EndpointSlice controller ---

    def pods_changed(self, deployment: SimDeployment) -> None:
        """Pods of the Deployment came, went, became ready or stopped to be."""
        for service in self.all.values():
            if service.namespace == deployment.name.namespace:
                if any(pod.gone is not None for pod in service.shares if pod.owner is deployment):
                    self._pods_gone(service)
                self._wake(service)

    def _wake(self, service: SimService) -> None:
        if not service.sync_due:
            service.sync_due = True
            self._loop.call_later(self._random.uniform(*self.timing.slices), self._sync, service)

    def _sync(self, service: SimService) -> None:
        service.sync_due = False
        slices = {
            pod.name: (
                pod,
                Endpoint(
                    pod=pod.name, ready=pod.ready and not pod.deleting, serving=pod.ready, terminating=pod.deleting
                ),
            )
            for pod in self._selected(service)
        }
        if service.deleted or slices == service.slices:
            return
        service.slices = slices
        for cache in self._watching.caches:
            cache.endpoints(service.ref, service.endpoints())
        ready = tuple(pod for pod, endpoint in slices.values() if endpoint.ready)
        # what the nodes are told keeps its order
        service.told = max(service.told + ORDER, self._loop.time() + self._random.uniform(*self.timing.proxy))
        self._loop.call_at(service.told, self._open_to, service, ready)

    def _selected(self, service: SimService) -> list[SimPod]:
        """The pods that its selector selects, of whatever workload."""
        return [
            pod
            for workload, deployment in self._deployments.items()
            if workload.namespace == service.namespace
            for pod in deployment.pods()
            if service._selects(pod)
        ]

    # --- the clients ---

    def _open_to(self, service: SimService, ready: tuple[SimPod, ...]) -> None:
        """New connections go there from now on; those that are in use follow, the last after `keep_alive`."""
        if service.deleted or ready == service.open_to:
            return
        service.open_to = ready
        ends = self._loop.time() + self.timing.keep_alive
        left = (pod for pod in service.shares if pod not in ready)
        service.leaving = {pod: service.leaving.get(pod, ends) for pod in left}
        self._reopen(service, service.shares)
        service.moving = STEPS
        if not service.stepping:
            service.stepping = True
            self._loop.call_later(self.timing.keep_alive / STEPS, self._step, service)

    def _step(self, service: SimService) -> None:
        """One part of the connections ends, and is opened again where new ones go."""
        service.stepping = False
        if service.deleted:
            return
        now, step = self._loop.time(), self.timing.keep_alive / STEPS
        kept = {}
        for pod, share in service.shares.items():
            left = service.leaving[pod] - now if pod in service.leaving else None
            part = 1.0 - 1.0 / max(1, service.moving) if left is None else max(0.0, left) / (max(0.0, left) + step)
            kept[pod] = share * part
        self._reopen(service, kept)
        service.moving = max(0, service.moving - 1)
        if service.moving or any(pod in service.leaving for pod in service.shares):
            service.stepping = True
            self._loop.call_later(step, self._step, service)

    def _pods_gone(self, service: SimService) -> None:
        """Connections to pods that are gone are reset."""
        self._settle(service)
        for pod, share in service.shares.items():
            if pod.gone is not None:
                number = max(1, round(share * CONNECTIONS))
                service.reset[pod.owner.name] = service.reset.get(pod.owner.name, 0) + number
                service.lost += number
        self._reopen(service, service.shares)

    def _reopen(self, service: SimService, kept: dict[SimPod, float]) -> None:
        """These connections stay where their pod runs; all others are opened where new ones go."""
        shares = {pod: share for pod, share in kept.items() if pod.running and share > 1e-9}
        free = 1.0 - sum(shares.values())
        goal = [pod for pod in service.open_to if pod.gone is None]
        for pod in goal:
            shares[pod] = shares.get(pod, 0.0) + free / len(goal)
        self._move(service, shares)

    def _move(self, service: SimService, shares: dict[SimPod, float]) -> None:
        self._settle(service)
        for pod in service.shares:
            self._traffic.behind.pop(pod.uid, None)
        service.shares = shares
        for pod, share in shares.items():
            self._traffic.behind[pod.uid] = share * service.rps

    def _let_go(self, service: SimService) -> None:
        self._move(service, {})
        service.moving, service.open_to, service.leaving = 0, (), {}

    def _settle(self, service: SimService) -> None:
        """Lets the requests until now happen as the connections are."""
        for deployment in {pod.owner.name: pod.owner for pod in service.shares}.values():
            self._traffic.settle(deployment, self._loop.time())
        self._count(service)

    def _before(self, deployment: SimDeployment) -> None:
        """Something is about to change on its pods."""
        for service in self.all.values():
            if any(pod.owner is deployment for pod in service.shares):
                self._count(service)

    def _count(self, service: SimService) -> None:
        """Counts the requests until now that nobody takes."""
        now = self._loop.time()
        taken = sum(share for pod, share in service.shares.items() if pod.running)
        service.lost += max(0.0, 1.0 - taken) * service.rps * (now - service.settled)
        service.settled = now
