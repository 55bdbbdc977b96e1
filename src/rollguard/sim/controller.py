"""The Deployment controller: ReplicaSets by template, revision numbers, rolling update, status, pruned history."""

from __future__ import annotations

import math

from rollguard.sim.kubelet import Kubelet
from rollguard.sim.objects import LAST_APPLIED, REVISION, ReplicaSet, SimDeployment, SimPod
from rollguard.sim.template import hash_of
from rollguard.sim.watching import Watching

_NOT_COPIED = (LAST_APPLIED, REVISION)


class Controller:
    """Brings Deployments towards their specs, one sync at a time, each a seeded moment after its cause."""

    def __init__(self, kubelet: Kubelet, watching: Watching) -> None:
        self._kubelet = kubelet
        self._watching = watching
        self._random = watching.random
        self.lag = (0.02, 0.15)

    def wake(self, deployment: SimDeployment) -> None:
        """Something changed: a sync is due soon."""
        if deployment.sync_due:
            return
        deployment.sync_due = True
        self._watching.loop.call_later(self._random.uniform(*self.lag), self._sync, deployment)

    def _sync(self, deployment: SimDeployment) -> None:
        deployment.sync_due = False
        if deployment.deleted:
            return
        target = self._target(deployment)
        if not deployment.paused:
            self._scale_up(deployment, target)
            self._scale_down(deployment, target)
        elif len([found for found in deployment.replica_sets if found.replicas]) <= 1:
            self._scale_up(deployment, target)
        for replica_set in list(deployment.replica_sets):
            self._reconcile(deployment, replica_set)
        self._prune(deployment, target)
        self._status(deployment, target)

    def _target(self, deployment: SimDeployment) -> ReplicaSet:
        highest = max((found.number for found in deployment.replica_sets), default=0)
        target = deployment.target()
        now = self._watching.loop.time()
        if target is None:
            hash_ = hash_of(deployment.template)
            target = ReplicaSet(
                hash=hash_,
                uid=self._watching.uid(),
                number=highest + 1,
                created=now,
                raw=deployment.raw,
                template=deployment.template,
                annotations={},
            )
            deployment.replica_sets.append(target)
            deployment.condition = ("True", "NewReplicaSetCreated", now)
            deployment.progressed = now
        elif target.number < highest:
            target.number = highest + 1
            deployment.condition = ("True", "FoundNewReplicaSet", now)
            deployment.progressed = now
        if deployment.annotations.get(REVISION) != str(target.number):
            deployment.annotations[REVISION] = str(target.number)
            self._watching.touch(deployment)
        copied = {key: value for key, value in deployment.annotations.items() if key not in _NOT_COPIED}
        target.annotations.update(copied)
        return target

    @staticmethod
    def _scale_up(deployment: SimDeployment, target: ReplicaSet) -> None:
        total = sum(found.replicas for found in deployment.replica_sets)
        if total == target.replicas:
            target.replicas = deployment.replicas
            return
        room = deployment.replicas + deployment.max_surge - total
        wanted = min(room, deployment.replicas - target.replicas)
        target.replicas += max(0, wanted)
        target.replicas = min(target.replicas, deployment.replicas)

    @staticmethod
    def _scale_down(deployment: SimDeployment, target: ReplicaSet) -> None:
        old = sorted((f for f in deployment.replica_sets if f is not target and f.replicas), key=lambda f: f.created)
        if not old:
            return
        least = deployment.replicas - deployment.max_unavailable
        ready = {found.uid: sum(pod.ready and not pod.deleting for pod in found.pods) for found in old}
        new_ready = sum(pod.ready and not pod.deleting for pod in target.pods)
        total = sum(found.replicas for found in deployment.replica_sets)
        removable = total - least - (target.replicas - new_ready)
        for found in old:
            unhealthy = min(removable, max(0, found.replicas - ready[found.uid]))
            if unhealthy > 0:
                found.replicas -= unhealthy
                removable -= unhealthy
        spare = new_ready + sum(ready.values()) - least
        for found in old:
            gone = min(found.replicas, spare)
            if gone > 0:
                found.replicas -= gone
                spare -= gone

    def _reconcile(self, deployment: SimDeployment, replica_set: ReplicaSet) -> None:
        alive = [pod for pod in replica_set.pods if not pod.deleting]
        missing = replica_set.replicas - len(alive)
        for _ in range(missing):
            self._kubelet.create(deployment, replica_set)
        if missing < 0:
            for pod in sorted(alive, key=_worst_first)[:-missing]:
                self._kubelet.delete(pod)
        if missing:
            self._watching.revision_changed(deployment, replica_set)

    def _prune(self, deployment: SimDeployment, target: ReplicaSet) -> None:
        old = [f for f in deployment.replica_sets if f is not target and not f.replicas and not f.pods]
        excess = len(old) - deployment.history_limit
        for found in sorted(old, key=lambda f: f.number)[: max(0, excess)]:
            deployment.replica_sets.remove(found)
            self._watching.revision_gone(deployment, found)

    def _status(self, deployment: SimDeployment, target: ReplicaSet) -> None:
        now = self._watching.loop.time()
        pods = [pod for pod in deployment.pods() if not pod.deleting]
        before = (deployment.updated, deployment.total, deployment.available, deployment.observed_generation)
        condition_before = deployment.condition
        deployment.total = len(pods)
        deployment.updated = sum(pod.revision == target.hash for pod in pods)
        deployment.ready = deployment.available = sum(pod.ready for pod in pods)
        deployment.observed_generation = deployment.generation
        after = (deployment.updated, deployment.total, deployment.available, deployment.observed_generation)
        if after[:3] != before[:3]:
            deployment.progressed = now
            if deployment.condition[1] == "NewReplicaSetCreated" and deployment.updated:
                deployment.condition = ("True", "ReplicaSetUpdated", now)
        self._progress(deployment, now)
        if after != before or deployment.condition != condition_before:
            self._watching.touch(deployment)
        self._watching.revision_changed(deployment, target)

    def _progress(self, deployment: SimDeployment, now: float) -> None:
        complete = deployment.updated == deployment.replicas == deployment.total == deployment.available
        if complete:
            if deployment.condition[1] != "NewReplicaSetAvailable":
                deployment.condition = ("True", "NewReplicaSetAvailable", now)
            return
        if deployment.condition[1] == "NewReplicaSetAvailable" and deployment.updated == deployment.replicas:
            return
        late = now - deployment.progressed
        if late >= deployment.progress_deadline:
            if deployment.condition[0] != "False":
                deployment.condition = ("False", "ProgressDeadlineExceeded", now)
            return
        if deployment.condition[0] == "False" or deployment.condition[1] == "NewReplicaSetAvailable":
            deployment.condition = ("True", "ReplicaSetUpdated", now)
        again = deployment.progress_deadline - late
        if math.isfinite(again):
            self._watching.loop.call_later(again + 0.01, self.wake, deployment)


def _worst_first(pod: SimPod) -> tuple[bool, bool, float]:
    return (pod.ready, bool(pod.node), -pod.created)
