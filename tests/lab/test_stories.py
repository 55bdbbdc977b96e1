"""Whole stories on the real control plane, four at once; `make lab-scenario NAME=...` plays one by itself."""

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from lab import scenarios
from lab.world import Lab
from tests.lab.stories import REAL_TIME, Stories, under_way

pytestmark = pytest.mark.lab

ALONE = ["crash-loop", "image-pull"]
SHORT = [name for name in scenarios.known() if name not in (REAL_TIME, *ALONE)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stories(request: pytest.FixtureRequest, lab: Lab) -> AsyncIterator[Stories]:
    mine = (item for item in request.session.items if isinstance(item, pytest.Function) and item.path == request.path)
    wanted = {item.callspec.params["name"] for item in mine}
    names, alone = ([name for name in group if name in wanted] for group in (SHORT, ALONE))
    async with under_way(lab, names=names, alone=alone, long=()) as playing:
        yield playing


@pytest.mark.parametrize("name", SHORT + ALONE)
async def test_the_story_goes_as_told(
    name: str, stories: Stories, record_property: Callable[[str, object], None]
) -> None:
    told = await stories.outcome(name)
    record_property("story_seconds", told.seconds)
