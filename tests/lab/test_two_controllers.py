"""Two controllers of one guard: one acts; the other takes over, and the first, should it wake again, does no harm."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from lab.controller import Controller
from lab.faults.guarded import Guarded, guarded
from lab.faults.killing import BAD, TIMING
from lab.faults.set_killing import BackToBlue
from lab.faults.watched import Watched
from lab.proxy import Script, WriteSeen
from lab.world import Lab
from rollguard.model.records import Outcome, RolloutRecord
from tests.lab.beside import Beside, Story, beside

pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def two(lab: Lab, namespace: str) -> AsyncIterator[Guarded]:
    """A guarded service with two controllers: the first leads, through the proxy; the second waits, without one."""
    installed = await lab.install()
    async with guarded(lab, namespace, script=Script(), installed=installed, timing=TIMING) as here:
        first = here.controller()
        await here.until_led(by=first)
        here.controller(proxied=False)
        await here.until_adopted()
        yield here


async def generation(here: Guarded) -> int:
    return int((await here.deployment())["metadata"]["generation"])


async def tag(here: Guarded) -> str:
    template = (await here.deployment())["spec"]["template"]
    return str(template["spec"]["containers"][0]["image"]).rpartition(":")[2]


def sent(controller: Controller) -> int:
    """How often the controller wrote the workload's template."""
    return sum(r.get("event") == "step-sent" and r.get("step") == 1 for r in controller.records())


def is_done(record: RolloutRecord) -> bool:
    plan = record.plan
    return plan is not None and plan.id.endswith(".1") and plan.done


async def one_acts_and_after_its_death_the_other(lab: Lab) -> None:
    async with two(lab, "two-one-dies") as pair:
        await _one_dies(pair)


async def _one_dies(pair: Guarded) -> None:
    first, second = pair.controllers
    await pair.release(BAD)
    undone = await pair.until_closed()
    assert undone.outcome is Outcome.RECOVERED
    assert (sent(first), sent(second)) == (1, 0)
    assert await generation(pair) == 3
    assert not [r for r in second.records() if r.get("event") == "leading"]
    epoch = undone.epoch

    await first.kill()
    await pair.until_led(by=second)
    await pair.release("v3-missing")
    await _until_rollouts(pair, 2)
    again = await pair.until_closed()
    assert again.outcome is Outcome.RECOVERED
    assert again.epoch > epoch
    assert sent(second) == 1
    assert await generation(pair) == 5
    assert await tag(pair) == "v1"


async def a_leader_that_stands_still_before_its_write_arrives_does_no_harm_when_it_wakes(lab: Lab) -> None:
    async with two(lab, "two-asleep-before") as pair:
        await _one_sleeps(pair, applied=False)


async def a_leader_that_stands_still_before_its_answer_arrives_does_no_harm_when_it_wakes(lab: Lab) -> None:
    async with two(lab, "two-asleep-after") as pair:
        await _one_sleeps(pair, applied=True)


async def _one_sleeps(pair: Guarded, *, applied: bool) -> None:
    """It stands still with its write on the way: the network keeps the write, or only the answer, until it wakes."""
    first, second = pair.controllers

    async def stand_still() -> None:
        os.kill(first.child.pid, signal.SIGSTOP)
        await second.until_logged(lambda r: r.get("event") == "leading", what="leadership", timeout_s=60.0)
        await pair.until_closed()

    if applied:
        pair.script.held_answer = stand_still
    else:
        pair.script.held = stand_still
    await pair.release(BAD)
    undone = await pair.until_closed()
    late = await _answered_undo(pair)
    assert late.status == (200 if applied else 422), "a late write fails its guard"
    finished = await _lease_holder(pair)
    before = len(pair.script.seen)
    os.kill(first.child.pid, signal.SIGCONT)
    await first.until_logged(lambda r: r.get("event") == "not-leading", what="that it leads no more", timeout_s=30.0)
    await _renewed(pair, times=3)

    assert undone.outcome is Outcome.RECOVERED
    assert is_done(undone)
    assert await generation(pair) == 3
    assert await tag(pair) == "v1"
    assert sent(second) == (0 if applied else 1)
    assert not _effective(pair.script.seen[before:]), "the old leader wrote after it woke"
    (record,) = await pair.rollouts()
    assert record == undone
    assert record.epoch == 2
    assert await _lease_holder(pair) == finished
    unit = await pair.unit()
    assert unit is not None and len(unit.automatic_rollbacks) == 1


