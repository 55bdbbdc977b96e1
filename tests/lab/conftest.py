"""One control plane and one lab for the whole run; each test works in a namespace of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from lab.controlplane import ControlPlane
from lab.world import Lab, LabSettings
from tests.lab.stories import REAL_TIME, Stories, under_way

HERE = Path(__file__).parent


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def control_plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    """etcd, the API server and the controllers, without nodes."""
    workdir: Path = tmp_path_factory.mktemp("control-plane")
    async with ControlPlane.running(workdir) as plane:
        yield plane


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lab(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    """The whole lab on that control plane: nodes, exporter, load generator, Prometheus."""
    settings = LabSettings(workdir=tmp_path_factory.mktemp("lab"), say=print)
    async with Lab.up(settings, plane=control_plane) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    """A lab of its own without anything of the product, which its tests install and take out again."""
    async with Lab.up(LabSettings(workdir=tmp_path_factory.mktemp("installed"), say=print)) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def real_time(lab: Lab) -> AsyncIterator[Stories]:
    """The story at real durations, beside whatever else is tested."""
    async with under_way(lab, names=(), alone=(), long=(REAL_TIME,)) as playing:
        yield playing


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The story at real durations begins before all other tests of the lab and is awaited after them."""
    places = [i for i, item in enumerate(items) if HERE in item.path.parents]
    mine = [items[i] for i in places]
    mine.sort(key=_turn)
    for place, item in zip(places, mine, strict=True):
        items[place] = item


def _turn(item: pytest.Item) -> int:
    if item.path.name != "test_real_durations.py":
        return 1
    return 2 if "undone" in item.name else 0
