"""How fast the simulator plays, and which rooms the time goes to: `python -m bench.simulation [SEEDS]`.

Two passes over the same seeds: one timed, one sampled every 2 ms of CPU. A sample belongs to the room of the innermost
frame of the project, so a room's share holds what it has the standard library do.
"""

from __future__ import annotations

import platform
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType

import rollguard
from tests.simulation.many import batch
from tests.simulation.thawing import thaw

SEEDS = 200
EVERY_S = 0.002
PRODUCT, PROJECT = Path(rollguard.__file__).parent, Path(__file__).parents[1]


def main(arguments: list[str]) -> int:
    """Prints the figures; 1 where a seed broke an invariant, 2 for a wrong command line."""
    if len(arguments) > 1 or not all(argument.isdigit() and int(argument) for argument in arguments):
        print("usage: python -m bench.simulation [SEEDS]", file=sys.stderr)
        return 2
    seeds = int(arguments[0]) if arguments else SEEDS
    thaw()  # as the tests play
    batch(0, 1)  # imports and caches are no part of a seed
    started = time.perf_counter()
    tally = batch(0, seeds)
    wall = time.perf_counter() - started
    print(f"Python {platform.python_version()}, one process, seeds 0 to {seeds - 1}")
    print(f"{seeds / wall:.1f} seeds/s, {tally.summary()}")
    shares = _sampled(seeds)
    samples, cost = shares.total(), 1000 * tally.cpu / seeds
    for room, count in shares.most_common():
        print(f"  {room:<12} {count / samples:6.1%} {cost * count / samples:6.1f} ms a seed")
    print(tally.broken())
    return 1 if tally.failures else 0


def _sampled(seeds: int) -> Counter[str]:
    """How many samples fell into each room."""
    shares: Counter[str] = Counter()

    def sample(_number: int, frame: FrameType | None) -> None:
        shares[_room(frame)] += 1

    signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        batch(0, seeds)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return shares


def _room(frame: FrameType | None) -> str:
    """The room of the innermost frame of the project; frames of the event loop alone are asyncio's."""
    while frame is not None:
        file = Path(frame.f_code.co_filename)
        if PRODUCT in file.parents:
            return file.relative_to(PRODUCT).parts[0].removesuffix(".py")
        if "asyncio" in file.parts:
            return "asyncio"
        if PROJECT / "tests" in file.parents:
            return "harness"
        frame = frame.f_back
    return "other"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
