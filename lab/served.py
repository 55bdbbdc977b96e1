"""A server of Prometheus' family: on a loopback port of its own, ready at `/-/ready`, reloaded at `/-/reload`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from lab import processes
from lab.processes import Child, ProcessError

GRACE_S = 3.0


@dataclass(slots=True, kw_only=True)
class Served:
    """One such program with a port and a directory of its own, kept when it is ended and started again."""

    workdir: Path
    binary: Path
    port: int = 0
    child: Child | None = field(default=None)

    @property
    def name(self) -> str:
        """What it is called, in its file names and in errors."""
        return self.binary.name

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address of its HTTP API."""
        return f"http://{self.address}"

    @property
    def config_file(self) -> Path:
        """The configuration that it runs with."""
        return self.workdir / f"{self.name}.yml"

    def client(self) -> httpx2.AsyncClient:
        """An HTTP client of it that ignores the environment's proxies."""
        return httpx2.AsyncClient(base_url=self.url, trust_env=False, timeout=10.0)

    async def kill(self) -> None:
        """SIGKILL, as a crash would do it; `start` brings it back with the data that it had written."""
        if self.child is not None:
            await self.child.kill()

    async def stop(self) -> None:
        """Ends it in order."""
        if self.child is not None:
            await self.child.stop(grace_s=GRACE_S)

    async def reload(self) -> bool:
        """Has it read its configuration again; whether it took it."""
        async with self.client() as client:
            return (await client.post("/-/reload")).is_success

    async def begin(self, config: str, *flags: str) -> None:
        """Starts it with that configuration, on the port that it had before if it had one; returns when it is ready.

        Raises ProcessError where it ends, or is not ready in time.
        """
        self.port = self.port or processes.free_port()
        self.workdir.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(config)
        self.child = processes.start(self.name, self._command(flags), log=self.workdir / f"{self.name}.log")
        async with self.client() as client:
            await self.child.until(lambda: _ready(client), what="/-/ready")

    def process(self) -> Child:
        """Its process. Raises ProcessError where it was never started."""
        if self.child is None:
            raise ProcessError(f"{self.name} does not run")
        return self.child

    def _command(self, flags: Sequence[str]) -> list[str | Path]:
        return [
            self.binary,
            f"--config.file={self.config_file}",
            f"--web.listen-address={self.address}",
            "--log.level=warn",
            *flags,
        ]


async def _ready(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/-/ready")).status_code == 200
    except httpx2.TransportError:
        return False
