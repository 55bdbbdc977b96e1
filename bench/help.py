"""How long the command line takes to say its help: `python -m bench.help`. Held to 0.25 s.

Each command is run in a process of its own, the best of a few: the wall clock where nothing else runs, the processor
time (user and system, of that process) anywhere. Modules are compiled beforehand, as where a package is installed.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time

HELD_TO_S = 0.25
RUNS = 7
COMPILED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
COMMANDS = ((), ("status",), ("why",), ("history",), ("wait",), ("rollback",), ("demo",))


def main() -> int:
    """Prints the figures; 1 where the help of the whole takes longer than it is held to, by its processor time."""
    print(f"Python {platform.python_version()}, best of {RUNS}")
    taken = {}
    for command in COMMANDS:
        wall, cpu = _best((*command, "--help"))
        taken[command] = cpu
        print(f"  rollguard {' '.join((*command, '--help')):<17} {wall * 1000:5.0f} ms, {cpu * 1000:5.0f} ms of CPU")
    return int(taken[()] > HELD_TO_S)


def _best(arguments: tuple[str, ...]) -> tuple[float, float]:
    """Seconds by the clock and of the processor, the least of each."""
    runs = [_run(arguments) for _ in range(RUNS)]
    return min(wall for wall, _ in runs), min(cpu for _, cpu in runs)


def _run(arguments: tuple[str, ...]) -> tuple[float, float]:
    before, started = os.times(), time.perf_counter()
    command = [sys.executable, "-m", "rollguard.cli.main", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=COMPILED)
    wall, after = time.perf_counter() - started, os.times()
    return wall, after.children_user - before.children_user + after.children_system - before.children_system


if __name__ == "__main__":
    sys.exit(main())
