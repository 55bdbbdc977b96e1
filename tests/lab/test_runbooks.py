"""What the runbooks tell a person to look at is there to be seen: their commands, as they stand, beside a crash."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest

from lab import programs
from lab.world import Lab
from tests.lab.test_nodes import until_containers
from tests.unit.policy.texts import GOOD, good
from tests.unit.render.pages import blocks, pages

pytestmark = pytest.mark.lab
NAMESPACE = "runbooks"
LOOKS = re.compile(r'^kubectl (?:-n "\$NAMESPACE" )?(?:get|describe|logs) (?!servicemonitors)')
"""Nothing that changes anything, none of the guard's own, and no kind that only an operator brings."""
ONE_POD = f"$(kubectl -n {NAMESPACE} get pods -o jsonpath='{{.items[0].metadata.name}}')"
"""What a person takes from the alert's label."""
POLICY = good(
    GOOD[: GOOD.index("  signals:")]
    .replace("namespace: production", f"namespace: {NAMESPACE}")
    .replace("[web, api]", "[translation]")
    + "  preset: generic\n  runbooks: {podLabel: app}\n"
)


def looks() -> list[str]:
    """Each command that looks, behind the variables that its page sets before it."""
    found: dict[str, str] = {}
    for page in pages(POLICY).values():
        variables: list[str] = []
        for block in blocks(page, "sh"):
            for line in block.splitlines():
                if re.match(r"[A-Z]+=", line):
                    variables.append(line.replace("POD=...", f"POD={ONE_POD}"))
                elif LOOKS.match(line):
                    # that there is no such line in a log is no failure of the command
                    found[line] = "\n".join((*variables, line.partition(" | ")[0]))
    return list(found.values())


async def test_the_commands_that_look_do_so_as_they_stand(lab: Lab) -> None:
    namespace = await lab.namespace(NAMESPACE)
    await lab.deploy(namespace, "translation", tag="v4-crash", replicas=1, rps=0)
    await until_containers(lab, namespace, "a container that was started again", 1, lambda each: each["restartCount"])
    kubectl = Path(programs.require(["kubectl"])["kubectl"])
    environment = {"PATH": f"{kubectl.parent}:{os.environ['PATH']}", "KUBECONFIG": str(lab.kubeconfig), "HOME": "/"}
    commands = looks()
    assert len(commands) > 15
    said: dict[str, str] = {}
    for command in commands:
        process = await asyncio.create_subprocess_exec(
            *("bash", "-euc", command),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        said[command] = out.decode()
        assert process.returncode == 0, f"{command}\n{out.decode()}"
    (crash,) = (text for command, text in said.items() if "--previous" in command)
    assert "Traceback" in crash, "the last words of the container that restarted most"
    assert all("translation-" in text for command, text in said.items() if "get pods -l" in command.splitlines()[-1])
