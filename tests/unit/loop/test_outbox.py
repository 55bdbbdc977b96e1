"""Notices: written first, sent, marked; at least once, and visibly failed where they do not arrive."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from rollguard.loop.emitting import WorkloadEvent
from rollguard.loop.guard import FINISH_WITHIN
from rollguard.model.action import Absent, Unknown
from rollguard.model.channels import PAGERDUTY, PAGERDUTY_EVENTS, SLACK_DEPLOYMENTS, SLACK_INCIDENTS
from rollguard.model.notices import Notice, NoticeState
from rollguard.model.records import RolloutRecord, Stale, StoredRollout
from rollguard.ports import Accepted, Held, NotConfigured, Refused, Retry
from rollguard.sim.channels import SimNotifier
from rollguard.sim.faults import Fault
from tests.unit.loop.stage import CRASHING, FAILING, GOOD, Stage, play

ABSENT = NotConfigured(detail="no secret")


def notices(stage: Stage) -> list[Notice]:
    return [notice for record in stage.rollouts() for notice in record.notices]


def test_a_channel_that_asks_to_come_again_gets_the_notice_later() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        running.faults.focus = ("notifier.send", Fault.RETRY, 0)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.told("rollout-began")))
        await stage.until(stage.all_sent)
        assert [n.attempts for n in notices(stage) if n.topic == "rollout-began"] == [2]

    play(story)


def test_a_notice_that_is_refused_is_visibly_failed() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        running.faults.focus = ("notifier.send", Fault.REFUSED, 0)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: any(n.state is NoticeState.FAILED for n in notices(stage)))
        failed = next(n for n in notices(stage) if n.state is NoticeState.FAILED)
        assert "refused" in failed.detail
        assert running.events("notice-failed")

    play(story)


def test_a_notice_that_was_accepted_and_timed_out_comes_again_with_the_same_id() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        running.faults.focus = ("notifier.send", Fault.ACCEPTED_TIMED_OUT, 0)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: len(stage.told("rollout-began")) == 2)
        ids = [a.notice.id for a in stage.inbox.arrived if a.notice.topic == "rollout-began"]
        assert len(set(ids)) == 1

    play(story)


def test_a_notice_that_a_killed_guard_left_is_sent_by_the_next() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        running.faults.focus = ("notifier.send", Fault.KILLED_BEFORE, 0)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: not running.process.alive)
        await running.kill()
        assert not stage.told("rollout-began")
        stage.start("guard-1")
        await stage.until(lambda: bool(stage.told("rollout-began")), within=40)

    play(story)


def test_a_slow_channel_does_not_keep_a_rollback_waiting() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        running.faults.focus = ("notifier.send", Fault.ACCEPTED_TIMED_OUT, 0)
        stage.world.set_image(stage.api, FAILING.replace("errors-40pct", "crash"))
        await stage.until(lambda: any(pod.failures >= 2 for pod in stage.api.pods()))
        await stage.until(lambda: stage.image() != stage.api.name.name and stage.image().endswith(":v1"), within=1)
        await asyncio.sleep(30)
        assert stage.all_sent()

    play(story)


def test_what_a_guard_without_a_channel_leaves_is_sent_by_the_next() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start(channels=False)
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().closed is not None)
        assert {n.state for n in notices(stage)} == {NoticeState.PENDING}
        await running.kill()
        stage.start("guard-1")
        await stage.until(stage.all_sent, within=60)
        assert len(stage.told("rolled-back")) == 1

    play(story)


def test_a_channel_that_refuses_is_shown_on_the_unit_until_one_arrives() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        running.faults.focus = ("notifier.send", Fault.REFUSED, 0)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.unit() and stage.unit().conditions))  # type: ignore[union-attr]
        ((kind, message),) = stage.unit().conditions  # type: ignore[union-attr]
        assert kind == "NoticeFailed"
        assert "refused" in message
        await stage.until(lambda: bool(stage.told("rolled-back")))
        await stage.until(lambda: not stage.unit().conditions)  # type: ignore[union-attr]

    play(story)


def test_no_event_leaves_when_the_leadership_is_too_short_for_it() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        context = running.guard._context
        context.events.emit(
            WorkloadEvent(workload=stage.api.name, uid="u", reason="RolloutHeld", text="late", warning=True)
        )
        context.gate.hold(Held(until=context.clock.mono().plus(1.0), epoch=context.gate.epoch))
        visits = running.faults.visits["cluster.emit_event"]
        await context.events.send_due()
        assert running.faults.visits["cluster.emit_event"] == visits
        assert running.events("events-dropped")

    play(story)


def test_events_that_hang_keep_no_page_waiting() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)

        async def hangs(*args: object, **kwargs: object) -> None:
            await asyncio.sleep(3.0)

        running.cluster.emit_event = hangs  # type: ignore[method-assign]
        for n in range(40):
            running.guard._context.events.emit(
                WorkloadEvent(workload=stage.api.name, uid="u", reason="r", text=str(n), warning=True)
            )
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: any(n.topic == "rolled-back" for n in notices(stage)))
        assert await stage.until(lambda: bool(stage.told("rolled-back"))) < 3

    play(story)


class Hanging:
    """A channel that never comes to the end of its answer."""

    name = SLACK_DEPLOYMENTS

    async def send(
        self, notice: Notice, rollout: RolloutRecord | None, *, timeout: float
    ) -> Accepted | Refused | Retry:
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None:
        """There is nothing to end."""


def test_a_channel_that_hangs_delays_only_what_goes_to_itself() -> None:
    async def story(stage: Stage) -> None:
        many = [stage.deploy(f"service-{n}") for n in range(20)]
        await stage.warm_up()
        running = stage.prepare("guard-0")
        running.channels.notifiers = (Hanging(), *running.channels.notifiers)
        running.begin()
        await stage.until(stage.adopted)
        await asyncio.sleep(10)
        for deployment in many:
            stage.world.set_image(deployment, "registry.lab/service:v2")
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: any(n.topic == "rolled-back" for n in notices(stage)))
        assert await stage.until(lambda: bool(stage.told("rolled-back"))) < 3
        await stage.until(lambda: any("rolled-back" in n.topic and n.attempts for n in notices(stage)))
        attempted = [n for n in notices(stage) if n.attempts]
        assert all("slack-deployments: no whole answer within 11 s" in n.detail for n in attempted)
        assert all("simulated" in n.taken for n in attempted)

    play(story)


class Odd:
    """A channel that does what no channel should."""

    name = SLACK_DEPLOYMENTS

    def __init__(self, answer: Retry | Exception) -> None:
        self._answer = answer

    async def send(
        self, notice: Notice, rollout: RolloutRecord | None, *, timeout: float
    ) -> Accepted | Refused | Retry:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    async def close(self) -> None:
        """There is nothing to end."""


def test_a_bug_in_one_channel_keeps_no_notice_from_the_others_and_does_not_end_the_guard() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        running.channels.notifiers = (Odd(ZeroDivisionError("a bug")), *running.channels.notifiers)
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.told("rolled-back")))
        await stage.until(stage.all_sent)
        assert {n.state for n in notices(stage)} == {NoticeState.FAILED}
        assert all("slack-deployments refused: unexpected ZeroDivisionError" in n.detail for n in notices(stage))
        assert "a bug" in str(running.events("channel-error")[0]["traceback"])
        assert running.guard.status().errors >= len(notices(stage))
        assert not running.task.done()

    play(story, fail_fast=False)


def test_a_channel_that_asks_for_an_age_is_tried_again_within_minutes() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        running.channels.notifiers = (Odd(Retry(after=1e12, detail="HTTP 429")),)
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: any(n.attempts for n in notices(stage)))
        (first,) = [n for n in notices(stage) if n.attempts]
        assert first.next_attempt is not None
        assert first.next_attempt.since(first.at) < 310

    play(story)


class Answering:
    """A channel that always says the same, and counts how often it was asked."""

    def __init__(self, name: str, answer: Accepted | Refused | Retry | NotConfigured) -> None:
        self.name = name
        self.asked: list[str] = []
        self._answer = answer

    async def send(
        self, notice: Notice, rollout: RolloutRecord | None, *, timeout: float
    ) -> Accepted | Refused | Retry | NotConfigured:
        self.asked.append(notice.id)
        return self._answer

    async def close(self) -> None:
        """There is nothing to end."""


def test_a_page_whose_pager_refuses_reaches_people_by_the_next_way() -> None:
    async def story(stage: Stage) -> None:
        pager, events = Answering(PAGERDUTY, Refused(detail="401")), Answering(PAGERDUTY_EVENTS, ABSENT)
        running = stage.start()
        incidents = SimNotifier(stage.inbox, running.process, running.faults, name=SLACK_INCIDENTS)
        running.channels.notifiers = (pager, events, incidents)
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: bool(stage.told("rolled-back")))
        await stage.until(stage.all_sent)
        (told,) = [n for n in notices(stage) if n.topic == "rolled-back"]
        assert told.taken == (SLACK_INCIDENTS,)
        assert told.given_up == ((PAGERDUTY, "refused: 401"),)
        assert [n for n in pager.asked if "rolled-back" in n] == [told.id]
        assert not running.guard.status().units[0].incident_open  # Alertmanager may page: nobody else has

    play(story)


def test_a_channel_keeps_what_it_knows_the_rollout_s_first_message_by() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        channel = Answering(SLACK_DEPLOYMENTS, Accepted(detail="ok", reference="1700000000.000100"))
        running.channels.notifiers = (channel, *running.channels.notifiers)
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.told("rolled-back")))
        await stage.until(stage.all_sent)
        assert stage.rollout().references == ((SLACK_DEPLOYMENTS, "1700000000.000100"),)
        assert len(set(channel.asked)) == len(channel.asked)

    play(story)


def test_what_one_channel_took_is_marked_while_another_hangs() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        running.channels.notifiers = (Hanging(), *running.channels.notifiers)
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.told("rollout-began")))
        await stage.until(lambda: notices(stage)[0].taken == ("simulated",), within=3)
        assert notices(stage)[0].attempts == 0
        await running.kill()
        stage.start("guard-1")
        await stage.until(lambda: bool(stage.told("rolled-back")), within=300)
        assert len(stage.told("rollout-began")) == 1

    play(story)


def test_the_guard_counts_how_each_channel_fared() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        pager = Answering(PAGERDUTY, Refused(detail="401"))
        absent = Answering(SLACK_DEPLOYMENTS, ABSENT)
        running.channels.notifiers = (pager, absent, *running.channels.notifiers)
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: bool(stage.told("rolled-back")))
        await stage.until(stage.all_sent)
        known = {channel.name: channel for channel in running.guard.status().channels}
        assert known[PAGERDUTY].failed == len(pager.asked) > 0
        assert (known[SLACK_DEPLOYMENTS].failed, known[SLACK_DEPLOYMENTS].configured) == (0, False)
        assert known["simulated"].accepted == len(stage.inbox.arrived)

    play(story)


def test_what_a_channel_took_does_not_go_to_it_again_while_its_record_cannot_be_written() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        write = running.records.replace_rollout
        away = True

        async def replace_rollout(
            stored: StoredRollout, record: RolloutRecord
        ) -> StoredRollout | Stale | Absent | Unknown:
            marks = any(n.topic == "rollout-began" and (n.attempts or n.taken) for n in record.notices)
            return Unknown(detail="422 rejected") if marks and away else await write(stored, record)

        running.records.replace_rollout = replace_rollout  # type: ignore[method-assign]
        stage.world.set_image(stage.api, GOOD.replace("v1", "v2"))
        await stage.until(lambda: bool(stage.told("rollout-began")))
        await asyncio.sleep(60)
        assert len(stage.told("rollout-began")) == 1
        away = False
        await stage.until(stage.all_sent)
        assert len(stage.told("rollout-began")) == 1
        assert next(n for n in notices(stage) if n.topic == "rollout-began").taken == ("simulated",)

    play(story)


def test_what_one_notice_makes_go_wrong_does_not_end_the_sending_of_the_others() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        write = running.records.replace_rollout

        async def replace_rollout(
            stored: StoredRollout, record: RolloutRecord
        ) -> StoredRollout | Stale | Absent | Unknown:
            if any(n.topic == "rollout-began" and (n.attempts or n.taken) for n in record.notices):
                raise ValueError("no record can keep it")
            return await write(stored, record)

        running.records.replace_rollout = replace_rollout  # type: ignore[method-assign]
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: bool(stage.told("rolled-back")))
        await stage.until(
            lambda: any(n.topic == "rolled-back" and n.state is NoticeState.ACCEPTED for n in notices(stage))
        )
        await asyncio.sleep(60)
        assert len(stage.told("rollout-began")) == 1
        assert "no record can keep it" in str(running.events("notice-error")[0]["traceback"])
        assert not running.events("duty-error")

    play(story, fail_fast=False)


class Reopening(Answering):
    """PagerDuty, where somebody resolves each incident at once: each page opens another."""

    async def send(
        self, notice: Notice, rollout: RolloutRecord | None, *, timeout: float
    ) -> Accepted | Refused | Retry | NotConfigured:
        await super().send(notice, rollout, timeout=timeout)
        return Accepted(detail="opened", reference=f"Q{len(self.asked)}")


def test_who_acknowledges_is_looked_for_in_the_last_incident_that_was_opened() -> None:
    async def story(stage: Stage) -> None:
        pager = Reopening(PAGERDUTY, ABSENT)
        running = stage.start()
        running.channels.notifiers = (pager, *running.channels.notifiers)
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: len(pager.asked) > 1)
        await stage.until(stage.all_sent)
        assert stage.rollout().reference(PAGERDUTY) == f"Q{len(pager.asked)}"

    play(story)


class Leisurely(Answering):
    """A channel that takes its time to end."""

    closed = 0

    async def close(self) -> None:
        await asyncio.sleep(1.0)
        self.closed += 1


def test_channels_of_two_policies_that_are_left_at_once_are_each_ended_once() -> None:
    async def story(stage: Stage) -> None:
        running = stage.prepare("guard-0")
        connections, left = running.guard._context.outbox._connections, []
        for name in ("first", "second", "third"):
            left.append(Leisurely(name, Accepted(detail="ok")))
            running.channels.notifiers = (left[-1],)
            policy = replace(stage.policy, name=name)
            if name != "third":
                (await connections.present(policy)).users += name == "first"
        connections._leaving[0].users = 0
        await asyncio.gather(connections.present(policy), connections.present(policy))
        assert [channel.closed for channel in left] == [1, 1, 0]

    play(story)


class Slow(Answering):
    """A channel whose answer is on its way for a while."""

    async def send(
        self, notice: Notice, rollout: RolloutRecord | None, *, timeout: float
    ) -> Accepted | Refused | Retry | NotConfigured:
        answer = await super().send(notice, rollout, timeout=timeout)
        await asyncio.sleep(0.5)
        return answer


def test_a_guard_that_is_stopped_while_a_channel_answers_waits_for_the_answer() -> None:
    async def story(stage: Stage) -> None:
        channel = Slow(SLACK_DEPLOYMENTS, Accepted(detail="ok"))
        first = stage.start()
        first.channels.notifiers = (channel,)
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, GOOD.replace("v1", "v2"))
        await stage.until(lambda: bool(channel.asked))
        first.guard.stop()
        await first.task
        second = stage.prepare("guard-1")
        second.channels.notifiers = (channel,)
        second.begin()
        await stage.until(stage.all_sent, within=60)
        assert len(channel.asked) == 1

    play(story)


def test_a_guard_that_is_stopped_does_not_wait_for_a_channel_that_hangs() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        running.channels.notifiers = (Hanging(),)
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, GOOD.replace("v1", "v2"))
        await stage.until(lambda: bool(running.guard._context.outbox._under_way))
        since = stage.world.loop.time()
        running.guard.stop()
        await running.task
        assert stage.world.loop.time() - since < FINISH_WITHIN + 2

    play(story)
