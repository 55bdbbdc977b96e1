"""Child processes of the lab: logged to files, watched while they start, dead when their parent dies."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

POLL_S = 0.05
PORT_ATTEMPTS = 3
TAIL_LINES = 25


class ProcessError(Exception):
    """A child ended, or was not ready in time; the text carries the end of its log."""


@dataclass(slots=True)
class Child:
    """One running process. Its output, both streams, goes to `log`."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    offset: int = field(default=0)

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its process group."""
        return self.process.pid

    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def output(self) -> str:
        """What it has written since this start (a log file may hold earlier starts)."""
        with self.log.open("rb") as file:
            file.seek(self.offset)
            return file.read().decode(errors="replace")

    def tail(self) -> str:
        """The last lines of its output."""
        return "\n".join(self.output().splitlines()[-TAIL_LINES:])

    async def until(self, probe: Callable[[], Awaitable[bool]], *, what: str, timeout_s: float = 60.0) -> None:
        """Returns when the probe says yes; raises ProcessError at its exit or after the timeout."""
        deadline = time.monotonic() + timeout_s
        while not await probe():
            if not self.running():
                raise ProcessError(
                    f"{self.name} ended with code {self.process.returncode} before {what}; "
                    f"the end of {self.log}:\n{self.tail()}"
                )
            if time.monotonic() > deadline:
                raise ProcessError(
                    f"{self.name}: no {what} within {timeout_s:.0f} s; the end of {self.log}:\n{self.tail()}"
                )
            await asyncio.sleep(POLL_S)

    async def announcement(self, *, timeout_s: float = 30.0) -> dict[str, object]:
        """The JSON object on the first line that starts with `{`: the lab's own parts say so that they are ready."""
        found: list[dict[str, object]] = []

        async def announced() -> bool:
            for line in self.output().splitlines(keepends=True):
                if line.startswith("{") and line.endswith("\n"):
                    found.append(msgspec.json.decode(line, type=dict[str, object]))
                    return True
            return False

        await self.until(announced, what="its ready line", timeout_s=timeout_s)
        return found[0]

    async def stop(self, *, grace_s: float = 10.0) -> None:
        """Asks it to end, and ends it when the grace period is over."""
        await self._end(signal.SIGTERM, grace_s)
        if self.running():
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL, as a crash or an eviction would do it; returns when it is gone."""
        await self._end(signal.SIGKILL, 10.0)
        if self.running():
            raise ProcessError(f"{self.name} (pid {self.pid}) outlived SIGKILL")

    async def _end(self, number: signal.Signals, timeout_s: float) -> None:
        if not self.running():
            return
        self.process.send_signal(number)
        deadline = time.monotonic() + timeout_s
        while self.running() and time.monotonic() < deadline:  # noqa: ASYNC110 - the kernel sets no Event
            await asyncio.sleep(POLL_S / 5)


def dying_with_parent(command: Sequence[str | Path]) -> list[str]:
    """The command, killed by the kernel when the process that starts it dies.

    `setpriv` sets the parent-death signal after the fork, where Python code could deadlock on another thread's lock.
    Raises ProcessError where it is missing.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ProcessError("setpriv is missing: it is part of util-linux 2.33 or later")
    return [setpriv, "--pdeathsig", "KILL", *map(str, command)]


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Child:
    """Starts a child in a process group of its own, killed by the kernel when this process dies.

    The group keeps a terminal's Ctrl-C from the children: the lab ends them in order.
    """
    offset = log.stat().st_size if log.exists() else 0
    with log.open("ab") as output:
        process = subprocess.Popen(
            dying_with_parent(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )
    return Child(name=name, process=process, log=log, offset=offset)


def free_port() -> int:
    """A loopback port that was free a moment ago; whoever binds it must be ready to try another."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Listening(Protocol):
    """A program on a port of its own, which it takes at its first start where it has none."""

    port: int

    async def start(self) -> None:
        """Returns when it is ready; raises ProcessError where it ended, or was not in time."""

    async def stop(self) -> None:
        """Ends it, if it runs."""


async def start_on_a_free_port(program: Listening) -> None:
    """Starts it, on another port where somebody else got its port first."""
    for attempt in range(1, PORT_ATTEMPTS + 1):
        try:
            await program.start()
        except ProcessError as error:
            if attempt == PORT_ATTEMPTS or not port_was_taken(error):
                raise
            await program.stop()
            program.port = 0
        else:
            return


def port_was_taken(error: ProcessError) -> bool:
    """Whether a start failed because another process got the port first."""
    return "address already in use" in str(error).lower()
