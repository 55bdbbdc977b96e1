"""A container that runs the product, not an app: its process, its log, its exit code."""

from __future__ import annotations

import asyncio

from lab.kubelet.container import Container
from lab.kubelet.probe import Probe
from lab.kubelet.program import NotThere, Program

_LOOK_S = 0.5


class ProgramContainer(Container):
    """Its files are made before each start; SIGTERM at the end, SIGKILL after the grace."""

    _program: Program | None = None

    async def _prepare(self, listen: tuple[str, int] | None) -> None:
        programs = self._runtime.programs
        assert programs is not None
        while True:
            try:
                self._program = await programs.prepare(self._pod, self.spec, listen[0] if listen else "127.0.0.1")
            except NotThere as problem:
                self._wait("CreateContainerConfigError", str(problem))
                self._event("Warning", "Failed", f"Error: {problem}")
            else:
                return
            await asyncio.sleep(_LOOK_S)

    def _work(self, listen: tuple[str, int] | None) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self._execute()), asyncio.create_task(self._look(listen))]

    async def _execute(self) -> None:
        assert self._program is not None
        code = await self._program.run(self._write)
        self.kill(code, "Error" if code else "Completed")

    async def _look(self, listen: tuple[str, int] | None) -> None:
        await self._show_readiness(Probe.of(self.spec, listen, lambda: True))

    def _greet(self) -> None:
        """Its log is the product's alone."""

    def _new_app(self) -> None:
        """It is no app: nothing of the lab is asked for its usage."""

    async def stop(self, grace_s: float) -> None:
        """SIGTERM, then SIGKILL after the grace."""
        self._stopping = True
        running = self._exit
        if running is None or running.done() or self._program is None:
            return
        self._event("Normal", "Killing", f"Stopping container {self.name}")
        self._program.terminate()
        await asyncio.wait([running], timeout=grace_s)
        self.kill(137)
