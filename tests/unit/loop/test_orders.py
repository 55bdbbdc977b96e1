"""What people order, and what becomes of it when it is late, wrong, or for something else than what runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from rollguard.model.action import Found, Rejected, Unknown, Write, WriteOutcome
from rollguard.model.metrics import GapCause
from rollguard.model.names import Ref, UnitName
from rollguard.model.policy import Mode
from rollguard.model.records import LifecycleState, Outcome
from rollguard.model.requests import HumanRequest, RequestKind
from rollguard.sim.objects import at
from rollguard.sim.world import Blind
from tests.simulation import policies
from tests.unit.loop.stage import CRASHING, GOOD, Running, Stage, play

NEW, FIX = "registry.lab/api:v2", "registry.lab/api:v3"


def order(stage: Stage, id_: str, *, to_revision: int | None = None, against: str = "") -> None:
    entry = HumanRequest(
        id=id_,
        kind=RequestKind.ROLLBACK,
        actor="alice",
        at=at(stage.world.loop.time()),
        reason="because",
        to_revision=to_revision,
        against=against,
    )
    assert stage.world.records.request(UnitName.of_workload(stage.api.name), entry)


def handled(stage: Stage) -> bool:
    unit = stage.unit()
    return unit is not None and bool(unit.handled_requests)


async def closed_undecided(stage: Stage, image: str) -> None:
    """A rollout that nobody could judge is over."""
    now = stage.world.loop.time()
    stage.world.blind.append(Blind(start=now, end=now + 160, cause=GapCause.TIMEOUT))
    stage.world.set_image(stage.api, image)
    await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().closed is not None, within=300)


def test_an_order_that_is_refused_opens_nothing_and_undoes_nothing() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        await closed_undecided(stage, "registry.lab/api:v2-crash-after-200s")
        await asyncio.sleep(60)
        order(stage, "typo", to_revision=99)
        await stage.until(lambda: bool(stage.told("order-refused")))
        await asyncio.sleep(20)
        assert handled(stage)
        assert "has no revision 99" in stage.told("order-refused")[0]
        assert len(stage.rollouts()) == 1
        assert stage.image().endswith("v2-crash-after-200s")

    play(story)


def test_a_rollout_that_an_order_opened_decides_nothing_and_ends_with_its_refusal() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        await closed_undecided(stage, NEW)
        await running.kill()
        other = stage.prepare("guard-1")
        _refuse_writes(other)
        other.begin()
        order(stage, "late")
        await stage.until(lambda: len(stage.rollouts()) == 2 and stage.rollout().closed is not None, within=60)
        record, unit = stage.rollout(), stage.unit()
        assert record.order == "late"
        assert record.outcome is Outcome.UNDECIDED
        assert "admission says no" in record.why
        assert unit is not None
        assert unit.current_rollout is None
        assert stage.image() == NEW

    play(story)


def _refuse_writes(running: Running) -> None:
    async def refused(write: Write, *, dry_run: bool, timeout: float) -> WriteOutcome:
        return Rejected(status=403, detail="admission says no")

    running.cluster.apply = refused  # type: ignore[method-assign]


def test_an_order_does_not_undo_a_fix_that_came_after_it() -> None:
    async def story(stage: Stage) -> None:
        first = await stage.released(NEW)
        await first.kill()
        order(stage, "r1")
        await asyncio.sleep(5)
        stage.world.set_image(stage.api, FIX)
        await asyncio.sleep(15)
        stage.start("guard-1")
        await stage.until(lambda: bool(stage.told("order-refused")))
        await asyncio.sleep(30)
        assert handled(stage)
        assert stage.image() == FIX
        assert "revision 3 runs now" in stage.told("order-refused")[0]

    play(story)


def test_an_order_against_what_ran_then_is_refused_and_one_against_what_runs_is_carried_out() -> None:
    async def story(stage: Stage) -> None:
        await stage.released(NEW)
        old = stage.rollout().target_digest
        stage.world.set_image(stage.api, FIX)
        await stage.until(lambda: len(stage.rollouts()) == 2)
        order(stage, "r1", against=old)
        await stage.until(lambda: bool(stage.told("order-refused")))
        assert "it was ordered against revision 2; revision 3 runs now" in stage.told("order-refused")[0]
        assert stage.image() == FIX
        order(stage, "r2", against=stage.rollout().target_digest)
        await stage.until(lambda: stage.image() == GOOD, within=15)

    play(story)


def test_an_order_that_waited_too_long_is_refused() -> None:
    async def story(stage: Stage) -> None:
        first = await stage.released(NEW)
        await first.kill()
        order(stage, "r1")
        await asyncio.sleep(policies.policy().timing.plan_expiry + 5)
        stage.start("guard-1")
        await stage.until(lambda: bool(stage.told("order-refused")))
        assert stage.image() == NEW
        assert "order it again" in stage.told("order-refused")[0]

    play(story)


def test_a_refused_order_does_not_take_the_guards_own_rollback_away() -> None:
    async def story(stage: Stage) -> None:
        running = stage.prepare("guard-0")
        real, answering = running.cluster.apply, False

        async def apply(write: Write, *, dry_run: bool, timeout: float) -> WriteOutcome:
            return await real(write, dry_run=dry_run, timeout=timeout) if answering else Unknown(detail="no answer")

        running.cluster.apply = apply  # type: ignore[method-assign]
        running.begin()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().state is LifecycleState.PLANNED)
        order(stage, "typo", to_revision=99)
        await stage.until(lambda: handled(stage))
        assert stage.rollout().state is LifecycleState.PLANNED
        answering = True
        await stage.until(lambda: stage.image() == GOOD)
        plan = stage.rollout().plan
        assert plan is not None
        assert plan.actor == "rollguard"

    play(story)


def _in_its_place(stage: Stage) -> Running:
    """What a person's command runs where no controller lives: it knows no signals and only observes."""
    theirs, settings = stage.policy, stage.settings
    only = replace(theirs.watches[0], mode=Mode.OBSERVE)
    stage.policy = replace(theirs, digest="ordered", signals=(), watches=(only,))
    stage.settings = replace(settings, orders_only=True)
    running = stage.start("cli", channels=False)
    stage.policy, stage.settings = theirs, settings
    return running


