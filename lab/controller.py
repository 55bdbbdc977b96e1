"""The controller under test as a process of its own: started, killed without warning, its log read as records."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lab import processes
from lab.processes import Child

Record = dict[str, object]


@dataclass(slots=True, kw_only=True)
class Controller:
    """One `rollguard run`. After `kill` or `stop`, `start` brings the same one back as a new process."""

    name: str
    arguments: tuple[str, ...]
    log: Path
    child: Child

    def records(self) -> list[Record]:
        """The structured log of all its starts, oldest first; lines that are not JSON objects are left out."""
        found: list[Record] = []
        for line in self.log.read_text(errors="replace").splitlines(keepends=True):
            # Others: a line that is still being written, and Python's own words on standard error.
            if line.startswith("{") and line.endswith("}\n"):
                found.append(msgspec.json.decode(line, type=Record))
        return found

    async def until_logged(self, wanted: Callable[[Record], bool], *, what: str, timeout_s: float = 60.0) -> Record:
        """The first record that matches; raises ProcessError at the controller's exit or the timeout."""
        found: list[Record] = []

        async def logged() -> bool:
            found.extend(record for record in self.records() if wanted(record))
            return bool(found)

        await self.child.until(logged, what=what, timeout_s=timeout_s)
        return found[0]

    async def kill(self) -> None:
        """SIGKILL: no goodbye, no flush."""
        await self.child.kill()

    async def stop(self) -> None:
        """SIGTERM, as Kubernetes ends a pod."""
        await self.child.stop(grace_s=15.0)

    def start(self) -> None:
        """Starts it again with the same arguments."""
        self.child = processes.start(self.name, command(self.arguments), log=self.log)


def command(arguments: tuple[str, ...]) -> list[str]:
    """The command line of the product that is installed beside this interpreter, whatever PATH says."""
    return [str(Path(sys.executable).with_name("rollguard")), *arguments]


def start(name: str, *, policy: Path | str, kubeconfig: Path, workdir: Path, extra: tuple[str, ...] = ()) -> Controller:
    """Starts `rollguard run` on a policy file, or an object `NAMESPACE/NAME`, with a kubeconfig; its log goes to
    `<name>.log` in `workdir`."""
    source = "--policy" if isinstance(policy, Path) else "--policy-object"
    arguments = ("run", source, str(policy), "--kubeconfig", str(kubeconfig), *extra)
    log = workdir / f"{name}.log"
    child = processes.start(name, command(arguments), log=log)
    return Controller(name=name, arguments=arguments, log=log, child=child)
