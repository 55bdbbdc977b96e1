"""A controller that dies at any write of a release set's rollback: each step is done once, and told once."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_asyncio

from lab.faults.killing import AtNumber, Fault, all_disturbed, disturbed
from lab.faults.set_killing import BEGINNING, SCALED, BackToBlue
from lab.faults.written import AtPoints, of_the_users_objects, points
from lab.world import Lab

pytestmark = pytest.mark.asyncio(loop_scope="session")
RUNS = 8
"""A rollback has some thirty writes: in each of these runs every eighth of them is struck, so four controllers die."""
MISSED_MAX = 2


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def installed(lab: Lab) -> Path:
    """The kubeconfig of the guard's ServiceAccount."""
    return await lab.install()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def wanted(lab: Lab, installed: Path) -> list[frozenset[str]]:
    """What each write of a set's rollback says that nothing disturbs."""
    clean = await disturbed(lab, installed, BackToBlue(), Fault.NONE, AtNumber())
    assert not clean.problems, f"{clean}\n{clean.logs}"
    return points(clean.writes, since=BEGINNING)


@pytest.mark.parametrize("fault", [Fault.KILLED_AFTER, Fault.KILLED_BEFORE])
async def test_a_set_goes_back_once_whatever_happens_at_any_of_its_writes(
    lab: Lab, installed: Path, wanted: list[frozenset[str]], fault: Fault
) -> None:
    aims = [AtPoints(name=str(n), points=wanted[n::RUNS]) for n in range(RUNS)]
    endings = await all_disturbed(lab, installed, BackToBlue(), fault, aims, tell=print)
    wrong = [ending for ending in endings if ending.problems]
    assert not wrong, "\n\n".join(f"{ending}\n{ending.logs}" for ending in wrong)
    struck = {each for aim in aims for each in aim.struck}
    # Lines of a story may share a write in one run and not in another; blue's scaling may be its autoscaler's.
    missed = [point - struck for point in wanted if not point <= struck | {SCALED}]
    told = (
        f"{fault.value}: {sum(len(ending.struck) for ending in endings)} controllers at {len(wanted)} writes of a set"
    )
    assert len(missed) <= MISSED_MAX and not any(of_the_users_objects(point) for point in missed), f"{told}: {missed}"
    print(told)
