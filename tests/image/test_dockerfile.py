"""The Dockerfile: rules that a linter would check, and its steps as plain commands, for no engine builds it here."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from rollguard.render.pod import USER

ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Stage:
    """One FROM and what follows it."""

    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        """The arguments of every such instruction."""
        return [arguments for name, arguments in self.steps if name == instruction]

    def environment(self) -> dict[str, str]:
        """What ENV sets."""
        return dict(word.split("=", 1) for each in self.all("ENV") for word in shlex.split(each))


def stages() -> list[Stage]:
    """The Dockerfile, parsed."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
    found: list[Stage] = []
    for line in text.splitlines():
        name, _, arguments = line.strip().partition(" ")
        if name == "FROM":
            found.append(Stage(arguments))
        elif name and not name.startswith("#"):
            found[-1].steps.append((name, arguments))
    return found


def copied(stage: Stage) -> list[tuple[list[str], str]]:
    """Sources and target of each COPY from the checkout."""
    words = [shlex.split(each) for each in stage.all("COPY")]
    own = [[word for word in each if not word.startswith("--chmod=")] for each in words]
    return [(each[:-1], each[-1]) for each in own if not each[0].startswith("--from")]


def test_bases_and_tools_are_pinned() -> None:
    build, last = stages()
    assert build.base == "python:3.12-slim-bookworm AS build"
    assert last.base == "python:3.12-slim-bookworm", "the interpreter that the environment was made for"
    installs = [each for each in build.all("RUN") if each.startswith("pip install")]
    wanted = re.search(r"^UV_VERSION := (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert wanted is not None
    assert [each.split()[-1] for each in installs] == [f"uv=={wanted[1]}"]
    assert all("--frozen" in each for each in build.all("RUN") if each.startswith("uv sync"))


def test_the_image_runs_as_nobody_with_nothing_but_the_environment_and_the_script() -> None:
    build, last = stages()
    assert last.all("USER") == [f"{USER}:{USER}"]
    assert last.all("RUN") == last.all("ADD") == build.all("ADD") == []
    assert last.all("COPY") == ["--from=build /opt/rollguard /opt/rollguard", "--chmod=755 scripts /scripts"]
    assert json.loads(last.all("ENTRYPOINT")[0]) == ["rollguard"]
    assert last.environment()["PATH"].startswith("/opt/rollguard/bin:")
    assert build.environment()["UV_COMPILE_BYTECODE"] == "1", "a read-only root keeps no bytecode"


def test_everything_that_is_copied_is_there_and_not_ignored() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    sources = {source for stage in stages() for each, _ in copied(stage) for source in each}
    assert sources == allowed
    assert all((ROOT / source).exists() for source in sources)


def test_its_steps_as_plain_commands_make_a_guard_that_runs(tmp_path: Path) -> None:
    build = stages()[0]
    work, target = tmp_path / "src", tmp_path / "rollguard"
    work.mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "UV_PROJECT"))},
        **build.environment(),
        "UV_PROJECT_ENVIRONMENT": str(target),
        "UV_PYTHON": sys.executable,
        "PATH": f"{ROOT / '.uv' / 'bin'}:{os.environ['PATH']}",
    }
    for name, arguments in build.steps:
        words = shlex.split(arguments)
        if name == "COPY":
            for source in words[:-1]:
                _copy(ROOT / source, work / source)
        elif name == "RUN" and words[0] == "uv":
            subprocess.run(words, cwd=work, env=environment, check=True, capture_output=True)
    shutil.rmtree(work)
    program = str(target / "bin" / "rollguard")
    said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    assert said.stdout.strip() == version("rollguard")
    policy = str(ROOT / "examples" / "dubbing-platform" / "policy.yaml")
    subprocess.run([program, "policy", "check", policy], check=True, capture_output=True)
    assert not list(target.glob("lib/*/site-packages/pytest")), "no tool of the developers"


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def test_the_script_of_the_operators_guide_orders_a_rollback(tmp_path: Path) -> None:
    called = tmp_path / "rollguard"
    called.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    called.chmod(0o755)
    script = str(ROOT / "scripts" / "rollback.sh")
    reason = "Manual rollback due to high error rate"
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "POD_NAMESPACE": "team-guard"}
    words = [script, "production", "backend-green", reason, "--only"]
    said = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
    guard = ["--guard-namespace", "team-guard"]
    expected = ["rollback", "production", "backend-green", *guard, "--reason", reason, "--only"]
    assert said.stdout.splitlines() == expected
    short = subprocess.run(words[:3], env=environment, check=False, capture_output=True, text=True)
    assert (short.returncode, short.stderr.startswith("usage: ")) == (2, True)