async def a_set_is_switched_back_once_though_its_leader_stands_still_before_it_switches(lab: Lab) -> None:
    tale, script, installed = BackToBlue(), Script(held_at="/services/"), await lab.install()
    async with tale.guarded(lab, "two-set-asleep", script, installed) as here:
        first = here.controller()
        await here.until_led(by=first)
        second = here.controller(proxied=False)
        await tale.adopted(here)

        async def stand_still() -> None:
            os.kill(first.child.pid, signal.SIGSTOP)
            await second.until_logged(lambda r: r.get("event") == "leading", what="leadership", timeout_s=60.0)
            await here.until_closed()

        script.held = stand_still
        await tale.begin(here)
        undone = await here.until_closed()
        late = await _answered_undo(here)
        assert late.status in (409, 422), "a late write fails its guard"
        before = len(script.seen)
        os.kill(first.child.pid, signal.SIGCONT)
        await first.until_logged(
            lambda r: r.get("event") == "not-leading", what="that it leads no more", timeout_s=30.0
        )
        await _renewed(here, times=3)
        assert not _effective(script.seen[before:]), "the old leader wrote after it woke"
        assert [what for holds, what in await tale.of_the_world(here, undone) if not holds] == []
        assert undone.outcome is Outcome.RECOVERED
        assert await here.rollouts() == (undone,)


async def _answered_undo(here: Watched) -> WriteSeen:
    """The first controller's write that was held, once the server has answered it."""
    found: list[WriteSeen] = []

    async def answered() -> bool:
        found.extend(w for w in here.script.seen if here.script.held_at in w.path and not w.dry_run)
        return bool(found)

    await here.lab.until(answered, what="the answer to the undo", timeout_s=30.0, seen=here.logs)
    return found[0]


def _effective(writes: list[WriteSeen]) -> list[WriteSeen]:
    return [w for w in writes if w.status is not None and w.status < 300 and not w.dry_run]


async def _until_rollouts(here: Guarded, count: int) -> None:
    async def there() -> bool:
        return len(await here.rollouts()) == count

    await here.lab.until(there, what=f"{count} rollouts", timeout_s=60.0, seen=here.logs)


async def _lease_holder(here: Guarded) -> str:
    return str((await here.lease())["spec"]["holderIdentity"])


async def _renewed(here: Watched, *, times: int) -> None:
    """Returns when the Lease has been renewed so many more times: the old leader has had its turns as well."""
    seen = {(await here.lease())["spec"]["renewTime"]}

    async def enough() -> bool:
        seen.add((await here.lease())["spec"]["renewTime"])
        return len(seen) > times

    await here.lab.until(enough, what="renewals of the Lease", timeout_s=30.0, seen=here.logs)


STORIES: tuple[Story, ...] = (
    one_acts_and_after_its_death_the_other,
    a_leader_that_stands_still_before_its_write_arrives_does_no_harm_when_it_wakes,
    a_leader_that_stands_still_before_its_answer_arrives_does_no_harm_when_it_wakes,
    a_set_is_switched_back_once_though_its_leader_stands_still_before_it_switches,
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def playing(request: pytest.FixtureRequest, lab: Lab) -> AsyncIterator[Beside]:
    async with beside(request, lab) as stories:
        yield stories


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_it_goes_as_told(story: Story, playing: Beside) -> None:
    await playing.ended(story)
