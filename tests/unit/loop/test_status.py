"""What the guard says of a unit's incident and of a rollback that does not come to its end."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from rollguard.loop import UnitStatus
from rollguard.loop.status import is_automatic, is_paged, is_stalled, is_unanswered
from rollguard.model.channels import PAGERDUTY
from rollguard.model.handling import Acknowledgement
from rollguard.model.judgement import Phase, VerdictKind
from rollguard.model.metrics import GapCause
from rollguard.model.names import UnitName
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.policy import Mode
from rollguard.model.records import LifecycleState, RolloutRecord
from rollguard.model.requests import Freeze, HumanRequest, RequestKind
from rollguard.sim.channels import SimNotifier
from rollguard.sim.objects import at
from rollguard.sim.world import Blind
from tests.simulation import policies
from tests.unit.loop.stage import FAILING, GOOD, Running, Stage, play
from tests.unit.loop.test_guard import request
from tests.unit.records import START, rollout_record, unit_record


def freeze(stage: Stage) -> None:
    """What would be undone is held, and paged."""
    until = at(stage.world.loop.time() + 1000)
    unit = UnitName.of_workload(stage.api.name)
    stage.world.records.freeze(unit, Freeze(until=until, actor="alice", reason="migration"))


def said(running: Running) -> UnitStatus:
    (unit,) = running.guard.status().units
    return unit


def test_an_incident_is_open_once_pagerduty_took_its_page_until_the_rollout_is_over() -> None:
    async def story(stage: Stage) -> None:
        running = stage.prepare("guard-0")
        pager = SimNotifier(stage.inbox, running.process, running.faults, name=PAGERDUTY)
        running.channels.notifiers = (pager,)
        running.begin()
        await stage.until(stage.adopted)
        freeze(stage)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.rollouts()))
        assert not said(running).incident_open
        await stage.until(lambda: bool(stage.told("hold")))
        await stage.until(lambda: said(running).incident_open, within=2)
        stage.world.records.freeze(UnitName.of_workload(stage.api.name), None)
        await stage.until(lambda: stage.image() == GOOD)
        await stage.until(lambda: said(running).rollout is None)
        assert not said(running).incident_open

    play(story)


def test_an_incident_whose_page_nobody_took_is_not_called_open() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start(channels=False)
        await stage.until(stage.adopted)
        freeze(stage)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: said(running).state is LifecycleState.HELD)
        await stage.until(lambda: bool(stage.rollout().incident))
        assert not said(running).incident_open

    play(story)


@pytest.mark.parametrize(
    ("taken", "paged"),
    [
        (("log", "pagerduty"), True),
        (("pagerduty-events",), True),
        (("log", "slack-incidents", "email", "ops"), False),
        ((), False),
    ],
)
def test_only_what_pagerduty_took_keeps_others_from_paging(taken: tuple[str, ...], paged: bool) -> None:
    page = Notice(id="n1", class_=NoticeClass.PAGE, topic="hold", title="t", text="t", at=START, taken=taken)
    record = replace(rollout_record(), incident="i1", incident_resolved=None, notices=(page,))
    assert is_paged(record) is paged
    assert not is_paged(replace(record, incident_resolved=START))
    assert not is_paged(replace(record, notices=(replace(page, class_=NoticeClass.INFO),)))


@pytest.mark.parametrize(
    ("state", "topic", "stalled"),
    [
        (LifecycleState.VERIFYING, "stalled", True),
        (LifecycleState.VERIFYING, "rolled-back", False),
        (LifecycleState.CLOSED, "stalled", False),
    ],
)
def test_a_rollback_is_stalled_while_it_is_verified_and_was_told_to_be(
    state: LifecycleState, topic: str, stalled: bool
) -> None:
    page = Notice(id="n1", class_=NoticeClass.PAGE, topic=topic, title="t", text="t", at=START)
    assert is_stalled(replace(rollout_record(), state=state, notices=(page,)), restored=None) is stalled
    assert not is_stalled(replace(rollout_record(), state=state, notices=(page,)), restored=START)


PAGE = Notice(id="n1", class_=NoticeClass.PAGE, topic="hold", title="t", text="t", at=START.plus(60))
HELD = replace(
    rollout_record(), state=LifecycleState.HELD, plan=None, closed=None, outcome=None, notices=(PAGE,), timeline=()
)
"""A bad rollout that is held and paged, and that nobody answered."""


@pytest.mark.parametrize(
    ("record", "unanswered"),
    [
        (HELD, True),
        (replace(HELD, state=LifecycleState.AWAITING_APPROVAL), True),
        (replace(HELD, state=LifecycleState.WATCHING), False),
        (replace(HELD, verdict=VerdictKind.DEGRADED, findings=()), True),
        (replace(HELD, verdict=VerdictKind.BLIND), True),
        (replace(HELD, verdict=VerdictKind.BLIND, findings=()), False),
        (replace(HELD, verdict=VerdictKind.BLIND, findings=(), plan=rollout_record().plan), True),
        (replace(HELD, incident_resolved=START.plus(61)), False),
        (replace(HELD, incident_resolved=START.plus(59)), True),
    ],
    ids=[
        "a hold",
        "a question",
        "neither",
        "a hold whose value wavers around its bound",
        "a hold whose reason is out of sight",
        "a hold for want of sight alone",
        "a plan that was given up, unseen",
        "an incident that was resolved",
        "an incident that was resolved, and paged again",
    ],
)
def test_a_person_is_waited_for_in_a_question_and_in_a_hold_of_what_is_bad(
    record: RolloutRecord, unanswered: bool
) -> None:
    assert is_unanswered(record, unit_record()) is unanswered


@pytest.mark.parametrize(("after", "unanswered"), [(59, True), (61, False)])
def test_who_acknowledges_a_hold_has_answered_it_until_the_next_page(after: float, unanswered: bool) -> None:
    seen = Acknowledgement(actor="alice", at=START.plus(after))
    assert is_unanswered(replace(HELD, acknowledged=seen), unit_record()) is unanswered


def test_a_rejection_answers_its_own_rollout_and_no_earlier_one_does() -> None:
    said = HumanRequest(id="r1", kind=RequestKind.REJECT, actor="alice", at=START.plus(70), reason="it is fine")
    assert not is_unanswered(HELD, replace(unit_record(), requests=(said,)))
    earlier = replace(said, at=START.plus(-70))
    assert is_unanswered(HELD, replace(unit_record(), requests=(earlier,)))


def test_a_rollout_is_active_in_the_automatic_part_alone_and_under_guard_to_its_end() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        assert not said(running).automatic
        freeze(stage)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: said(running).rollout is not None)
        started, timing = stage.rollout().started, policies.policy().timing
        await asyncio.sleep(started.plus(timing.automatic - 1).since(at(stage.world.loop.time())))
        assert said(running).automatic
        await asyncio.sleep(2)
        assert not said(running).automatic
        await stage.until(lambda: said(running).phase is Phase.STEADY)
        assert said(running).rollout is not None

    play(story)


def test_a_rollout_that_is_over_is_not_active() -> None:
    timing, now = policies.policy().timing, START.plus(1)
    assert is_automatic(HELD, timing, now)
    assert not is_automatic(replace(HELD, closed=now), timing, now)


def test_a_question_waits_for_its_answer_and_a_rejected_one_waits_for_nobody() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: said(running).state is LifecycleState.AWAITING_APPROVAL)
        assert said(running).unanswered
        request(stage, RequestKind.REJECT, "no")
        await stage.until(lambda: said(running).state is LifecycleState.HELD)
        assert not said(running).unanswered

    play(story, policy=policies.policy(mode=Mode.APPROVE))


def test_a_hold_that_nobody_sees_to_waits_and_one_for_want_of_sight_does_not() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        now = stage.world.loop.time()
        stage.world.blind.append(Blind(start=now, end=now + 60, cause=GapCause.TIMEOUT))
        freeze(stage)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: said(running).state is LifecycleState.HELD)
        assert stage.rollout().verdict is VerdictKind.BLIND
        assert not said(running).unanswered
        await stage.until(lambda: stage.rollout().verdict is VerdictKind.BAD, within=120)
        await stage.until(lambda: said(running).state is LifecycleState.HELD)
        assert said(running).unanswered

    play(story)
