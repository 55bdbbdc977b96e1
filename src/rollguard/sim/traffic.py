"""Requests to pods and the counters that a metrics store scrapes from them, each pod on its own grid."""

from __future__ import annotations

import itertools
import math
import random
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from rollguard.model.names import WorkloadName
from rollguard.sim.objects import SimDeployment, SimPod


@dataclass(slots=True, kw_only=True)
class Counters:
    """Cumulative since the container's start. `slow` requests took the behaviour's `slow_seconds`."""

    total: int = 0
    bad: int = 0
    slow: int = 0
    db_errors: int = 0


@dataclass(slots=True, kw_only=True)
class Scraped:
    """What one scrape found; `run` is the container's start that it counts from. `up` is False for a marker."""

    up: bool
    run: int = 0
    total: int = 0
    bad: int = 0
    slow: int = 0
    db_errors: int = 0
    restarts: int = 0


class Series:
    """One pod's counters and all its scrapes, oldest first."""

    __slots__ = ("carry", "db_carry", "next_scrape", "now", "pod", "run", "samples", "settled", "times")

    def __init__(self, pod: SimPod, settled: float, next_scrape: float) -> None:
        self.pod = pod
        self.now = Counters()
        self.run = 0
        self.settled = settled
        self.next_scrape = next_scrape
        self.carry = 0.0
        self.db_carry = 0.0
        self.times: list[float] = []
        self.samples: list[Scraped] = []

    def at(self, moment: float, lookback: float) -> tuple[float, Scraped] | None:
        """The newest sample at or before `moment` as a store would answer: none when stale or too old."""
        index = bisect_right(self.times, moment) - 1
        if index < 0 or self.times[index] <= moment - lookback or not self.samples[index].up:
            return None
        return self.times[index], self.samples[index]

    def resets(self, start: float, end: float) -> int:
        """Counter resets between the samples within (start, end]."""
        low, high = bisect_right(self.times, start), bisect_right(self.times, end)
        runs = [sample.run for sample in self.samples[low:high] if sample.up]
        return sum(1 for before, after in itertools.pairwise(runs) if before != after)


class Traffic:
    """All pods' series. `settle` must be called before anything that changes who answers how."""

    def __init__(self, rng: random.Random, scrape_interval: float) -> None:
        self._rng = rng
        self.interval = scrape_interval
        self.series: dict[str, Series] = {}
        self.database_down = False
        self.answered: dict[WorkloadName, int] = {}
        """All requests of each workload so far, over all restarts."""
        self.shed: dict[WorkloadName, int] = {}
        """Those of them that failed because there were too few pods for them."""
        self.behind: dict[str, float] = {}
        """Requests per second that come to a pod (by uid) from elsewhere: through a Service, or from a queue."""
        self.before: list[Callable[[SimDeployment], None]] = []
        """Told of each Deployment before its pods' requests are settled."""

    def add(self, pod: SimPod, now: float) -> None:
        """A pod that will be scraped from now on."""
        self.series[pod.uid] = Series(pod, now, now + self._rng.uniform(0.05, 1.0) * self.interval)

    def end(self, pod: SimPod, now: float) -> None:
        """The pod is gone: the store marks its series stale at the next scrape."""
        self.behind.pop(pod.uid, None)
        series = self.series[pod.uid]
        if series.samples and series.samples[-1].up:
            series.times.append(max(now, series.next_scrape))
            series.samples.append(Scraped(up=False))

    def settle(self, deployment: SimDeployment, now: float) -> None:
        """Lets the requests until `now` happen: its own, over the pods that are ready, and those from elsewhere."""
        for listener in self.before:
            listener(deployment)
        pods = deployment.pods()
        serving = sum(1 for pod in pods if pod.ready and not pod.deleting)
        rate = deployment.rps / serving if serving else 0.0
        for pod in pods:
            series = self.series.get(pod.uid)
            if series is not None:
                own = rate if pod.ready and not pod.deleting else 0.0
                self._settle(series, own + self.behind.get(pod.uid, 0.0), now)

    def _settle(self, series: Series, rate: float, now: float) -> None:
        while series.next_scrape <= now:
            self._advance(series, rate, series.next_scrape)
            self._scrape(series)
            series.next_scrape += self.interval
        self._advance(series, rate, now)

    def _scrape(self, series: Series) -> None:
        pod, now = series.pod, series.now
        if not pod.running or not pod.behaviour.serves_metrics:
            if series.samples and series.samples[-1].up:
                series.times.append(series.next_scrape)
                series.samples.append(Scraped(up=False))
            return
        series.times.append(series.next_scrape)
        series.samples.append(
            Scraped(
                up=True,
                run=pod.run,
                total=now.total,
                bad=now.bad,
                slow=now.slow,
                db_errors=now.db_errors,
                restarts=pod.restarts,
            )
        )

    def _advance(self, series: Series, rate: float, until: float) -> None:
        pod = series.pod
        if series.run != pod.run:
            series.run, series.now, series.settled = pod.run, Counters(), max(series.settled, pod.started)
        seconds = until - series.settled
        if seconds <= 0:
            return
        start, series.settled = series.settled, until
        if not pod.running:
            return
        behaviour, counters = pod.behaviour, series.now
        middle_age = (start + until) / 2 - pod.started
        exact = rate * seconds + series.carry
        requests = int(exact)
        series.carry = exact - requests
        if requests:
            self.answered[pod.owner.name] = self.answered.get(pod.owner.name, 0) + requests
            self._answer(counters, pod, requests, middle_age)
            if rate > pod.owner.capacity:
                shed = binomial(self._rng, requests, 1.0 - pod.owner.capacity / rate)
                counters.bad = min(counters.total, counters.bad + shed)
                self.shed[pod.owner.name] = self.shed.get(pod.owner.name, 0) + shed
        if behaviour.db_errors_per_min and middle_age >= behaviour.db_errors_after:
            due = behaviour.db_errors_per_min / 60 * seconds + series.db_carry
            counters.db_errors += int(due)
            series.db_carry = due - int(due)

    def _answer(self, counters: Counters, pod: SimPod, requests: int, age: float) -> None:
        behaviour, rng = pod.behaviour, self._rng
        counters.total += requests
        if self.database_down:
            failed = binomial(rng, requests, 0.6)
            counters.db_errors += failed
            counters.bad += failed
            return
        ratio = behaviour.error_ratio if age >= behaviour.errors_after else 0.002
        counters.bad += binomial(rng, requests, ratio)
        if behaviour.slow_ratio and age >= behaviour.slow_after:
            counters.slow += binomial(rng, requests, behaviour.slow_ratio)


def binomial(rng: random.Random, trials: int, ratio: float) -> int:
    """How many of `trials` succeed: exact where few are expected, else by the normal approximation."""
    if ratio <= 0 or trials <= 0:
        return 0
    if ratio >= 1:
        return trials
    mean = trials * ratio
    if mean > 12:
        return min(trials, max(0, round(rng.gauss(mean, math.sqrt(mean * (1 - ratio))))))
    count, position, log_miss = 0, 0, math.log1p(-ratio)
    while True:
        position += int(math.log(1.0 - rng.random()) / log_miss) + 1
        if position > trials:
            return count
        count += 1
