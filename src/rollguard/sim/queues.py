"""Queues of jobs: pods that take from one begin as soon as they run, of whatever colour they are."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.sim.objects import SimDeployment, SimPod
from rollguard.sim.traffic import Traffic
from rollguard.sim.watching import Watching

TICK = 2.0
"""Seconds between two looks at a queue that is not empty."""
CATCH_UP = 10.0
"""So many seconds the workers take for what has piled up, as far as they can."""


@dataclass(slots=True, kw_only=True, eq=False)
class SimQueue:
    """Jobs per second that come, and those that wait."""

    name: str
    rate: float
    workers: tuple[SimDeployment, ...]
    depth: float = 0.0
    settled: float = 0.0
    ticking: bool = False

    def running(self) -> list[SimPod]:
        """The pods that take jobs."""
        return [pod for worker in self.workers for pod in worker.pods() if pod.running and not pod.deleting]

    @property
    def oldest(self) -> float:
        """Seconds that its oldest job has waited, about."""
        return self.depth / self.rate


class Queues:
    """All queues."""

    def __init__(self, watching: Watching, traffic: Traffic) -> None:
        self._loop = watching.loop
        self._traffic = traffic
        self.all: list[SimQueue] = []

    def create(self, name: str, rate: float, workers: tuple[SimDeployment, ...]) -> SimQueue:
        """A queue that those workers' pods empty, so many jobs per second coming in."""
        queue = SimQueue(name=name, rate=rate, workers=workers, settled=self._loop.time())
        for worker in workers:
            worker.jobs = True
        self.all.append(queue)
        self._share(queue)
        return queue

    def of(self, deployment: SimDeployment) -> SimQueue | None:
        """The queue that its pods take from."""
        return next((queue for queue in self.all if deployment in queue.workers), None)

    def pods_changed(self, deployment: SimDeployment) -> None:
        """Pods of the Deployment began or ceased to run."""
        queue = self.of(deployment) if deployment.jobs else None
        if queue is not None:
            self._share(queue)

    def _share(self, queue: SimQueue) -> None:
        """Each running pod takes its part from now on."""
        now = self._loop.time()
        taken = 0.0
        for worker in queue.workers:
            self._traffic.settle(worker, now)
            for pod in worker.pods():
                taken += self._traffic.behind.pop(pod.uid, 0.0)
        queue.depth = max(0.0, queue.depth + (queue.rate - taken) * (now - queue.settled))
        queue.settled = now
        running = queue.running()
        for pod in running:
            wanted = (queue.rate + queue.depth / CATCH_UP) / len(running)
            self._traffic.behind[pod.uid] = min(wanted, pod.owner.capacity)
        busy = queue.depth > 0.5 or not running or queue.rate / len(running) > running[0].owner.capacity
        if busy and not queue.ticking:
            queue.ticking = True
            self._loop.call_later(TICK, self._tick, queue)

    def _tick(self, queue: SimQueue) -> None:
        queue.ticking = False
        self._share(queue)
