"""The demo's screen: a live picture with the story below it, or plain lines where there is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rollguard.cli import output
from rollguard.cli.demo.picture import Moment, clock, services_table, set_picture
from rollguard.cli.demo.scenarios import Scenario

STYLES = {
    "story": "bold cyan",
    "users": "bold magenta",
    "verdict": "yellow",
    "decision": "bold",
    "step": "bold green",
    "recovery": "green",
    "phase": "dim",
}
LINES_AT_LEAST = 2
BANNER = "SIMULATION: no cluster is touched. Time runs {speed:g}x, and {slow:g}x while the guard acts."


class Screen(Protocol):
    """Where the demo is shown. Times are simulated seconds since the curtain rose."""

    def tell(self, at: float, who: str, kind: str, text: str) -> None:
        """A line of the story."""
        ...

    def show(self, moment: Moment) -> None:
        """How everything stands."""
        ...


@contextmanager
def screen(scenario: Scenario, speed: float, slow: float) -> Iterator[Screen]:
    """The screen that fits: live in a terminal, else plain lines."""
    console = Console()
    banner = BANNER.format(speed=speed, slow=slow)
    if not console.is_terminal:
        output.say(banner)
        output.say(f"Scenario {scenario.name}: {scenario.about}")
        yield Lines()
        return
    with Live(console=console, auto_refresh=False, transient=False) as live:
        yield Picture(console, scenario, banner, partial(live.update, refresh=True))


class Lines:
    """Plain lines, one for each thing that happens."""

    def tell(self, at: float, who: str, kind: str, text: str) -> None:
        """Prints it, unless it happened before the curtain rose."""
        if at >= 0:
            output.say(f"{clock(at)}  {who or '-':<15} {kind:<9} {text}")

    def show(self, moment: Moment) -> None:
        """Lines tell what changes; there is nothing to redraw."""


class Picture:
    """A live picture of what is guarded, and as many of the story's last lines as have room below it; `update` puts it
    onto the screen."""

    def __init__(
        self, console: Console, scenario: Scenario, banner: str, update: Callable[[RenderableType], None]
    ) -> None:
        self._console = console
        self._scenario = scenario
        self._banner = banner
        self._update = update
        self._told: list[tuple[str, Text]] = []

    def tell(self, at: float, who: str, kind: str, text: str) -> None:
        """Adds the line below the picture."""
        if at >= 0:
            line = Text(f"{who + ': ' if who else ''}{text}", style=STYLES.get(kind, ""))
            self._told.append((f"{clock(at)}  ", line))

    def show(self, moment: Moment) -> None:
        """Draws everything anew."""
        whole = self._scenario.seconds
        parts: list[RenderableType] = [
            Text(self._banner, style="reverse"),
            Text(f"{self._scenario.name}: {self._scenario.about}", style="italic"),
            Text(),
            *set_picture(moment),
            services_table(moment),
            Text(),
        ]
        end = Table.grid(expand=True, padding=(0, 1))
        bar = ProgressBar(total=whole, completed=min(moment.now, whole))
        end.add_row(Text(f"simulated time {clock(moment.now)} of {clock(whole)}", style="dim", no_wrap=True), bar)
        used = len(self._console.render_lines(Group(*parts, end), pad=False))
        room = max(LINES_AT_LEAST, self._console.height - used - 1)
        self._update(Group(*parts, *self._story(room), end))

    def _story(self, room: int) -> list[Text]:
        """The last lines, each as long as it is: it goes on below itself."""
        console, shown = self._console, list[Text]()
        for when, text in reversed(self._told):
            wrapped = text.wrap(console, max(20, console.width - len(when)))
            lines = [Text(" " * len(when)).append_text(line) for line in wrapped]
            lines[0] = Text(when).append_text(wrapped[0])
            shown = [*lines, *shown]
            if len(shown) >= room:
                break
        return shown[-room:]
