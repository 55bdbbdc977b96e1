"""What was undone is bad: it is not gone back to, and where it comes again it is undone again."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from rollguard import report
from rollguard.loop import kept
from rollguard.model.judgement import VerdictKind
from rollguard.model.metrics import GapCause
from rollguard.model.policy import Mode
from rollguard.model.records import LifecycleState, Outcome
from rollguard.model.requests import RequestKind
from rollguard.sim.world import Blind
from tests.simulation import policies
from tests.unit.cli.stories import reading
from tests.unit.decide import situations
from tests.unit.loop.stage import CRASHING, FAILING, GOOD, Stage, play
from tests.unit.loop.test_guard import request
from tests.unit.records import ERRORS, rollout_record

LATE = "registry.lab/api:v2-errors-40pct-after-75s"
"""It is judged healthy before it fails."""


def good_images(stage: Stage) -> set[str]:
    unit = stage.unit()
    assert unit is not None
    return {revision.images[0][1] for revision in unit.good()}


async def judged_healthy(stage: Stage, image: str) -> None:
    stage.world.set_image(stage.api, image)
    await stage.until(lambda: image in good_images(stage), within=200)


async def adopted_anew(stage: Stage, image: str) -> None:
    """A version that nobody could judge has stood for two days."""
    before = len(stage.rollouts())
    now = stage.world.loop.time()
    stage.world.blind.append(Blind(start=now, end=now + 160, cause=GapCause.TIMEOUT))
    stage.world.set_image(stage.api, image)
    await stage.until(lambda: len(stage.rollouts()) > before and stage.rollout().closed is not None, within=400)
    stage.world.backdate(stage.api, 2 * 86400.0)
    await stage.until(lambda: image in good_images(stage), within=60)


async def ordered_back(stage: Stage) -> None:
    request(stage, RequestKind.ROLLBACK, f"order-{len(stage.rollouts())}")
    await stage.until(lambda: stage.image() == GOOD, within=20)
    await stage.until(lambda: stage.rollout().closed is not None, within=200)


def test_a_healthy_version_that_a_person_ordered_back_is_no_target_for_the_next_rollback() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        await judged_healthy(stage, "registry.lab/api:v2")
        await ordered_back(stage)
        assert good_images(stage) == {GOOD}
        assert "not gone back to" in stage.told("rolled-back")[0]
        assert any("revision 2 was good until now" in line.text for line in stage.rollout().timeline)
        now = stage.world.loop.time()
        stage.world.blind.append(Blind(start=now + 20, end=now + 60, cause=GapCause.TIMEOUT))
        stage.world.set_image(stage.api, "registry.lab/api:v3")
        await asyncio.sleep(5)
        await stage.until(lambda: stage.rollout().closed is not None, within=400)
        await asyncio.sleep(5)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: stage.image() != CRASHING)
        assert stage.image() == GOOD

    play(story)


def test_without_sight_of_what_was_breached_a_rollback_is_unconfirmed_and_paged() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.told("would-roll-back")))
        now = stage.world.loop.time()
        stage.world.blind.append(Blind(start=now, end=now + 400, cause=GapCause.TIMEOUT))
        await stage.until(lambda: stage.rollout().state is LifecycleState.HELD)
        await ordered_back(stage)
        record = stage.rollout()
        assert record.outcome is Outcome.UNCONFIRMED
        assert record.incident
        assert record.incident_resolved is None
        await stage.until(lambda: bool(stage.told("unconfirmed")), within=5)

    play(story, policy=policies.policy(mode=Mode.OBSERVE))


@pytest.mark.parametrize(
    ("value", "gaps", "kept_"), [(0.01, 0, 0), (0.01, 2, 1), (None, 0, 1)], ids=["measured", "gaps", "nothing"]
)
def test_what_was_found_is_over_once_its_signal_is_seen_whole(value: float | None, gaps: int, kept_: int) -> None:
    seen = replace(reading(ERRORS.level, 0.1, value=value, reached=False), gaps=gaps)
    verdict = replace(situations.verdict(kind=VerdictKind.UNDECIDED), findings=(), readings=(seen,))
    assert len(kept.findings(replace(rollout_record(), findings=(ERRORS,)), verdict)) == kept_


def test_a_version_that_turned_bad_after_it_was_called_healthy_is_asked_about_again_when_it_comes_again() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        for _ in range(2):
            await judged_healthy(stage, LATE)
            await stage.until(lambda: stage.rollout().state is LifecycleState.AWAITING_APPROVAL, within=200)
            await ordered_back(stage)
        assert len(stage.told("ask")) == 2
        assert not stage.told("hold")

    play(story, policy=policies.policy(mode=Mode.APPROVE))


def test_the_adoption_of_a_newer_version_forgets_no_way_back() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        await adopted_anew(stage, "registry.lab/api:v2")
        assert good_images(stage) == {GOOD, "registry.lab/api:v2"}
        await ordered_back(stage)
        await adopted_anew(stage, "registry.lab/api:v3")
        assert good_images(stage) == {GOOD, "registry.lab/api:v3"}

    play(story)


def test_what_was_undone_is_named_so_to_who_orders_it_back() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().closed is not None, within=300)
        request(stage, RequestKind.ROLLBACK, "back", force=False)
        await stage.until(lambda: bool(stage.told("order-refused")), within=30)
        assert "there is no way back" in stage.told("order-refused")[0]
        assert f"({FAILING}) was undone at " in stage.told("order-refused")[0]
        assert f"({GOOD}) runs now" in stage.told("order-refused")[0]

    play(story)


def test_a_rollback_by_hand_in_mode_observe_is_told_as_one() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.told("would-roll-back")))
        stage.world.undo_by_hand(stage.api)
        await stage.until(lambda: stage.rollout().closed is not None, within=30)
        record, unit = stage.rollout(), stage.unit()
        assert record.outcome is Outcome.PUT_BACK
        assert record.why == "revision 1 was put back by hand, as revision 3, not by the guard"
        assert report.account(record).startswith("would have rolled back at ")
        assert "; put back by hand at " in report.account(record)
        assert "error-rate" in report.cause(record)
        assert unit is not None
        await asyncio.sleep(10)
        assert len(stage.rollouts()) == 1

    play(story, policy=policies.policy(mode=Mode.OBSERVE))


def test_a_hold_that_a_person_ended_by_going_back_is_told_to_those_who_were_paged() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(
            lambda: stage.rollout().state is LifecycleState.AWAITING_APPROVAL if stage.rollouts() else False
        )
        stage.world.undo_by_hand(stage.api)
        await stage.until(lambda: bool(stage.told("put-back")), within=30)
        assert "revision 1 was put back by hand" in stage.told("put-back")[0]

    play(story, policy=policies.policy(mode=Mode.APPROVE))


def test_a_newer_version_is_not_taken_for_a_rollback_by_hand() -> None:
    async def story(stage: Stage) -> None:
        await stage.released(FAILING)
        stage.world.set_image(stage.api, "registry.lab/api:v3")
        await stage.until(lambda: stage.rollouts()[0].closed is not None, within=30)
        assert stage.rollouts()[0].outcome is Outcome.SUPERSEDED

    play(story, policy=policies.policy(mode=Mode.OBSERVE))


def test_a_rollback_that_the_server_refused_undid_nothing_and_counts_as_none() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        await judged_healthy(stage, "registry.lab/api:v2")
        await stage.until(lambda: stage.rollout().closed is not None, within=400)
        stage.world.on_send.append(lambda sent: stage.world.refused.update({stage.api.name: "admission says no"}))
        request(stage, RequestKind.ROLLBACK, "back")
        await stage.until(lambda: bool(stage.told("plan-refused")), within=30)
        unit = stage.unit()
        assert unit is not None
        assert (unit.undone, good_images(stage)) == ((), {GOOD, "registry.lab/api:v2"})
        stage.world.undo_by_hand(stage.api)
        await stage.until(lambda: stage.rollout().closed is not None, within=30)
        assert stage.rollout().outcome is Outcome.PUT_BACK

    play(story)
