"""How commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

from cyclopts import Parameter

from rollguard.model.time import Instant
from rollguard.render import to_yaml


class Format(StrEnum):
    """`table` and `wide` for people, `json` and `yaml` for programs."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"

    @property
    def for_programs(self) -> bool:
        """Whether a document is wanted, and no table or sentence."""
        return self in (Format.JSON, Format.YAML)


Output = Annotated[Format, Parameter(name=["-o", "--output"], help="table, wide, json or yaml")]


def _document(_type: object, format_: Format) -> None:
    if not format_.for_programs:
        raise ValueError("expected yaml or json")


Document = Annotated[
    Format,
    Parameter(name=["-o", "--output"], help="yaml or json", show_choices=False, validator=_document),
]
"""For what is a document anyhow."""
NoHeaders = Annotated[bool, Parameter(name="--no-headers", help="leave out the table's first line")]


def document(text: str, format_: Format) -> str:
    """A JSON text as the document that was asked for."""
    return to_yaml([json.loads(text)]).rstrip("\n") if format_ is Format.YAML else text


LAST_AT_LEAST = 40
"""Characters that the last column keeps, however narrow the terminal is."""


def width(format_: Format) -> int | None:
    """How wide a table may be: the terminal; None, as wide as it is, without a terminal and for `-o wide`."""
    if format_ is Format.WIDE or not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, headers: bool = True, within: int | None = None
) -> str:
    """Aligned columns as kubectl prints them; the last one is not padded, and cut where the lines must be `within`."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    room = None if within is None else max(LAST_AT_LEAST, within - sum(width + 3 for width in widths[:-1]))

    def line(row: Sequence[str]) -> str:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
        last = row[-1] if room is None or len(row[-1]) <= room else row[-1][: room - 1] + "…"
        return "   ".join([*cells, last]).rstrip()

    return "\n".join(line(row) for row in ([header, *rows] if headers else rows))


def say(text: str) -> None:
    """A line on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """A line for people beside the output: on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def as_json(documents: Sequence[str]) -> str:
    """JSON texts as one indented JSON list."""
    return json.dumps([json.loads(text) for text in documents], indent=2, ensure_ascii=False)


def as_object(**fields: str | int | bool | list[str] | None) -> str:
    """One JSON object on one line: what a command did."""
    return json.dumps(fields, ensure_ascii=False)


def moment(at: Instant) -> str:
    """A time in UTC to the second, as `2026-11-03T02:05:30Z`."""
    return at.iso_second()


def time_of_day(at: Instant) -> str:
    """The same without the date, as `02:05:30Z`: beside a time that has it."""
    return moment(at)[11:]


def ago(seconds: float) -> str:
    """A duration as kubectl writes an age: 12s, 5m, 3h, 2d."""
    for size, suffix in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size * 2 or (suffix != "m" and seconds >= size):
            return f"{int(seconds // size)}{suffix}"
    return f"{int(max(0, seconds))}s"
