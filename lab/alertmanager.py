"""The lab's Alertmanager: the real program with the rendered configuration, its services the lab's stand-ins."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab import processes, programs
from lab.processes import ProcessError
from lab.served import Served
from rollguard.model.destinations import SlackChannels
from rollguard.render.receivers import MOUNT

QUICK = {"group_wait": "500ms", "group_interval": "1s"}
"""In the lab's copy of a configuration only: what is rendered has 10 s for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The addresses of the stand-ins."""

    slack_api: str
    pagerduty: str
    guard: str


def adapted(text: str, secrets: Path, services: Services) -> str:
    """A rendered configuration for the lab: secrets below another directory, other services, short waits."""
    (config,) = yaml.safe_load_all(text)
    made = _replaced(config, {MOUNT: str(secrets), SlackChannels().post_message: services.slack_api})
    assert isinstance(made, dict)
    made["global"] = {"pagerduty_url": services.pagerduty}
    made["route"] |= QUICK
    for receiver in made["receivers"]:
        for hook in receiver.get("webhook_configs", ()):
            hook["url"] = services.guard
    # JSON is YAML, and leaves no doubt about what is a string.
    return json.dumps(made, indent=2)


def _replaced(value: object, by: Mapping[str, str]) -> object:
    if isinstance(value, dict):
        return {key: _replaced(inner, by) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, by) for inner in value]
    if isinstance(value, str):
        for old, new in by.items():
            if value.startswith(old):
                return new + value.removeprefix(old)
    return value


@dataclass(slots=True, kw_only=True)
class Alertmanager(Served):
    """An Alertmanager without a cluster."""

    config: str

    async def start(self) -> None:
        """Starts it; returns when it is ready."""
        await self.begin(
            self.config,
            f"--storage.path={self.workdir / 'alertmanager-data'}",
            # Empty: no gossip.
            "--cluster.listen-address=",
        )

    async def send(self, alerts: Iterable[Mapping[str, object]]) -> None:
        """Gives it alerts as Prometheus does: objects with `labels`, `annotations` and perhaps `endsAt`."""
        async with self.client() as client:
            answer = await client.post("/api/v2/alerts", json=[dict(alert) for alert in alerts])
        if answer.status_code != 200:
            raise ProcessError(f"Alertmanager refused alerts: {answer.text}")

    async def muted_by(self) -> dict[tuple[tuple[str, str], ...], int]:
        """How many alerts inhibit each alert that it holds, by the sorted labels."""
        async with self.client() as client:
            found = (await client.get("/api/v2/alerts")).json()
        return {tuple(sorted(each["labels"].items())): len(each["status"]["inhibitedBy"]) for each in found}

    async def suppressed(self, reason: str) -> float:
        """How many notifications it held back for that reason (`inhibition`, `mute_time_interval`)."""
        async with self.client() as client:
            lines = (await client.get("/metrics")).text.splitlines()
        name = f'alertmanager_notifications_suppressed_total{{reason="{reason}"}} '
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    async def until(self, condition: Callable[[], bool], *, what: str, timeout_s: float = 30.0) -> None:
        """Returns when the condition holds; raises ProcessError where it does not in time, with the end of the log."""

        async def probe() -> bool:
            return condition()

        await self.process().until(probe, what=what, timeout_s=timeout_s)

    @classmethod
    @asynccontextmanager
    async def running(cls, workdir: Path, config: str) -> AsyncIterator[Alertmanager]:
        """An Alertmanager for the length of the block."""
        binary = programs.require(["alertmanager"])["alertmanager"]
        alertmanager = cls(workdir=workdir, binary=binary, config=config)
        try:
            await processes.start_on_a_free_port(alertmanager)
            yield alertmanager
        finally:
            await alertmanager.stop()
