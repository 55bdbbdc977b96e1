"""Readiness: the template's probe, really asked, or the app's own word where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.http_client import Pool

_LOOK_S = 0.2


@dataclass(slots=True, kw_only=True)
class Probe:
    """With `pool` an HTTP GET of `path` counts, without it `ready()` of the app."""

    ready: Callable[[], bool]
    pool: Pool | None = None
    path: str = "/"
    initial_delay_s: float = 0.0
    period_s: float = _LOOK_S
    timeout_s: float = 1.0
    failures: int = 1
    successes: int = 1

    @classmethod
    def of(cls, spec: Mapping[str, Any], listen: tuple[str, int] | None, ready: Callable[[], bool]) -> Probe:
        """The readiness probe of a container; exec and TCP probes ask the app itself."""
        probe = spec.get("readinessProbe")
        if probe is None:
            return cls(ready=ready)
        timing: dict[str, Any] = {
            "initial_delay_s": float(probe.get("initialDelaySeconds") or 0),
            "period_s": float(probe.get("periodSeconds") or 10),
            "timeout_s": float(probe.get("timeoutSeconds") or 1),
            "failures": int(probe.get("failureThreshold") or 3),
            "successes": int(probe.get("successThreshold") or 1),
        }
        get = probe.get("httpGet")
        if get is None or listen is None:
            return cls(ready=ready, **timing)
        return cls(ready=ready, pool=Pool(listen[0], port_of(spec, get["port"])), path=get.get("path") or "/", **timing)

    async def results(self) -> AsyncIterator[bool]:
        """Readiness after each look, with the thresholds applied; never ends."""
        await asyncio.sleep(self.initial_delay_s)
        value, run, last = False, 0, False
        while True:
            answer = await self._ask()
            run = run + 1 if answer == last else 1
            last = answer
            if run >= (self.successes if answer else self.failures):
                value = answer
            yield value
            await asyncio.sleep(self.period_s)

    async def _ask(self) -> bool:
        if self.pool is None:
            return self.ready()
        outcome = await self.pool.get(self.path, self.timeout_s)
        return outcome.failure is None and 200 <= outcome.status < 400


def port_of(spec: Mapping[str, Any], port: int | str) -> int:
    """A probe's port, by number or by the name of a container port. Raises ValueError for an unknown name."""
    if isinstance(port, int):
        return port
    for entry in spec.get("ports") or ():
        if entry.get("name") == port:
            return int(entry["containerPort"])
    raise ValueError(f"container {spec['name']}: no port named {port!r}")
