"""The lab's own programs, `python -m lab.<name>`: nodes, exporter, load generator."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import processes
from lab.processes import Child, ProcessError
from lab.settings import LabSettings

REPOSITORY = Path(__file__).parent.parent


@dataclass(slots=True, kw_only=True)
class Part:
    """One program with the loopback port that it serves on, which it keeps over a restart."""

    name: str
    arguments: tuple[str, ...]
    log: Path
    port: int = 0
    child: Child | None = None

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Its HTTP address."""
        return f"http://{self.address}"

    async def start(self) -> None:
        """Starts it, on its old port if it had one; returns when it says that it is ready."""
        command = [sys.executable, "-m", *self.arguments, "--port", str(self.port)]
        self.child = processes.start(self.name, command, log=self.log, env={"PYTHONPATH": str(REPOSITORY)})
        port = (await self.child.announcement()).get("port")
        if not isinstance(port, int):
            raise ProcessError(f"the ready line of {self.name} names no port:\n{self.child.tail()}")
        self.port = port

    async def kill(self) -> None:
        """SIGKILL, as a machine that loses power would do it."""
        if self.child is not None:
            child, self.child = self.child, None
            await child.kill()

    async def stop(self) -> None:
        """Ends it in order."""
        if self.child is not None:
            child, self.child = self.child, None
            await child.stop(grace_s=3.0)

    def died(self) -> bool:
        """Whether it has ended though nobody ended it."""
        return self.child is not None and not self.child.running()

    def tail(self) -> str:
        """The last lines that it wrote."""
        return self.child.tail() if self.child is not None else ""


@asynccontextmanager
async def running_parts(settings: LabSettings, workdir: Path, kubeconfig: Path) -> AsyncIterator[dict[str, Part]]:
    """All of them for the length of the block, by name: each node by its own, `exporter` and `loadgen`."""
    parts = {
        name: Part(
            name=name,
            arguments=(*arguments, "--kubeconfig", str(kubeconfig)),
            log=workdir / f"{name}.log",
        )
        for name, arguments in _arguments(settings).items()
    }
    try:
        try:
            async with asyncio.TaskGroup() as group:
                for part in parts.values():
                    group.create_task(part.start())
        except ExceptionGroup as failures:
            # One dead part explains itself; that its neighbours were cancelled explains nothing.
            raise failures.exceptions[0] from None
        yield parts
    finally:
        await asyncio.gather(*(part.stop() for part in parts.values()))


def _arguments(settings: LabSettings) -> dict[str, tuple[str, ...]]:
    seed = ("--seed", str(settings.seed))
    low, high = settings.startup_s
    pace = ("--startup", f"{low}..{high}", "--backoff", str(settings.backoff_scale))
    found: dict[str, tuple[str, ...]] = {node: ("lab.kubelet", "--node", node, *pace, *seed) for node in settings.nodes}
    # One scheduler for all nodes: it lives in the first node's process.
    found[settings.nodes[0]] += ("--schedule",)
    found["exporter"] = ("lab.exporter",)
    found["loadgen"] = ("lab.loadgen", *seed)
    return found
