"""Pods on two nodes: scheduling, image pulls, start-up, readiness, crash loops with back-off, termination."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollguard.model.facts import ClusterEvent
from rollguard.sim.behaviour import PULL_FAILURES, of_image
from rollguard.sim.objects import ReplicaSet, SimDeployment, SimPod, at
from rollguard.sim.template import labels_of
from rollguard.sim.traffic import Traffic
from rollguard.sim.watching import Watching

NODES = ("node-a", "node-b")


@dataclass(slots=True, kw_only=True)
class KubeletTiming:
    """Seconds; pairs are the bounds of a seeded draw."""

    schedule: tuple[float, float] = (0.01, 0.05)
    pull: tuple[float, float] = (0.2, 1.0)
    startup: tuple[float, float] = (1.0, 3.0)
    grace: tuple[float, float] = (0.3, 1.0)
    backoff: float = 10.0
    backoff_cap: float = 300.0


class Kubelet:
    """Both nodes' kubelets."""

    def __init__(self, watching: Watching, traffic: Traffic, timing: KubeletTiming) -> None:
        self._watching = watching
        self._traffic = traffic
        self._timing = timing
        self._random = watching.random
        self._loop = watching.loop
        self._next_node = 0
        self.on_change: Callable[[SimDeployment], None] = lambda _deployment: None
        self.broken_registry = ""
        """Name of a pull failure that hits every image now, in the words of `PULL_FAILURES`; else empty."""

    def create(self, deployment: SimDeployment, replica_set: ReplicaSet) -> None:
        """A new pod of the revision."""
        image = replica_set.template.images[0][1]
        letters = "".join(self._random.choice("bcdfghjklmnpqrstvwxz2456789") for _ in range(5))
        pod = SimPod(
            name=f"{deployment.name.name}-{replica_set.hash}-{letters}",
            uid=self._watching.uid(),
            owner=deployment,
            revision=replica_set.hash,
            image=image,
            behaviour=of_image(image),
            created=self._loop.time(),
            labels=labels_of(replica_set.raw),
        )
        self._traffic.settle(deployment, pod.created)
        replica_set.pods.append(pod)
        self._traffic.add(pod, pod.created)
        self._later(self._timing.schedule, pod, self._schedule)

    def delete(self, pod: SimPod) -> None:
        """Ends the pod after its grace period."""
        if pod.deleting:
            return
        self._settle(pod)
        pod.deleting = True
        self._changed(pod)
        self._loop.call_later(self._random.uniform(*self._timing.grace), self._remove, pod)

    def crash(self, pod: SimPod, exit_code: int) -> None:
        """The container ends; it is started again after its back-off (the first time at once)."""
        if not pod.running:
            return
        self._settle(pod)
        now = self._loop.time()
        pod.running = pod.ready = False
        pod.ready_since = None
        pod.failures += 1
        pod.run += 1
        pod.exit_code, pod.finished = exit_code, now
        wait = 0.0
        if pod.failures > 1:
            wait = min(self._timing.backoff_cap, self._timing.backoff * 2.0 ** (pod.failures - 2))
            pod.waiting_reason = "CrashLoopBackOff"
            pod.waiting_message = f"back-off {wait:g}s restarting failed container=app pod={pod.name}"
        self._changed(pod)
        self._loop.call_later(wait + 0.2, self._restart, pod, pod.run)

    def restart_node(self, node: str) -> None:
        """All containers of a node end at once, old and new alike."""
        for series in list(self._traffic.series.values()):
            if series.pod.node == node and series.pod.running and series.pod.gone is None:
                self.crash(series.pod, 137)

    def _later(self, bounds: tuple[float, float], pod: SimPod, then: Callable[[SimPod], None]) -> None:
        self._loop.call_later(self._random.uniform(*bounds), self._if_there, pod, pod.run, then)

    @staticmethod
    def _if_there(pod: SimPod, run: int, then: Callable[[SimPod], None]) -> None:
        if pod.gone is None and pod.run == run and not pod.deleting:
            then(pod)

    def _schedule(self, pod: SimPod) -> None:
        pod.node = NODES[self._next_node % len(NODES)]
        self._next_node += 1
        self._changed(pod)
        self._later(self._timing.pull, pod, self._pulled)

    def _pulled(self, pod: SimPod) -> None:
        failure = pod.behaviour.pull or self.broken_registry
        if not failure:
            self._start(pod)
            return
        reason, message = PULL_FAILURES[failure]
        message = message.replace("IMAGE", pod.image)
        pod.waiting_reason, pod.waiting_message = reason, message
        self._changed(pod)
        failed = f'Failed to pull image "{pod.image}": {message}'
        event = ClusterEvent(pod=pod.name, reason="Failed", message=failed, last_seen=at(self._loop.time()))
        self._watching.event(pod, event)
        if reason == "ErrImagePull":
            pod.failures += 1
            self._later((0.3, 0.6), pod, self._back_off_pull)

    def _back_off_pull(self, pod: SimPod) -> None:
        pod.waiting_reason = "ImagePullBackOff"
        pod.waiting_message = f'Back-off pulling image "{pod.image}"'
        self._changed(pod)
        wait = min(self._timing.backoff_cap, self._timing.backoff * 2.0 ** (pod.failures - 1))
        self._later((wait, wait), pod, self._pulled)

    def _restart(self, pod: SimPod, run: int) -> None:
        if pod.gone is None and not pod.deleting and pod.run == run:
            pod.restarts += 1
            self._start(pod)

    def _start(self, pod: SimPod) -> None:
        self._settle(pod)
        now = self._loop.time()
        pod.phase, pod.running, pod.started = "Running", True, now
        pod.run += 1
        pod.waiting_reason = pod.waiting_message = ""
        self._changed(pod)
        crash = pod.behaviour.crash_after
        if pod.behaviour.becomes_ready and (crash is None or crash > self._timing.startup[1]):
            self._later(self._timing.startup, pod, self._become_ready)
        if crash is not None:
            self._later((crash, crash * 1.2), pod, lambda pod: self.crash(pod, 1))

    def _become_ready(self, pod: SimPod) -> None:
        self._settle(pod)
        pod.ready, pod.ready_since = True, self._loop.time()
        self._changed(pod)

    def _remove(self, pod: SimPod) -> None:
        self._settle(pod)
        now = self._loop.time()
        pod.running = pod.ready = False
        pod.gone = now
        for replica_set in pod.owner.replica_sets:
            if pod in replica_set.pods:
                replica_set.pods.remove(pod)
                self._watching.revision_changed(pod.owner, replica_set)
        self._traffic.end(pod, now)
        self._changed(pod)

    def _settle(self, pod: SimPod) -> None:
        self._traffic.settle(pod.owner, self._loop.time())

    def _changed(self, pod: SimPod) -> None:
        self._watching.pod_changed(pod)
        self.on_change(pod.owner)
