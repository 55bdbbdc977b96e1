"""One control plane and one lab for the whole run; each test works in a namespace of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from lab.controlplane import ControlPlane
from lab.world import Lab, LabSettings


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
