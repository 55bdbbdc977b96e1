"""Plays many seeds on two processes and adds up what they showed: `python -m tests.simulation.many FIRST LAST [sets]`.

With `sets` only those of the range whose story is of a release set: about one in three.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from multiprocessing import get_context

from rollguard.sim.faults import POINTS, Fault
from tests.simulation.harness import Plan, play
from tests.simulation.set_stories import SetStory
from tests.simulation.thawing import thaw

PROCESSES = 2
BATCH = 25
ENOUGH_HITS = 20
COLLECT_EVERY = 10
"""Seeds between two collections of garbage: a seed leaves a few hundred KiB in cycles."""
IMPOSSIBLE: dict[tuple[str, Fault], str] = {}
"""Cells that cannot be hit often enough, each with the reason."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What many seeds showed. `failures`: (seed, story, what broke)."""

    seeds: int = 0
    rollbacks: int = 0
    pages: int = 0
    kills: int = 0
    cpu: float = 0.0
    virtual: float = 0.0
    hits: Counter[tuple[str, Fault]] = field(default_factory=Counter)
    failures: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Counts the other's seeds too."""
        self.seeds += other.seeds
        self.rollbacks += other.rollbacks
        self.pages += other.pages
        self.kills += other.kills
        self.cpu += other.cpu
        self.virtual += other.virtual
        self.hits.update(other.hits)
        self.failures += other.failures

    def rare(self) -> dict[str, int]:
        """The cells that were hit fewer than ENOUGH_HITS times and are not known to be impossible."""
        return {
            f"{fault.name.lower()} at {point}": self.hits[point, fault]
            for point, faults in POINTS.items()
            for fault in faults
            if (point, fault) not in IMPOSSIBLE and self.hits[point, fault] < ENOUGH_HITS
        }

    def to_json(self) -> str:
        """All of it as text."""
        hits = [[point, fault.value, count] for (point, fault), count in self.hits.items()]
        plain = {name: getattr(self, name) for name in _PLAIN}
        return json.dumps({**plain, "hits": hits, "failures": self.failures})

    @classmethod
    def from_json(cls, text: str) -> Tally:
        """What `to_json` wrote."""
        read = json.loads(text)
        hits = Counter({(point, Fault(fault)): count for point, fault, count in read["hits"]})
        failures = [(seed, story, what) for seed, story, what in read["failures"]]
        return cls(**{name: read[name] for name in _PLAIN}, hits=hits, failures=failures)

    def summary(self) -> str:
        """One paragraph for people."""
        return (
            f"{self.seeds} seeds, {self.virtual / 3600:.0f} virtual hours: {self.rollbacks} rollbacks, {self.pages} "
            f"pages, {self.kills} kills; {1000 * self.cpu / max(1, self.seeds):.0f} ms of CPU a seed"
        )

    def coverage(self) -> str:
        """How often each fault struck at each await point, as a table."""
        lines = []
        for point, faults in POINTS.items():
            cells = ", ".join(f"{fault.name.lower()} {self.hits[point, fault]}" for fault in faults)
            lines.append(f"{point:<24} {cells}")
        lines += [f"impossible: {fault.name.lower()} at {point}: {why}" for (point, fault), why in IMPOSSIBLE.items()]
        return "\n".join(lines)

    def broken(self) -> str:
        """Each failed seed with the command that replays it."""
        return "\n".join(
            f"seed {seed} ({story}): {what}\n  uv run --no-sync python -m tests.simulation.replay {seed}"
            for seed, story, what in self.failures[:20]
        )


_PLAIN = ("seeds", "rollbacks", "pages", "kills", "cpu", "virtual")


def batch(first: int, last: int, sets_only: bool = False) -> Tally:
    """Plays the seeds from `first` up to, not including, `last` in this process.

    Garbage is collected between seeds: in the middle of them it costs a quarter of the time.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        wanted = range(first, last)
        return _played([seed for seed in wanted if of_a_set(seed)] if sets_only else wanted)
    finally:
        gc.enable()
        gc.unfreeze()


def of_a_set(seed: int) -> bool:
    """Whether the seed's story is of a release set."""
    return isinstance(Plan.of(seed).story, SetStory)


def _played(seeds: Sequence[int]) -> Tally:
    tally = Tally()
    started = time.process_time()
    for seed in seeds:
        tally.seeds += 1
        if tally.seeds % COLLECT_EVERY == 0:
            gc.collect()
        try:
            outcome = play(seed)
        except Exception as error:  # noqa: BLE001 - whatever broke is told, with its seed
            tally.failures.append((seed, Plan.of(seed).story.name, innermost(error)))
            continue
        tally.rollbacks += outcome.rollbacks
        tally.pages += outcome.pages
        tally.kills += outcome.kills
        tally.virtual += outcome.virtual
        tally.hits.update(outcome.hits)
    tally.cpu = time.process_time() - started
    return tally


def innermost(error: BaseException) -> str:
    """The first real error inside groups of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def many(first: int, last: int, *, sets_only: bool = False) -> Tally:
    """Plays the seeds on two processes of low priority."""
    tally = Tally()
    starts = range(first, last, BATCH)
    ends = (min(start + BATCH, last) for start in starts)
    with players(PROCESSES) as pool:
        for part in pool.map(batch, starts, ends, repeat(sets_only)):
            tally.add(part)
    return tally


def players(count: int) -> ProcessPoolExecutor:
    """So many fresh processes of low priority that do nothing else."""
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_player)


def _player() -> None:
    os.nice(10)
    thaw()


def main(arguments: list[str]) -> int:
    """0 where all seeds keep the invariants, 1 where one breaks them, 2 for a wrong command line."""
    match arguments:
        case [first, last, *rest] if first.isdigit() and last.isdigit() and rest in ([], ["sets"]):
            tally = many(int(first), int(last), sets_only=bool(rest))
        case _:
            print("usage: python -m tests.simulation.many FIRST LAST [sets]", file=sys.stderr)
            return 2
    print(tally.coverage(), tally.summary(), tally.broken(), sep="\n")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
