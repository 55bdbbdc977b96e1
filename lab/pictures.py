"""Pictures of the command line as it looks in a terminal, for the docs: `python -m lab.pictures` draws them anew.

Each command runs in a terminal of its own; what stands on its screen at the end is drawn as SVG.
"""

import asyncio
import fcntl
import io
import os
import pty
import struct
import sys
import tempfile
import termios
from dataclasses import dataclass
from pathlib import Path

import pyte
from rich.console import Console
from rich.text import Text

from lab import policies, programs, shell
from lab.guide import NAMESPACE, SERVICES
from lab.parts import REPOSITORY
from lab.processes import ProcessError
from lab.programs import ProgramError
from lab.world import Lab, LabError, LabSettings

PICTURES = REPOSITORY / "docs" / "pictures"
BROKEN = SERVICES[-1]
COLUMNS = 150
KNOWN_S = 30.0
COMMAND_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A command, how it is said to be called, and after how many seconds its screen is taken (None: at its end)."""

    name: str
    said: str
    command: tuple[str, ...]
    lines: int = 40
    after: float | None = None


async def screen_of(picture: Picture, environment: dict[str, str]) -> pyte.Screen:
    """What stands on the terminal's screen when the command ends, or when its time is up."""
    screen = pyte.Screen(COLUMNS, picture.lines)
    stream = pyte.ByteStream(screen)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", picture.lines, COLUMNS, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *picture.command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    loop = asyncio.get_running_loop()
    loop.add_reader(ours, lambda: _feed(ours, stream))
    try:
        await asyncio.wait_for(process.wait(), picture.after or COMMAND_S)
    except TimeoutError:
        if picture.after is None:
            raise
        process.terminate()
        await process.wait()
    finally:
        loop.remove_reader(ours)
        os.close(ours)
    return screen


def _feed(terminal: int, stream: pyte.ByteStream) -> None:
    try:
        stream.feed(os.read(terminal, 65536))
    except OSError:
        # The other end is closed: the command has ended.
        asyncio.get_running_loop().remove_reader(terminal)


def drawn(screen: pyte.Screen, said: str) -> str:
    """The screen as SVG, without its empty lines at the end."""
    lines = [_line(screen, row) for row in range(screen.lines)]
    while lines and not lines[-1].plain.strip():
        lines.pop()
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(line, no_wrap=True, crop=True)
    return console.export_svg(title=said, unique_id="terminal")


def _line(screen: pyte.Screen, row: int) -> Text:
    text = Text()
    for column in range(screen.columns):
        cell = screen.buffer[row][column]
        style = " ".join([*(("bold",) if cell.bold else ()), *((cell.fg,) if cell.fg in _COLOURS else ())])
        text.append(cell.data, style=style)
    text.rstrip()
    return text


_COLOURS = frozenset({"red", "green", "yellow", "blue", "magenta", "cyan"})


async def _with_a_lab(directory: Path) -> None:
    async with Lab.up(LabSettings(workdir=directory, say=print)) as lab:
        await lab.namespace(NAMESPACE)
        for name in SERVICES:
            await lab.deploy(NAMESPACE, name, rps=40)
        for name in SERVICES:
            await lab.until_rolled_out(NAMESPACE, name)
        account = await lab.install()
        document = policies.policy(namespace=NAMESPACE, prometheus=lab.prometheus.url, workloads=list(SERVICES))
        policy = policies.write(directory / "policy.json", document)
        await lab.grant(policy)
        lab.controller(policy, kubeconfig=account)
        rollguard = str(shell.rollguard(lab))
        await asyncio.sleep(KNOWN_S)
        await lab.release(NAMESPACE, SERVICES[0], "v1-noerrors")
        await lab.release(NAMESPACE, BROKEN, "v2-errors-15pct")
        watching = Picture(name="watch", said="rollguard watch", command=(rollguard, "watch"), lines=12, after=17.0)
        await _draw(watching)
        await _draw(
            Picture(
                name="why",
                said=f"rollguard why {NAMESPACE}/{BROKEN}",
                command=(rollguard, "why", f"{NAMESPACE}/{BROKEN}"),
                lines=80,
            )
        )
        await _draw(
            Picture(
                name="doctor",
                said="rollguard doctor --policy policy.yaml",
                command=(rollguard, "doctor", "--policy", str(policy)),
                lines=80,
            )
        )


async def _draw(picture: Picture) -> None:
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    environment.pop("NO_COLOR", None)
    screen = await screen_of(picture, environment)
    PICTURES.mkdir(exist_ok=True)
    path = PICTURES / f"{picture.name}.svg"
    path.write_text(drawn(screen, picture.said))
    print(f"drew {path.relative_to(REPOSITORY)}", flush=True)


async def _all() -> None:
    with tempfile.TemporaryDirectory() as directory:
        incidents = str(Path(directory) / "incidents")
        demo = (sys.executable, "-m", "rollguard.cli.main", "demo", "-d", incidents)
        await _draw(Picture(name="demo", said="make demo", command=demo, lines=36, after=20.0))
        await _with_a_lab(Path(directory) / "lab")


def main() -> int:
    """Returns 0 once all are drawn."""
    try:
        programs.require()
        asyncio.run(_all())
    except (ProgramError, ProcessError, LabError, TimeoutError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
