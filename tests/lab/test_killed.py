"""A controller that dies, or hears nothing, at any write of a rollback: the rollback is done once and told whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_asyncio

from lab.faults.killing import AtNumber, Fault, Service, all_disturbed, disturbed
from lab.world import Lab

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def installed(lab: Lab) -> Path:
    """The kubeconfig of the guard's ServiceAccount."""
    return await lab.install()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def points(lab: Lab, installed: Path) -> int:
    """How many writes a rollback has that nothing disturbs."""
    clean = await disturbed(lab, installed, Service(), Fault.NONE, AtNumber())
    assert not clean.problems, clean
    assert len(clean.writes) >= 10
    print(f"kill points: {len(clean.writes)} writes, each before and after = {2 * len(clean.writes)}")
    return len(clean.writes)


@pytest.mark.parametrize("fault", [Fault.KILLED_BEFORE, Fault.KILLED_AFTER, Fault.ANSWER_LOST])
async def test_a_rollback_is_done_once_whatever_happens_at_any_of_its_writes(
    lab: Lab, installed: Path, points: int, fault: Fault
) -> None:
    aims = [AtNumber(n=n) for n in range(1, points + 1)]
    endings = await all_disturbed(lab, installed, Service(), fault, aims, tell=print)
    wrong = [ending for ending in endings if ending.problems]
    assert not wrong, "\n\n".join(f"{ending}\n{ending.logs}" for ending in wrong)
    # Two lines of a story may share a write in one run and not in another: only the very last may be missed.
    missed = [aim.n for aim, ending in zip(aims, endings, strict=True) if not ending.struck]
    assert all(n > points - 2 for n in missed), f"{fault.value}: the writes {missed} of {points} never came"
    print(f"{fault.value}: {len(endings) - len(missed)} points")
