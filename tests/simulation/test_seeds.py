"""Thousands of seeded rollouts keep the invariants; a failure prints the seed and the command that replays it."""

from __future__ import annotations

import pytest

from rollguard.sim.faults import POINTS
from tests.simulation.many import ENOUGH_HITS, many

pytestmark = pytest.mark.simulation

SEEDS = 5000
IMPOSSIBLE: dict[str, str] = {}
"""Await points whose cells cannot be hit often enough, each with the reason."""


def test_every_seed_keeps_the_invariants_and_every_fault_strikes_at_every_await_point() -> None:
    tally = many(0, SEEDS)
    print(tally.coverage())
    print(tally.summary())
    assert not tally.failures, f"{len(tally.failures)} of {tally.seeds} seeds break an invariant:\n{tally.broken()}"
    assert tally.rollbacks > SEEDS / 4 and tally.kills > SEEDS / 10
    rare = {
        f"{fault.name.lower()} at {point}": tally.hits[point, fault]
        for point, faults in POINTS.items()
        for fault in faults
        if point not in IMPOSSIBLE and tally.hits[point, fault] < ENOUGH_HITS
    }
    assert not rare, f"struck fewer than {ENOUGH_HITS} times: {rare}"
