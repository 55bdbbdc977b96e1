"""A controller that dies at any write of a release set's rollback: each step is done once, and told once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_asyncio

from lab.faults.killing import Fault, all_disturbed, disturbed
from lab.faults.set_killing import BackToBlue
from lab.proxy import WriteSeen
from lab.world import Lab

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def installed(lab: Lab) -> Path:
    """The kubeconfig of the guard's ServiceAccount."""
    return await lab.install()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def writes(lab: Lab, installed: Path) -> tuple[WriteSeen, ...]:
    """The writes of a set's rollback that nothing disturbs."""
    clean = await disturbed(lab, installed, BackToBlue(), Fault.NONE)
    assert not clean.problems, f"{clean}\n{clean.logs}"
    return clean.writes


def of_the_users_objects(write: WriteSeen) -> bool:
    return any(f"/{kind}/" in write.path for kind in ("services", "deployments", "horizontalpodautoscalers"))


def every_third_too(write: WriteSeen) -> bool:
    return of_the_users_objects(write) or write.n % 3 == 0


# The simulation dies at every write; here it does at those that move pods and clients, and at a third of the others.
@pytest.mark.parametrize(
    ("fault", "wanted"), [(Fault.KILLED_AFTER, every_third_too), (Fault.KILLED_BEFORE, of_the_users_objects)]
)
async def test_a_set_goes_back_once_whatever_happens_at_any_of_its_writes(
    lab: Lab, installed: Path, writes: tuple[WriteSeen, ...], fault: Fault, wanted: Callable[[WriteSeen], bool]
) -> None:
    points = [write.n for write in writes if wanted(write)]
    endings = await all_disturbed(lab, installed, BackToBlue(), fault, points, tell=print)
    wrong = [ending for ending in endings if ending.problems]
    assert not wrong, "\n\n".join(f"{ending}\n{ending.logs}" for ending in wrong)
    # Lines of a story may share a write in one run and not in another: only the very last may be missed.
    missed = [ending.n for ending in endings if not ending.reached]
    assert all(n > len(writes) - 3 for n in missed), f"{fault.value}: the writes {missed} never came"
    print(f"{fault.value}: {len(endings) - len(missed)} of {len(writes)} writes of a set")
