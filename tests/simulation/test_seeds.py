"""Thousands of seeded rollouts keep the invariants; a failure prints the seed and the command that replays it.

The seeds are played in chunks, which the test workers share; the chunk that ends last looks at what all of them hit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.simulation.many import Tally, batch, players

pytestmark = pytest.mark.simulation

SEEDS = 5000
CHUNK = 125
STARTS = range(0, SEEDS, CHUNK)


@pytest.fixture(scope="session")
def player() -> Iterator[ProcessPoolExecutor]:
    """One process of low priority for each test worker: the lab's stories beside it are timed by the real clock."""
    with players(1) as pool:
        yield pool


@pytest.fixture(scope="session")
def tallies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the chunks of this run leave what they showed, whichever worker plays them."""
    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "simulation"
    shared.mkdir(exist_ok=True)
    return shared


@pytest.mark.parametrize("first", STARTS)
def test_seeds_keep_the_invariants_and_every_fault_strikes_at_every_await_point(
    first: int,
    player: ProcessPoolExecutor,
    tallies: Path,
    record_property: Callable[[str, object], None],
) -> None:
    played = player.submit(batch, first, first + CHUNK).result()
    record_property("cpu_seconds", played.cpu)
    everything = _added(tallies, first, played)
    if everything is not None:
        record_property("table", f"{everything.coverage()}\n{everything.summary()}")
    assert not played.failures, f"{len(played.failures)} seeds break an invariant:\n{played.broken()}"
    if everything is None:
        return
    assert everything.rollbacks > SEEDS / 4 and everything.kills > SEEDS / 10
    assert not everything.rare(), f"struck too seldom: {everything.rare()}"


def _added(tallies: Path, first: int, played: Tally) -> Tally | None:
    """What all chunks showed together, None while one of them is missing."""
    unfinished = tallies / f"{first}.part"
    unfinished.write_text(played.to_json())
    unfinished.rename(tallies / f"{first}.json")
    files = [tallies / f"{start}.json" for start in STARTS]
    if not all(file.exists() for file in files):
        return None
    total = Tally()
    for file in files:
        total.add(Tally.from_json(file.read_text()))
    return total
