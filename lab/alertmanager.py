"""The lab's Alertmanager: the real program with the rendered configuration, its services the lab's stand-ins."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import yaml

from lab import processes, programs
from lab.processes import Child, ProcessError
from rollguard.model.policy import SlackChannels
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
class Alertmanager:
    """An Alertmanager on a port and a data directory of its own, without a cluster."""

    workdir: Path
    binary: Path
    config: str
    port: int = 0
    child: Child | None = field(default=None)

    @property
    def url(self) -> str:
        """The address of its HTTP API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def config_file(self) -> Path:
        """The configuration that it runs with."""
        return self.workdir / "alertmanager.yml"

    async def start(self) -> None:
        """Starts it; returns when it is ready."""
        self.port = self.port or processes.free_port()
        self.workdir.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(self.config)
        self.child = processes.start(
            "alertmanager",
            [
                self.binary,
                f"--config.file={self.config_file}",
                f"--storage.path={self.workdir / 'alertmanager-data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                # Empty: no gossip.
                "--cluster.listen-address=",
                "--log.level=warn",
            ],
            log=self.workdir / "alertmanager.log",
        )
        async with self._client() as client:
            await self.child.until(lambda: _ready(client), what="/-/ready")

    async def stop(self) -> None:
        """Ends it in order."""
        if self.child is not None:
            await self.child.stop(grace_s=3.0)

    async def reload(self) -> bool:
        """Has it read its configuration again; whether it took it."""
        async with self._client() as client:
            return (await client.post("/-/reload")).status_code == 200

    async def send(self, alerts: Iterable[Mapping[str, object]]) -> None:
        """Gives it alerts as Prometheus does: objects with `labels`, `annotations` and perhaps `endsAt`."""
        async with self._client() as client:
            answer = await client.post("/api/v2/alerts", json=[dict(alert) for alert in alerts])
        if answer.status_code != 200:
            raise ProcessError(f"Alertmanager refused alerts: {answer.text}")

    async def muted_by(self) -> dict[tuple[tuple[str, str], ...], int]:
        """How many alerts inhibit each alert that it holds, by the sorted labels."""
        async with self._client() as client:
            found = (await client.get("/api/v2/alerts")).json()
        return {tuple(sorted(each["labels"].items())): len(each["status"]["inhibitedBy"]) for each in found}

    async def suppressed(self, reason: str) -> float:
        """How many notifications it held back for that reason (`inhibition`, `mute_time_interval`)."""
        async with self._client() as client:
            lines = (await client.get("/metrics")).text.splitlines()
        name = f'alertmanager_notifications_suppressed_total{{reason="{reason}"}} '
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    async def until(self, condition: Callable[[], bool], *, what: str, timeout_s: float = 30.0) -> None:
        """Returns when the condition holds; raises ProcessError where it does not in time, with the end of the log."""

        async def probe() -> bool:
            return condition()

        if self.child is None:
            raise ProcessError("alertmanager does not run")
        await self.child.until(probe, what=what, timeout_s=timeout_s)

    def _client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.url, trust_env=False, timeout=10.0)

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


async def _ready(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/-/ready")).status_code == 200
    except httpx2.TransportError:
        return False
