"""`rollguard demo`: the main job in a simulation, with nothing but Python."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rollguard.cli import exits, output
from rollguard.cli.demo.scenarios import SCENARIOS
from rollguard.cli.demo.show import play

SPEED = 60.0


def demo(
    *,
    scenario: str = "blue-green",
    speed: float = SPEED,
    seed: int = 1,
    directory: Annotated[Path, Parameter(name=["-d", "--directory"])] = Path("incidents"),
    list_: bool = False,
) -> int:
    """A bad blue-green switch is caught and taken back beside a healthy release, all simulated: no cluster is touched.

    Parameters
    ----------
    scenario
        Which story; --list names them.
    speed
        How many times faster than life.
    seed
        Of traffic and start-up times: the same seed plays the same story.
    directory
        Where the incident reports are written.
    list_
        List the scenarios.
    """
    if list_:
        output.say(output.table(("SCENARIO", "WHAT HAPPENS"), [(s.name, s.about) for s in SCENARIOS.values()]))
        return exits.OK
    chosen = SCENARIOS.get(scenario)
    if chosen is None:
        raise exits.CommandError(f"no scenario {scenario!r}; there are: {', '.join(SCENARIOS)}", exits.USAGE)
    if speed <= 0:
        raise exits.CommandError("--speed must be more than 0", exits.USAGE)
    try:
        return play(chosen, speed=speed, seed=seed, directory=directory)
    except asyncio.CancelledError:
        return exits.INTERRUPTED
