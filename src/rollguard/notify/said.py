"""A notice's text taken apart again, for channels that set figures, commands and links apart from the words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rollguard.model.judgement import Finding
from rollguard.model.notices import Notice
from rollguard.model.records import RolloutRecord
from rollguard.notify.words import DASHBOARD, INCIDENT, NEXT, RUNBOOK, TIME

_COMMAND = re.compile(r"(.*?)(?: \((.*)\))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a human would run next, exactly, and what is to be known about it."""

    label: str
    line: str
    remark: str
    """Empty where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A finding as the notice tells it, and since when, in the notice's own words."""

    finding: Finding
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The parts of a notice's text. Together they say all of it."""

    story: tuple[str, ...]
    """Lines: what happened, and what is told of it without a part of its own."""
    figures: tuple[Figure, ...]
    time: str
    """Empty where the text has none."""
    commands: tuple[Command, ...]
    links: tuple[tuple[str, str], ...]
    """(name, address)"""


def said(notice: Notice, rollout: RolloutRecord | None) -> Said:
    """The parts of the notice's text.

    Commands and links are looked for after the last line of time alone: before it may stand what people wrote. A
    finding that the record holds in other words by now stays a line of the story: the notice is of its own time.
    """
    lines = notice.text.splitlines()
    last = max((n for n, line in enumerate(lines) if line.startswith(TIME)), default=len(lines))
    figures, story = _figures(lines[:last], rollout.findings if rollout is not None else ())
    commands, links = [], []
    for line in lines[last + 1 :]:
        label = next((each for each in (NEXT, INCIDENT, DASHBOARD, RUNBOOK) if line.startswith(each)), "")
        if label in (NEXT, INCIDENT):
            commands.append(_command(label, line))
        elif label:
            links.append((_name(label), line.removeprefix(label)))
        else:
            story.append(line)
    return Said(
        story=tuple(story),
        figures=tuple(figures),
        time=lines[last].removeprefix(TIME) if last < len(lines) else "",
        commands=tuple(commands),
        links=tuple(links),
    )


def _figures(lines: list[str], findings: tuple[Finding, ...]) -> tuple[list[Figure], list[str]]:
    figures, story = [], []
    for line in lines:
        starts = ((each, f"- {each.text} (since ") for each in findings)
        found = next(((each, start) for each, start in starts if line.startswith(start) and line.endswith(")")), None)
        if found is None:
            story.append(line)
        else:
            figures.append(Figure(finding=found[0], since=line.removeprefix(found[1]).removesuffix(")")))
    return figures, story


def _command(label: str, line: str) -> Command:
    parts = _COMMAND.fullmatch(line.removeprefix(label))
    assert parts is not None  # every line matches
    return Command(label=_name(label), line=parts[1], remark=parts[2] or "")


def _name(label: str) -> str:
    return label.removesuffix(": ")
