"""`rollguard watch`: the status as a live table; plain lines on change where there is no terminal."""

from __future__ import annotations

import asyncio

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rollguard.cli import exits, output
from rollguard.cli.connect import Connection, Session, session
from rollguard.cli.status import HEADER, look, questions, rows_of, unacknowledged
from rollguard.model.records import EVERYTHING, RolloutRecord, UnitRecord
from rollguard.model.time import Instant

COLOURS = {"healthy": "green", "bad": "red", "degraded": "yellow", "blind": "magenta"}


def watch(
    *,
    connection: Connection | None = None,
    interval: float = 1.0,
    format_: output.Output = output.Format.TABLE,
) -> int:
    """The status as a live table, until Ctrl-C (`-o json`, `-o yaml`: one object per change).

    Parameters
    ----------
    interval
        Seconds between looks.
    """
    asyncio.run(_watch(connection or Connection(), interval, format_))
    return exits.OK


async def _watch(connection: Connection, interval: float, format_: output.Format) -> None:
    console = Console()
    async with session(connection) as opened:
        if console.is_terminal and not format_.for_programs:
            await _live(opened, console, interval)
        else:
            await _lines(opened, interval, format_)


async def _live(opened: Session, console: Console, interval: float) -> None:
    with Live(console=console, auto_refresh=False) as live:
        while True:
            units, rollouts = await look(opened)
            lines = [*questions(units, rollouts), *unacknowledged(units, rollouts)]
            asked = [Text(line, style="bold") for line in lines]
            rows = _rows(units, rollouts, opened.clock.now())
            shown = Group(coloured(rows), *asked, Text(await opened.leader(), style="dim"))
            live.update(shown, refresh=True)
            await opened.clock.sleep_until(opened.clock.mono().plus(interval))


async def _lines(opened: Session, interval: float, format_: output.Format) -> None:
    """One line per change: age is left out, for it always changes."""
    known: set[tuple[str, ...]] = set()
    leader, told = "", list[str]()
    while True:
        if (leads := await opened.leader()) != leader:
            output.note(leads)
            leader = leads
        units, rollouts = await look(opened)
        if not format_.for_programs:
            asked = [*questions(units, rollouts), *unacknowledged(units, rollouts)]
            for question in asked:
                if question not in told:
                    output.say(question)
            told = asked
        rows = {cells[:7] + cells[8:] for cells in _rows(units, rollouts, opened.clock.now())}
        for cells in sorted(rows - known):
            output.say(line(cells, format_))
        known = rows
        await opened.clock.sleep_until(opened.clock.mono().plus(interval))


def line(cells: tuple[str, ...], format_: output.Format) -> str:
    """One change: a unit's row without its age."""
    if not format_.for_programs:
        return "  ".join(cells)
    names = (title.lower() for title in HEADER[:7] + HEADER[8:])
    return output.document(output.as_object(**dict(zip(names, cells, strict=True))), format_)


def _rows(units: list[UnitRecord], rollouts: dict[str, RolloutRecord], now: Instant) -> list[tuple[str, ...]]:
    guarded = [unit for unit in units if unit.name.object_name != EVERYTHING]
    return rows_of(guarded, rollouts, now)


def coloured(rows: list[tuple[str, ...]]) -> Table:
    """The rows as a table with the verdict in its colour."""
    table = Table(box=None, pad_edge=False)
    for title in HEADER:
        table.add_column(title, overflow="fold")
    for cells in rows:
        table.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in cells))
    if not rows:
        table.add_row("nothing is guarded yet")
    return table
