"""The app that a container runs: `/health`, `/metrics` and answers as its behaviour says."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import chain

from lab.exposition import CONTENT_TYPE, Family, render
from lab.http_server import Request, Response
from lab.kubelet.behaviour import MIB, Behaviour
from lab.kubelet.chaos import Effect
from lab.kubelet.histogram import Histogram
from lab.kubelet.jobs import Ask, Jobs, Queues

HEALTH_PATHS = frozenset({"/health", "/healthz", "/ready", "/readyz", "/live", "/livez"})
STREAM_PATH = "/progress"
_JOB_OF_REQUESTS = 5
_BASE_MEMORY_BYTES = 60.0 * MIB
_DATABASE_ERROR_DELAY_S = 0.02

Callee = Callable[[], Awaitable[bool]]
"""One request to the service that this app depends on; true when it answered without a 5xx."""


@dataclass(slots=True, kw_only=True)
class Usage:
    """Declared usage of an app: a base load and the cost of each request."""

    cpu_base_cores: float = 0.02
    cpu_per_request_s: float = 0.002


class App:
    """One run of a container. A restart makes a new one, so its counters start at zero again."""

    def __init__(
        self,
        behaviour: Behaviour,
        *,
        seed: str,
        clock: Callable[[], float],
        effect: Callable[[], Effect],
        log: Callable[[str], None],
        callee: Callee | None = None,
        usage: Usage | None = None,
    ) -> None:
        self.started_at = clock()
        self.ready = False
        self._behaviour = behaviour
        self._random = random.Random(seed)
        self._clock = clock
        self._effect = effect
        self._log = log
        self._callee = callee
        self.queues: Queues | None = None
        self.jobs: Jobs | None = None
        self._usage = usage or Usage()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._durations: dict[tuple[str, str], Histogram] = {}
        self._database_errors = 0
        self._pool_errors_due = 0.0
        self._pool_errors_at = self.started_at
        self._chaos_cpu_s = 0.0
        self._chaos_cpu_at = self.started_at

    def keep_queues(self) -> None:
        """Makes it the one that others put jobs into, and take them from."""
        self.queues = Queues(self._clock)

    def work_off(self, queue: str, ask: Ask) -> None:
        """Gives it a queue to work off, behind `ask`; `jobs.run()` does it."""
        self.jobs = Jobs(queue, ask, self._job, self._log)

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answers one request; `/health` and `/metrics` are not counted."""
        if request.path in HEALTH_PATHS:
            return Response(status=200 if self.ready else 503, body=b"ok\n" if self.ready else b"not ready\n")
        if request.path == "/metrics":
            if not self._behaviour.serves_metrics:
                return Response(status=404, body=b"not found\n")
            return Response(body=self.exposition(), content_type=CONTENT_TYPE)
        of_queue = self.queues.handle(request) if self.queues is not None else None
        if of_queue is not None:
            return of_queue
        if request.path == STREAM_PATH:
            # Held open, as a WebSocket is: no request that the service counts or times.
            return Response(body=b"ok\n", delay_s=float(request.query.get("seconds", 1.0)))
        if self._callee is not None:
            return self._answer_by_callee(request, self._callee)
        status, delay = self._outcome()
        return self._finish(request, status, delay)

    def cpu_seconds(self) -> float:
        """CPU time used so far: base load, requests and what chaos burns."""
        now = self._clock()
        self._chaos_cpu_s += self._effect().cpu_cores * (now - self._chaos_cpu_at)
        self._chaos_cpu_at = now
        served = sum(self._requests.values()) * self._usage.cpu_per_request_s
        return self._usage.cpu_base_cores * (now - self.started_at) + served + self._chaos_cpu_s

    def memory_bytes(self) -> float:
        leaking_s = max(0.0, self._age() - self._behaviour.leak_after_s)
        return _BASE_MEMORY_BYTES + self._behaviour.leak_bytes_per_s * leaking_s + self._effect().memory_bytes

    def exposition(self) -> bytes:
        """The app's metrics in the classic text format."""
        self._fail_connections()
        requests = Family("http_requests_total", "counter", "Requests by method, path and status.")
        for (method, path, status), count in sorted(self._requests.items()):
            requests.add(count, method=method, path=path, status=str(status))
        durations = Family("http_request_duration_seconds", "histogram", "Time to answer a request.")
        for (method, path), histogram in sorted(self._durations.items()):
            histogram.expose(durations, method=method, path=path)
        errors = Family("database_connection_errors_total", "counter", "Failed connections to the database.")
        errors.add(self._database_errors)
        start = Family("process_start_time_seconds", "gauge", "Start of the process, seconds since the epoch.")
        start.add(self.started_at)
        memory = Family("process_resident_memory_bytes", "gauge", "Resident memory.")
        memory.add(round(self.memory_bytes()))
        cpu = Family("process_cpu_seconds_total", "counter", "CPU time used.")
        cpu.add(round(self.cpu_seconds(), 6))
        others = [part.families() for part in (self.queues, self.jobs) if part is not None]
        return render((requests, durations, errors, start, memory, cpu, *chain.from_iterable(others)))

    def _age(self) -> float:
        return self._clock() - self.started_at

    def _outcome(self) -> tuple[int, float]:
        behaviour, effect, age = self._behaviour, self._effect(), self._age()
        delay = self._random.uniform(*behaviour.latency_s) + effect.latency_s
        if self._random.random() < effect.database_error_ratio:
            self._database_errors += 1
            self._log("ERROR database connection failed: could not connect to server: Connection refused")
            return 503, _DATABASE_ERROR_DELAY_S + effect.latency_s
        ratio = behaviour.error_ratio if age >= behaviour.errors_after_s else Behaviour().error_ratio
        if self._random.random() < max(ratio, effect.error_ratio):
            return 500, delay
        if age >= behaviour.slow_after_s and self._random.random() < behaviour.slow_ratio:
            return 200, behaviour.slow_s * self._random.uniform(1.0, 1.1)
        return 200, delay

    def _job(self) -> tuple[bool, float]:
        """A job fails and takes long as a request does, but for more of the same."""
        status, delay = self._outcome()
        return status < 500, delay * _JOB_OF_REQUESTS

    async def _answer_by_callee(self, request: Request, callee: Callee) -> Response:
        before = asyncio.get_running_loop().time()
        answered = await callee()
        waited = asyncio.get_running_loop().time() - before
        status, delay = self._outcome()
        if not answered:
            status, delay = 502, 0.001
            self._log(f"ERROR {request.method} {request.path}: backend answered with an error")
        return self._finish(request, status, delay, waited)

    def _finish(self, request: Request, status: int, delay: float, waited: float = 0.0) -> Response:
        def count() -> None:
            self._requests[request.method, request.path, status] += 1
            self._durations.setdefault((request.method, request.path), Histogram()).observe(waited + delay)
            if status == 500:
                self._log(f"ERROR {request.method} {request.path} 500: unhandled exception in request handler")

        body = b"ok\n" if status == 200 else b"error\n"
        return Response(status=status, body=body, delay_s=delay, sent=count)

    def _fail_connections(self) -> None:
        """Counts the failed connections that the behaviour's rate has made due since the last look."""
        now = self._clock()
        since = max(self._pool_errors_at, self.started_at + self._behaviour.db_errors_after_s)
        self._pool_errors_due += max(0.0, now - since) * self._behaviour.db_errors_per_min / 60.0
        self._pool_errors_at = now
        due = int(self._pool_errors_due)
        self._pool_errors_due -= due
        self._database_errors += due
        for _ in range(min(due, 20)):
            self._log("ERROR database connection failed: remaining connection slots are reserved")
