"""Processes of the lab end when told to, and never outlive their parent."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PROCESS = """
from lab.http_server import HttpServer, Response
from lab.service import run, say_ready

async def start(tasks):
    server = HttpServer(lambda request: Response())
    say_ready(port=await server.listen("127.0.0.1", 0))
    async def close():
        server.abort()
        print("closed", flush=True)
    return close

run(start)
"""

FAILING = """
from lab.service import run, say_ready

async def fail():
    raise RuntimeError("a background task broke")

async def start(tasks):
    tasks.start(fail(), "fail")
    async def close():
        print("closed", flush=True)
    return close

run(start)
"""

PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {PROCESS!r}], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""

REPOSITORY = Path(__file__).parents[3]


def start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )


def gone(pid: int) -> bool:
    """True when the process has ended; a zombie that nobody waits for has ended too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_it_says_ready_and_ends_cleanly_on_sigterm() -> None:
    process = start(PROCESS)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["ready"] is True
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=10)
    assert (process.returncode, output, errors) == (0, "closed\n", "")


def test_a_broken_task_ends_the_process_loudly_after_its_clean_up() -> None:
    output, errors = (process := start(FAILING)).communicate(timeout=10)
    assert process.returncode == 1
    assert output == "closed\n"
    assert "a background task broke" in errors


def test_it_dies_with_its_parent() -> None:
    parent = start(PARENT)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert not gone(child)
    parent.kill()
    parent.communicate(timeout=10)
    deadline = time.monotonic() + 10
    while not gone(child):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.02)
