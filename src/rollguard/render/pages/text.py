"""Pages as text: what comes with the package, and how the places in it are filled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources

PLACE = re.compile(r"\{\{([a-z_]+)\}\}")
BREAKS = re.compile(r"\n{3,}")
STEP = re.compile(r"\d+\. ")
MANY = 12
"""So many commands of a kind are written out."""


def packaged(*path: str) -> str:
    """A text of the package. Raises FileNotFoundError where there is none of that name."""
    return resources.files("rollguard.render.pages").joinpath("texts", *path).read_text("utf-8")


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its places filled; a line that was nothing but a place for nothing is gone, with the words that
    lead to it, and the steps after it are counted anew.

    Raises KeyError for a place without a value.
    """
    lines: list[str] = []
    for line in text.split("\n"):
        full = PLACE.sub(lambda place: values[place[1]], line)
        if full or not line:
            lines.append(full)
        else:
            _drop_lead(lines)
    return BREAKS.sub("\n\n", "\n".join(_counted(lines)))


def _drop_lead(lines: list[str]) -> None:
    """Takes away what announces something that is not there."""
    while lines and not lines[-1]:
        lines.pop()
    if lines and lines[-1].endswith(":"):
        lines.pop()
    lines.append("")


def _counted(lines: list[str]) -> Iterator[str]:
    """The steps below each heading, from 1 on."""
    step = 0
    for line in lines:
        if line.startswith("#"):
            step = 0
        found = STEP.match(line)
        step += found is not None
        yield f"{step}. {line[found.end() :]}" if found else line


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell(each) for each in line) + " |" for line in lines)


def cell(text: str) -> str:
    """The text as a cell of a table: nothing in it ends the cell or the line."""
    return " ".join(text.replace("|", "\\|").split())


def code(language: str, *lines: str) -> str:
    """A block of code, or nothing where there are no lines."""
    return "\n".join((f"```{language}", *lines, "```")) if lines else ""


def listed(items: Iterable[str]) -> str:
    """A list, or nothing."""
    return "\n".join(f"- {item}" for item in items)


def some(lines: Iterable[str]) -> list[str]:
    """The first lines, and that there are more: a page is for reading."""
    every = list(lines)
    more = [f"# and {len(every) - MANY} more of these"] if len(every) > MANY else []
    return [*every[:MANY], *more]


def spoken(items: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`; empty for nothing."""
    *most, last = tuple(items) or ("",)
    return f"{', '.join(most)} and {last}" if most else last