def test_a_stand_in_leaves_the_guard_armed() -> None:
    async def story(stage: Stage) -> None:
        first = await stage.released("registry.lab/api:v2-errors-40pct-after-38s")
        await first.kill()
        before, unit = stage.rollout(), stage.unit()
        assert unit is not None
        command = _in_its_place(stage)
        order(stage, "typo", to_revision=99)
        await stage.until(lambda: handled(stage), within=60)
        command.guard.stop()
        await command.task
        after, left = stage.rollout(), stage.unit()
        assert left is not None
        assert (after.mode, after.policy_digest, after.state) == (before.mode, before.policy_digest, before.state)
        assert left.mode is unit.mode
        stage.start("guard-1")
        await stage.until(lambda: stage.image() == GOOD)

    play(story)


def test_a_stand_in_carries_an_order_out_although_something_newer_was_released_meanwhile() -> None:
    async def story(stage: Stage) -> None:
        first = await stage.released(NEW)
        await first.kill()
        stage.world.set_image(stage.api, FIX)
        await asyncio.sleep(5)
        order(stage, "r1", against=await _runs(stage))
        _in_its_place(stage)
        await stage.until(lambda: stage.image() == GOOD, within=60)
        plan = stage.rollout().plan
        assert plan is not None
        assert plan.actor == "alice"
        assert stage.rollout().order == "r1"

    play(story)


async def _runs(stage: Stage) -> str:
    """Digest of the template that the workload asks for, by a fresh read as the command does it."""
    name = stage.api.name
    ref = Ref(name.kind.value, name.namespace, name.name, "")
    found = await stage.prepare("eyes").cluster.fetch(ref, timeout=3.0)
    assert isinstance(found, Found)
    return found.template_digest
