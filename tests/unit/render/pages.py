"""Rendered pages for tests, and the commands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rollguard.model.policy import Policy
from rollguard.render.alerts.alert import Alert
from rollguard.render.alerts.table import alerts
from rollguard.render.pages.guides import guides
from rollguard.render.pages.runbooks import runbooks
from rollguard.render.retention.thanos import halted
from tests.unit.policy.texts import good

PLATFORM = Path(__file__).parents[3] / "examples" / "dubbing-platform" / "policy.yaml"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`((?:rollguard|kubectl) [^`]+)`")
VARIABLE = re.compile(r"^([A-Z]+)=(\S+)(?:  # .*)?$")


def platform(old: str = "", new: str = "") -> Policy:
    """The platform's policy, with one piece of its text replaced."""
    text = PLATFORM.read_text()
    assert old in text
    return good(text.replace(old, new, 1) if old else text)


def every_alert(policy: Policy) -> tuple[Alert, ...]:
    """All alerts that are rendered."""
    return (*alerts(policy, namespace="monitoring"), halted(policy, "monitoring"))


def pages(policy: Policy) -> dict[str, str]:
    """All pages by their paths."""
    every = every_alert(policy)
    made = (*runbooks(policy, every, "monitoring"), *guides(policy, every, "monitoring"))
    return {file.path: file.text for file in made}


def blocks(page: str, language: str) -> list[str]:
    """The blocks of code of a language."""
    return [text for found, text in BLOCK.findall(page) if found == language]


def commands(page: str) -> Iterator[str]:
    """Every command line of a page, with the page's own variables filled in."""
    variables: dict[str, str] = {}
    for block in blocks(page, "sh"):
        for line in block.splitlines():
            given = VARIABLE.match(line)
            if given and "$(" not in line:
                variables[given[1]] = given[2]
            elif line and not line.startswith("#"):
                for each in line.removesuffix("  # restarted most; or another").split(" || "):
                    yield _filled(each, variables)
    for line in INLINE.findall(BLOCK.sub("", page)):
        yield _filled(line.replace("\\|", "|"), variables)


def _filled(line: str, variables: dict[str, str]) -> str:
    for name, value in variables.items():
        line = line.replace(f"${name}", value)
    return line
