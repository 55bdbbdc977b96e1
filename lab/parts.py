"""The lab's own programs, `python -m lab.<name>`: nodes, exporter, load generator."""

import sys
from dataclasses import dataclass
from pathlib import Path

from lab import processes
from lab.processes import Child, ProcessError

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
