"""The real kubectl takes every command of the rendered pages: where no server answers, that is all that it says."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from lab import programs
from tests.unit.render.pages import commands, pages, platform

NOWHERE = "http://127.0.0.1:1"
NO_ANSWER = re.compile(r"was refused|connection refused", re.IGNORECASE)


def kubectl(line: str) -> str:
    """What kubectl says of a command line, without a server."""
    found = programs.require(["kubectl"])["kubectl"]
    words = shlex.split(line.replace("$(date +%s)", "1"))
    words = words[: words.index("|")] if "|" in words else words
    assert words[0] == "kubectl"
    told = [str(found), f"--server={NOWHERE}", *words[1:]]
    done = subprocess.run(told, capture_output=True, text=True, check=False, timeout=60, env={"HOME": "/nonexistent"})
    return done.stdout + done.stderr


def every_command() -> list[str]:
    """Each command of kubectl once, also those that a variable is set by."""
    lines = dict.fromkeys(line for page in pages(platform()).values() for line in commands(page))
    plain = [line for line in lines if line.startswith("kubectl ")]
    inner = [match[1] for line in lines if (match := re.match(r"[A-Z]+=\$\((kubectl .*)\)$", line))]
    # the pages differ in the reason that they give
    return list({re.sub(r'(rollback\.sh .*) "\w+"$', r'\1 "reason"', line): line for line in (*plain, *inner)}.values())


def test_kubectl_knows_every_command_of_the_pages() -> None:
    lines = every_command()
    assert len(lines) > 30
    wrong = {line: said for line in lines if not NO_ANSWER.search(said := kubectl(line))}
    assert not wrong


@pytest.mark.parametrize("line", ["kubectl logs -l a=b --al-containers", "kubectl -n x descibe pod y", "kubectl get"])
def test_a_command_that_kubectl_does_not_know_is_found(line: str) -> None:
    assert not NO_ANSWER.search(kubectl(line))
