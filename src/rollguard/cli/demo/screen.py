"""The demo's screen: a live table with the story below it, or plain lines where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rollguard.cli import output
from rollguard.cli.demo.scenarios import SERVICES, Scenario
from rollguard.loop import Status
from rollguard.model.judgement import LevelReading, Verdict
from rollguard.model.policy import LevelName
from rollguard.model.records import LifecycleState, RolloutRecord
from rollguard.policy.amounts import amount

SHOWN_LINES = 14
STYLES = {
    "story": "bold cyan",
    "verdict": "yellow",
    "decision": "bold",
    "step": "bold green",
    "recovery": "green",
    "phase": "dim",
}
VERDICTS = {"healthy": "green", "bad": "bold red", "degraded": "yellow", "blind": "magenta", "undecided": "dim"}
WATCHED = (LifecycleState.WATCHING, LifecycleState.AWAITING_APPROVAL, LifecycleState.HELD)
BANNER = "SIMULATION: no cluster is touched. Simulated time passes {speed:g} times faster than life."


class Screen(Protocol):
    """Where the demo is shown. Times are simulated seconds since the curtain rose."""

    def tell(self, at: float, who: str, kind: str, text: str) -> None:
        """A line of the story."""
        ...

    def show(self, now: float, status: Status, rollouts: dict[str, RolloutRecord]) -> None:
        """How everything stands."""
        ...


@contextmanager
def screen(scenario: Scenario, speed: float) -> Iterator[Screen]:
    """The screen that fits: live in a terminal, else plain lines."""
    console = Console()
    if not console.is_terminal:
        output.say(BANNER.format(speed=speed))
        output.say(f"Scenario {scenario.name}: {scenario.about}")
        yield Lines()
        return
    with Live(console=console, auto_refresh=False, transient=False) as live:
        yield Picture(live, scenario, speed)


class Lines:
    """Plain lines, one for each thing that happens."""

    def tell(self, at: float, who: str, kind: str, text: str) -> None:
        """Prints it, unless it happened before the curtain rose."""
        if at >= 0:
            output.say(f"{clock(at)}  {who or '-':<15} {kind:<9} {text}")

    def show(self, now: float, status: Status, rollouts: dict[str, RolloutRecord]) -> None:
        """Lines tell what changes; there is nothing to redraw."""


class Picture:
    """A live picture of all services, and the last lines of the story."""

    def __init__(self, live: Live, scenario: Scenario, speed: float) -> None:
        self._live = live
        self._scenario = scenario
        self._speed = speed
        self._lines: list[Text] = []

    def tell(self, at: float, who: str, kind: str, text: str) -> None:
        """Adds the line below the table."""
        if at >= 0:
            line = f"{clock(at)}  {who:<15} {text}" if who else f"{clock(at)}  {text}"
            self._lines.append(Text(line, style=STYLES.get(kind, ""), no_wrap=True, overflow="ellipsis"))

    def show(self, now: float, status: Status, rollouts: dict[str, RolloutRecord]) -> None:
        """Draws everything anew."""
        verdicts = {str(unit.unit).partition("/")[2]: unit.verdict for unit in status.units}
        table = Table(expand=True, box=None, pad_edge=False)
        for title in ("SERVICE", "VERSION", "STATE", "PHASE", "VERDICT", "ERRORS NOW (BOUND)"):
            table.add_column(title, no_wrap=True)
        for name in SERVICES:
            table.add_row(*_row(name, rollouts.get(name), verdicts.get(name)))
        bar = ProgressBar(total=self._scenario.seconds, completed=min(now, self._scenario.seconds))
        head = Text(BANNER.format(speed=self._speed), style="reverse")
        about = Text(f"{self._scenario.name}: {self._scenario.about}", style="italic")
        when = Text(f"simulated time {clock(now)} of {clock(self._scenario.seconds)}", style="dim")
        story = Panel(Group(*self._lines[-SHOWN_LINES:]), title="story", height=SHOWN_LINES + 2)
        self._live.update(Group(head, about, table, story, when, bar), refresh=True)


def _row(name: str, rollout: RolloutRecord | None, verdict: Verdict | None) -> tuple[Text | str, ...]:
    if rollout is None:
        return (name, "v1", "steady", "-", "-", "-")
    new = rollout.target_images[0][1].rpartition(":")[2]
    state = rollout.state.value if rollout.outcome is None else rollout.outcome.value
    watched = rollout.state in WATCHED
    judged = verdict.kind.value if verdict is not None and watched else rollout.verdict.value
    reading = _errors(verdict) if watched else None
    errors = "-" if reading is None or reading.value is None else _value(reading)
    return (name, f"v1 -> {new}", state, rollout.phase.value, Text(judged, style=VERDICTS.get(judged, "")), errors)


def _value(reading: LevelReading) -> str:
    assert reading.value is not None
    return f"{amount(reading.value, reading.unit)} ({amount(reading.bound, reading.unit)})"


def _errors(verdict: Verdict | None) -> LevelReading | None:
    if verdict is None:
        return None
    return next((r for r in verdict.readings if r.signal == "errors" and r.level is LevelName.ROLLBACK), None)


def clock(seconds: float) -> str:
    """Minutes and seconds, as `05:40`."""
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
