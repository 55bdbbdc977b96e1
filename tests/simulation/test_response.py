"""What follows when people answer a page, and when they do not, played in the simulator."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from rollguard.model.destinations import Tickets, WebhookChannel
from rollguard.model.names import UnitName
from rollguard.model.notices import NoticeClass
from rollguard.model.policy import Mode, Policy
from rollguard.model.records import LifecycleState, Outcome
from rollguard.model.requests import HumanRequest, RequestKind
from rollguard.model.signals import LevelName
from rollguard.sim.channels import Inbox, SimNotifier
from rollguard.sim.objects import at
from tests.simulation import policies
from tests.unit.loop.stage import FAILING, GOOD, Running, Stage, play

pytestmark = pytest.mark.simulation

WITHIN = 20.0
BASE = policies.policy(mode=Mode.APPROVE)
APPROVE = replace(BASE, timing=replace(BASE.timing, respond_within=WITHIN, approval_within=40.0))
BY_DEFAULT_BACK = replace(APPROVE, on_timeout_roll_back=True)
TICKETS = Tickets(channel=WebhookChannel(name="tickets", url="https://tickets.example.com"))
NOT_ACKNOWLEDGED = "not-acknowledged"


def say(stage: Stage, kind: RequestKind, id_: str = "r1", *, reason: str = "on it", signal: str = "") -> None:
    """A person writes into `spec.requests`."""
    entry = HumanRequest(
        id=id_,
        kind=kind,
        actor="alice",
        at=at(stage.world.loop.time()),
        reason=reason,
        rollout=stage.rollout().id,
        signal=signal,
    )
    assert stage.world.records.request(UnitName.of_workload(stage.api.name), entry)


async def asked(stage: Stage, running: Running | None = None) -> Running:
    """A bad release is live, and the guard (this one, where one is given) has asked what to do about it."""
    if running is None:
        running = stage.start()
    else:
        running.begin()
    await stage.until(stage.adopted)
    stage.world.set_image(stage.api, FAILING)
    await stage.until(lambda: bool(stage.told("ask")))
    return running


def said_by(stage: Stage, actor: str) -> list[str]:
    return [line.text for line in stage.rollout().timeline if line.actor == actor]


def test_a_page_that_is_acknowledged_in_time_is_told_to_nobody_else() -> None:
    async def story(stage: Stage) -> None:
        await asked(stage)
        say(stage, RequestKind.ACKNOWLEDGE)
        await asyncio.sleep(3 * WITHIN)
        record = stage.rollout()
        assert stage.told(NOT_ACKNOWLEDGED) == []
        assert record.acknowledged is not None
        assert record.called is not None
        assert record.acknowledged.actor == "alice"
        assert 0 <= record.acknowledged.at.since(record.called) < WITHIN
        assert said_by(stage, "alice") == ["Acknowledged: on it"]

    play(story, policy=APPROVE)


def test_a_page_that_nobody_acknowledges_is_escalated_once_at_its_time_and_again_at_the_interval() -> None:
    async def story(stage: Stage) -> None:
        await asked(stage)
        called = stage.rollout().called
        assert called is not None
        await stage.until(lambda: bool(stage.told(NOT_ACKNOWLEDGED)), within=WITHIN + 10)
        arrived = next(each for each in stage.inbox.arrived if each.notice.topic == NOT_ACKNOWLEDGED)
        assert arrived.notice.class_ is NoticeClass.PAGE
        assert WITHIN <= arrived.notice.at.since(called) < WITHIN + policies.TIMING.tick + 1
        await asyncio.sleep(20)
        assert len(stage.told(NOT_ACKNOWLEDGED)) == 1
        await stage.until(lambda: len(stage.told(NOT_ACKNOWLEDGED)) == 2, within=40)
        say(stage, RequestKind.ACKNOWLEDGE)
        await asyncio.sleep(45)
        assert len(stage.told(NOT_ACKNOWLEDGED)) == 2

    often = replace(APPROVE, timing=replace(APPROVE.timing, repeat_notice=30.0, automatic=300.0, close=300.0))
    play(story, policy=often)


def test_the_next_controller_keeps_the_time_of_the_page() -> None:
    async def story(stage: Stage) -> None:
        running = await asked(stage)
        called = stage.rollout().called
        assert called is not None
        await running.kill()
        stage.start("guard-1")
        await stage.until(lambda: bool(stage.told(NOT_ACKNOWLEDGED)), within=WITHIN + 30)
        told = next(each.notice for each in stage.inbox.arrived if each.notice.topic == NOT_ACKNOWLEDGED)
        assert told.at.since(called) >= WITHIN

    play(story, policy=replace(APPROVE, timing=replace(APPROVE.timing, approval_within=120.0)))


def test_a_finding_that_is_acknowledged_by_its_signal_answers_the_page_and_another_signal_is_refused() -> None:
    async def story(stage: Stage) -> None:
        await asked(stage)
        say(stage, RequestKind.ACKNOWLEDGE, "typo", signal="eror-rate")
        await stage.until(lambda: bool(stage.told("answer-unasked")))
        assert "has no signal eror-rate" in stage.told("answer-unasked")[0]
        for signal in {finding.signal for finding in stage.rollout().findings}:
            say(stage, RequestKind.ACKNOWLEDGE, signal, signal=signal)
        await asyncio.sleep(2 * WITHIN)
        assert stage.told(NOT_ACKNOWLEDGED) == []

    play(story, policy=APPROVE)


@pytest.mark.parametrize("answer", [RequestKind.APPROVE, RequestKind.REJECT])
def test_who_looks_into_it_stops_the_default_and_the_question_stays_open(answer: RequestKind) -> None:
    async def story(stage: Stage) -> None:
        await asked(stage)
        say(stage, RequestKind.INVESTIGATE, "i1", reason="I read the logs")
        await asyncio.sleep(3 * APPROVE.timing.approval_within)
        record = stage.rollout()
        assert (record.state, stage.image()) == (LifecycleState.AWAITING_APPROVAL, FAILING)
        assert stage.told(NOT_ACKNOWLEDGED) == []
        assert len(stage.told("investigating")) == 1
        said = "alice looks into it: I read the logs. The question stays open without a time limit"
        assert stage.told("investigating")[0].startswith(said)
        say(stage, answer, "a1")
        approved = answer is RequestKind.APPROVE
        await stage.until(lambda: stage.image() == GOOD if approved else bool(stage.told("rejected")), within=20)

    play(story, policy=_long(BY_DEFAULT_BACK))


def test_where_nobody_looks_into_it_the_policys_default_runs() -> None:
    async def story(stage: Stage) -> None:
        await asked(stage)
        await stage.until(lambda: stage.image() == GOOD, within=BY_DEFAULT_BACK.timing.approval_within + 20)

    play(story, policy=_long(BY_DEFAULT_BACK))


def test_a_rollback_under_way_cannot_be_looked_into_any_more() -> None:
    async def story(stage: Stage) -> None:
        await asked(stage)
        say(stage, RequestKind.APPROVE, "a1")
        await stage.until(lambda: stage.rollout().state is LifecycleState.VERIFYING, within=30)
        say(stage, RequestKind.INVESTIGATE, "i1")
        await stage.until(lambda: bool(stage.told("answer-unasked")))
        assert "a rollback is under way already" in stage.told("answer-unasked")[0]

    play(story, policy=APPROVE)


def test_of_an_end_that_leaves_something_to_do_others_are_told_once_also_after_it() -> None:
    async def story(stage: Stage) -> None:
        await asked(stage)
        await stage.until(lambda: stage.rollout().closed is not None, within=300)
        assert stage.rollout().outcome is Outcome.HELD
        assert stage.told(NOT_ACKNOWLEDGED) == []
        await stage.until(lambda: bool(stage.told(NOT_ACKNOWLEDGED)), within=200)
        await asyncio.sleep(60)
        assert len(stage.told(NOT_ACKNOWLEDGED)) == 1
        say(stage, RequestKind.NOTE, "n1", reason="left until Monday")
        say(stage, RequestKind.RESOLVE, "r2", reason="known")
        await stage.until(lambda: bool(stage.told("incident-resolved")))
        assert stage.rollout().incident_resolved is not None
        assert stage.told("incident-resolved")[0].startswith("alice has resolved the incident: known\n")
        assert said_by(stage, "alice") == ["Note: left until Monday", "Incident resolved: known"]

    late = replace(APPROVE, timing=replace(APPROVE.timing, respond_within=160.0, repeat_notice=20.0))
    play(story, policy=late)


def _tickets(stage: Stage) -> list[tuple[str, int, str]]:
    """The messages about tickets in the outbox: signal, number and state."""
    told = [notice.ticket for record in stage.rollouts() for notice in record.notices]
    return [(ticket.signal, ticket.number, ticket.state.value) for ticket in told if ticket is not None]


def test_a_person_makes_a_ticket_of_a_finding_once_and_it_is_updated_and_closed() -> None:
    async def story(stage: Stage) -> None:
        running, box = stage.prepare("guard-0"), Inbox()
        address = SimNotifier(box, running.process, running.faults, name=TICKETS.channel.name)
        running.channels.notifiers += (address,)
        await asked(stage, running)
        say(stage, RequestKind.TICKET, "t1", signal="error-rate")
        await stage.until(lambda: bool(_tickets(stage)))
        say(stage, RequestKind.TICKET, "t2", signal="error-rate")
        await asyncio.sleep(30)
        assert _tickets(stage) == [("error-rate", 1, "open")]
        say(stage, RequestKind.NOTE, "n1", reason="a missing index", signal="error-rate")
        await stage.until(lambda: len(_tickets(stage)) == 2)
        say(stage, RequestKind.RESOLVE, "c1", reason="index added", signal="error-rate")
        await stage.until(lambda: len(_tickets(stage)) == 3)
        await stage.until(lambda: stage.rollout().closed is not None, within=300)
        assert [each[1:] for each in _tickets(stage)] == [(1, "open"), (2, "updated"), (3, "closed")]
        arrived = [each.notice.ticket.number for each in box.arrived if each.notice.ticket is not None]
        assert (arrived, len(box.arrived)) == ([1, 2, 3], 3), "it takes these and nothing else"
        assert not any(each.notice.ticket for each in stage.inbox.arrived), "no other channel takes them"
        assert said_by(stage, "alice") == [
            "Ticket wanted, error-rate: on it",
            "Ticket wanted, error-rate: on it",
            "Note, error-rate: a missing index",
            "Finding closed, error-rate: index added",
        ]

    play(story, policy=replace(APPROVE, tickets=TICKETS))


def test_where_the_policy_always_wants_one_each_finding_has_one_and_the_end_of_the_rollout_is_told() -> None:
    async def story(stage: Stage) -> None:
        await asked(stage)
        await stage.until(lambda: stage.rollout().closed is not None, within=300)
        told = _tickets(stage)
        assert len({each[0] for each in told}) == len([each for each in told if each[2] == "open"])
        assert ("error-rate", 1, "open") in told
        ended = [notice.ticket for notice in stage.rollout().notices if notice.ticket is not None][-1]
        assert (ended.state.value, ended.outcome) == ("updated", "held to the end")

    play(story, policy=replace(APPROVE, tickets=replace(TICKETS, always=(LevelName.CRITICAL,))))


def test_without_an_address_a_ticket_is_refused_with_the_reason() -> None:
    async def story(stage: Stage) -> None:
        await asked(stage)
        say(stage, RequestKind.TICKET, "t1")
        await stage.until(lambda: bool(stage.told("answer-unasked")))
        assert "the policy names no address for tickets (`notify.tickets.url`)" in stage.told("answer-unasked")[0]
        assert _tickets(stage) == []

    play(story, policy=APPROVE)


def _long(policy: Policy) -> Policy:
    """So that the window does not end before the story."""
    return replace(policy, timing=replace(policy.timing, automatic=400.0, close=600.0))
