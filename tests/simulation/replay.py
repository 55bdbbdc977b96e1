"""Plays one seed again and prints everything: `uv run --no-sync python -m tests.simulation.replay SEED`."""

from __future__ import annotations

import sys
import time
import traceback

from tests.simulation.harness import Plan, play


def main(arguments: list[str]) -> int:
    """0 where the seed keeps the invariants, 1 where it breaks one, 2 for a wrong command line."""
    if len(arguments) != 1 or not arguments[0].isdigit():
        print("usage: python -m tests.simulation.replay SEED", file=sys.stderr)
        return 2
    seed, lines = int(arguments[0]), list[str]()
    print(Plan.of(seed))
    started = time.process_time()
    code = 0
    try:
        outcome = play(seed, lines=lines)
        print(
            f"kept all invariants: {outcome.rollbacks} rollbacks, {outcome.pages} pages, {outcome.kills} kills, "
            f"{outcome.virtual:.0f} virtual seconds"
        )
    except Exception:  # noqa: BLE001 - whatever broke is printed, with the log up to it
        traceback.print_exc()
        code = 1
    print("\n".join(lines))
    print(f"{time.process_time() - started:.3f} s of CPU")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
