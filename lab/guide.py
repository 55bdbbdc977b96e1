"""Follows a guide: runs, in a lab, the commands that a page shows, and compares what they print with the page.

    python -m lab.guide docs/first-day.md            fails where the page no longer holds
    python -m lab.guide docs/first-day.md --write    puts what is printed now in the place of what no longer holds

A block ```console holds commands, each in a line that begins with `$ `, and what each prints; a line `...` stands for
any lines. A block ```yaml append=FILE is put at the end of that file. Everything runs in one empty directory, with
`rollguard` and `kubectl` of the lab on PATH and its Prometheus' address in $PROMETHEUS. Figures, times, names of pods
and the width of columns may differ from the page's; words may not.
"""

import argparse
import asyncio
import difflib
import os
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from lab import programs, shell
from lab.manifests import MODEL_SERVICES
from lab.processes import ProcessError
from lab.programs import ProgramError
from lab.world import Lab, LabError, LabSettings

NAMESPACE = "production"
SERVICES = MODEL_SERVICES[:3]
COMMAND_S = 180.0
ANYTHING = "..."
_VARYING = (
    (re.compile(r"\x1b\[[0-9;?]*[A-Za-z]"), ""),
    (re.compile(r"/tmp/\S+"), "PATH"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{8,64}(?![0-9A-Za-z])"), "NAME"),
    (re.compile(r"(?<=-)[bcdfghjklmnpqrstvwxz2456789]{5,10}(?![0-9A-Za-z])"), "NAME"),
    # A figure with the unit of its size: 900 ms today may be 1.1 s tomorrow.
    (re.compile(r"[+-]?\d[\d,.:]*\s?(?:%|ms|s|m|min|h|d|Mi|Gi|/min)?(?![\w])"), "N"),
    (re.compile(r"\d+"), "N"),
    (re.compile(r"\s+"), " "),
)


@dataclass(slots=True, kw_only=True)
class Step:
    """A command of the page with what it is said to print, or a text that goes to the end of a file."""

    first: int
    """The line of the page where what it prints begins, from 0."""
    command: str = ""
    printed: list[str] = field(default_factory=list)
    file: str = ""


def steps(page: str) -> list[Step]:
    """What the page asks for, in order."""
    found: list[Step] = []
    inside = ""
    for number, line in enumerate(page.splitlines()):
        if line.startswith("```"):
            inside = "" if inside else line.removeprefix("```").strip()
            if inside.startswith("yaml append="):
                found.append(Step(first=number + 1, file=inside.removeprefix("yaml append=")))
        elif inside == "console" and line.startswith("$ "):
            found.append(Step(first=number + 1, command=line.removeprefix("$ ")))
        elif inside == "console" or inside.startswith("yaml append="):
            found[-1].printed.append(line)
    return found


def alike(line: str) -> str:
    """The line without what may differ from one run to the next."""
    for pattern, replacement in _VARYING:
        line = pattern.sub(replacement, line)
    return line.strip()


def holds(said: list[str], printed: list[str]) -> bool:
    """Whether what was printed is what the page says; `...` stands for any lines."""
    wanted, got = [alike(line) for line in said], [alike(line) for line in printed]
    return _holds(wanted, got)


def _holds(wanted: list[str], got: list[str]) -> bool:
    if not wanted:
        return not got
    if wanted[0] == ANYTHING:
        return any(_holds(wanted[1:], got[skipped:]) for skipped in range(len(got) + 1))
    return bool(got) and wanted[0] == got[0] and _holds(wanted[1:], got[1:])


def written(page: str, step: Step, printed: list[str]) -> str:
    """The page with that step's output replaced."""
    lines = page.splitlines()
    lines[step.first : step.first + len(step.printed)] = printed
    return "\n".join(lines) + "\n"


async def follow(page: str, lab: Lab, directory: Path, *, write: bool) -> tuple[str, int]:
    """Runs every step; returns the page, with new output where `write` says so, and how many steps did not hold."""
    failures = 0
    shell.kubectl(lab)
    shell.rollguard(lab)
    moved = 0
    for step in steps(page):
        step.first += moved
        if step.file:
            with (directory / step.file).open("a") as file:
                file.write("\n".join(step.printed) + "\n")
            continue
        print(f"$ {step.command}", flush=True)
        printed = await _run(step.command, lab, directory)
        if holds(step.printed, printed):
            continue
        failures += 1
        print("\n".join(difflib.unified_diff(step.printed, printed, "the page", "now", lineterm="")), flush=True)
        if write:
            page = written(page, step, printed)
            moved += len(printed) - len(step.printed)
    return page, failures


async def _run(command: str, lab: Lab, directory: Path) -> list[str]:
    environment = os.environ | {
        "PATH": f"{lab.workdir}:{os.environ['PATH']}",
        "PROMETHEUS": lab.prometheus.url,
        "NO_COLOR": "1",
        "COLUMNS": "160",
    }
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        command,
        cwd=directory,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), COMMAND_S)
    return [line.rstrip() for line in output.decode().splitlines()]


async def _in_a_lab(pages: list[Path], *, write: bool) -> int:
    failures = 0
    for page in pages:
        print(f"following {page}", flush=True)
        with tempfile.TemporaryDirectory() as directory:
            async with Lab.up(LabSettings(say=print)) as lab:
                await lab.namespace(NAMESPACE)
                for name in SERVICES:
                    await lab.deploy(NAMESPACE, name)
                for name in SERVICES:
                    await lab.until_rolled_out(NAMESPACE, name)
                text, failed = await follow(page.read_text(), lab, Path(directory), write=write)
        if write:
            page.write_text(text)
        failures += failed
    return failures


def main() -> int:
    """Returns 0 where every page holds, 1 where one does not, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m lab.guide", description="Follows guides in a lab.")
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true", help="put what is printed now into the pages")
    arguments = parser.parse_args()
    try:
        programs.require()
        failures = asyncio.run(_in_a_lab(arguments.pages, write=arguments.write))
    except (ProgramError, ProcessError, LabError, TimeoutError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("every command prints what the pages say" if not failures else f"{failures} commands print something else")
    return 1 if failures and not arguments.write else 0


if __name__ == "__main__":
    raise SystemExit(main())
