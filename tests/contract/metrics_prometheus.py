"""A real Prometheus with a history written beforehand: samples at exact times, without waiting for scrapes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from lab import processes, programs
from lab.processes import Child

Labels = dict[str, str]


@dataclass(slots=True)
class History:
    """Samples by family. A value may be `NaN`; a missing one is a scrape without the series."""

    families: dict[str, list[str]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)

    def add(self, family: str, kind: str, labels: Labels, samples: Iterable[tuple[float, float | None]]) -> None:
        """One series of a family. The series of a counter is named `<family>_total`, a bucket's `<family>_bucket`."""
        self.kinds[family] = kind
        suffix = {"counter": "_total", "histogram": "_bucket"}.get(kind, "")
        written = ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items())
        rows = self.families.setdefault(family, [])
        rows += [f"{family}{suffix}{{{written}}} {value} {at:.3f}\n" for at, value in samples if value is not None]

    def text(self) -> str:
        """All of it as OpenMetrics."""
        rows = [
            f"# TYPE {family} {self.kinds[family]}\n{''.join(samples)}" for family, samples in self.families.items()
        ]
        return "".join(rows) + "# EOF\n"


@dataclass(slots=True)
class Store:
    """The running program."""

    address: str
    child: Child


@asynccontextmanager
async def store_with(history: History, directory: Path) -> AsyncIterator[Store]:
    """A Prometheus that holds the history and scrapes nothing, for the length of the block."""
    found = programs.require(["prometheus", "promtool"])
    data, text, config = directory / "data", directory / "history.txt", directory / "prometheus.yml"
    text.write_text(history.text())
    config.write_text("{}")
    writer = await asyncio.create_subprocess_exec(
        found["promtool"],
        *("tsdb", "create-blocks-from", "openmetrics", str(text), str(data)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await writer.communicate()
    assert writer.returncode == 0, output.decode()
    async with started(directory, f"--config.file={config}", f"--storage.tsdb.path={data}") as store:
        yield store


@asynccontextmanager
async def started(directory: Path, *flags: str) -> AsyncIterator[Store]:
    """A Prometheus with these flags, ready; its log is kept in the directory."""
    port = processes.free_port()
    child = processes.start(
        "prometheus",
        [
            programs.require(["prometheus"])["prometheus"],
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
            *flags,
        ],
        log=directory / "prometheus.log",
    )
    address = f"http://127.0.0.1:{port}"

    async def ready() -> bool:
        async with httpx2.AsyncClient(trust_env=False) as client:
            try:
                return (await client.get(f"{address}/-/ready")).status_code == 200
            except httpx2.TransportError:
                return False

    try:
        await child.until(ready, what="/-/ready")
        yield Store(address, child)
    finally:
        await child.kill()
