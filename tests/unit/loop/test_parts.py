"""The parts of the loop alone: gate, store, workers, changes of records."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from rollguard.lifecycle import response
from rollguard.loop import changes, telling, timeline, units
from rollguard.loop.leader import Gate, LeadershipLost
from rollguard.loop.settings import Settings
from rollguard.loop.store import Store, Unavailable
from rollguard.loop.workers import Priority, Workers
from rollguard.model.action import StepState, Unknown
from rollguard.model.handling import Acknowledgement
from rollguard.model.lifecycle import MakePlan, Tell, Transition
from rollguard.model.names import RolloutId, TemplateHash, UnitName
from rollguard.model.notices import NoticeClass
from rollguard.model.policy import Mode
from rollguard.model.records import GoodRevision, LifecycleState, RolloutRecord, StoredUnit, TimelineEntry
from rollguard.model.requests import HumanRequest, RequestKind
from rollguard.ports import Held
from rollguard.sim.faults import Fault, FaultPlan
from rollguard.sim.process import Process, VirtualClock
from rollguard.sim.records import SimRecords
from rollguard.sim.store import RecordStore
from rollguard.sim.virtual_time import run
from tests.simulation import policies
from tests.unit.records import PLAN, START, UNIT, WORKLOAD, rollout_record, unit_record

POLICY = policies.policy()
HOLD = Tell(class_=NoticeClass.PAGE, topic="hold", reason="held, because 14.8% > 10%")


def test_a_write_leaves_only_while_it_ends_within_the_leadership() -> None:
    async def story() -> None:
        clock = VirtualClock(Process("guard"))
        gate = Gate(clock)
        with pytest.raises(LeadershipLost):
            gate.check(3.0)
        gate.hold(Held(until=clock.mono().plus(10), epoch=4))
        await asyncio.sleep(6.9)
        gate.check(3.0)
        await asyncio.sleep(0.2)
        assert gate.leading()
        with pytest.raises(LeadershipLost):
            gate.check(3.0)
        gate.hold(None)
        assert not gate.leading()
        assert gate.epoch == 0

    run(story())


class Stored:
    """A store over the simulated records, with one unit and one rollout in it."""

    def __init__(self) -> None:
        self.server = RecordStore(asyncio.get_running_loop())
        self.faults = FaultPlan(1)
        process = Process("guard")
        clock = VirtualClock(process)
        gate = Gate(clock)
        gate.hold(Held(until=clock.mono().plus(1000), epoch=7))
        self.records = SimRecords(self.server, process, self.faults)
        self.store = Store(self.records, gate, Settings(namespace="rollguard"), lambda _event, _fields: None)

    async def filled(self) -> Stored:
        self.server.create_unit(replace(unit_record(), current_rollout=rollout_record().id))
        self.server.create_rollout(replace(rollout_record(), plan=None, closed=None, epoch=3))
        assert await self.store.load()
        return self


def entry(text: str, seconds: float = 1) -> TimelineEntry:
    return TimelineEntry(at=START.plus(seconds), kind="step", text=text)


def test_a_change_that_changes_nothing_is_not_written() -> None:
    async def story() -> None:
        stored = await Stored().filled()
        await stored.store.change_rollout(rollout_record().id, lambda record: record)
        assert stored.faults.visits["records.replace_rollout"] == 0

    run(story())


def test_a_change_is_made_again_on_what_somebody_else_has_written() -> None:
    async def story() -> None:
        stored = await Stored().filled()
        stored.server.request(
            UNIT, HumanRequest(id="r", kind=RequestKind.ACKNOWLEDGE, actor="alice", at=START, reason="seen")
        )
        after = await stored.store.change_unit(UNIT, lambda u: replace(u, last_target=TemplateHash("abc")))
        assert after.last_target == "abc"
        assert [r.id for r in after.requests] == ["r"]

    run(story())


def test_a_write_whose_answer_was_lost_is_not_made_twice() -> None:
    async def story() -> None:
        stored = await Stored().filled()
        stored.faults.focus = ("records.replace_rollout", Fault.APPLIED_UNKNOWN, 0)
        line = entry("once")
        after = await stored.store.change_rollout(rollout_record().id, lambda r: timeline.with_entries(r, (line,)))
        assert [e.text for e in after.timeline].count("once") == 1
        assert stored.faults.visits["records.replace_rollout"] == 1

    run(story())


def test_every_write_of_a_rollout_carries_our_epoch() -> None:
    async def story() -> None:
        stored = await Stored().filled()
        after = await stored.store.change_rollout(rollout_record().id, lambda r: replace(r, why="other"))
        assert after.epoch == 7

    run(story())


def test_records_that_do_not_answer_are_unavailable_and_not_absent() -> None:
    async def story() -> None:
        stored = await Stored().filled()
        stored.faults.focus = ("records.read_unit", Fault.LOST, 0)
        with pytest.raises(Unavailable):
            await stored.store.refresh_unit(UNIT)
        assert stored.store.unit(UNIT) is not None

    run(story())


def test_a_list_that_was_under_way_does_not_take_back_what_was_written_since() -> None:
    async def story() -> None:
        stored = await Stored().filled()
        store, honest = stored.store, stored.records.list_units
        gone, new = UnitName("production", "deployment-gone"), UnitName("production", "deployment-new")
        await store.create_unit(replace(unit_record(), name=gone))

        async def slow() -> tuple[StoredUnit, ...] | Unknown:
            listed = await honest()
            await store.change_unit(UNIT, lambda u: replace(u, last_target=TemplateHash("abc")))
            await store.create_unit(replace(unit_record(), name=new))
            del stored.server.units[gone]
            await store.refresh_unit(gone)
            return listed

        stored.records.list_units = slow  # type: ignore[method-assign]
        assert await store.refresh_units()
        known = store.unit(UNIT)
        assert known is not None
        assert known.last_target == "abc"
        assert store.unit(new) is not None
        assert store.unit(gone) is None

    run(story())


def test_old_rollouts_are_cleared_away_but_open_incidents_stay() -> None:
    async def story() -> None:
        stored = Stored()
        for n in range(14):
            old = replace(
                rollout_record(),
                id=RolloutId(f"api-r{n}"),
                started=START.plus(n),
                closed=START.plus(n + 1),
                notices=(),
                incident=f"api-r{n}" if n in (0, 1) else "",
                incident_resolved=START.plus(2) if n == 1 else None,
            )
            stored.server.create_rollout(old)
        assert await stored.store.survey(10)
        left = sorted(int(key[1].removeprefix("api-r")) for key in stored.server.rollouts)
        assert left == [0, *range(4, 14)]

    run(story())


async def worked(
    workers: Workers, work: Callable[[Priority, UnitName], Awaitable[None]], waiting: list[asyncio.Event]
) -> None:
    """All that was waiting is done, and the workers have ended."""
    running = asyncio.create_task(workers.run(work))
    for each in waiting:
        await each.wait()
    running.cancel()
    await asyncio.wait([running])


def test_a_rollback_goes_before_a_woken_unit_and_that_before_a_tick() -> None:
    async def story() -> None:
        done: list[Priority] = []

        async def work(priority: Priority, _unit: UnitName) -> None:
            done.append(priority)

        workers = Workers(1, VirtualClock(Process("guard")))
        waiting = [workers.put(priority, UNIT) for priority in (Priority.TICK, Priority.WAKE, Priority.ACT)]
        await worked(workers, work, waiting)
        assert done == [Priority.ACT, Priority.WAKE, Priority.TICK]

    run(story())


def test_a_flood_of_events_of_a_unit_is_one_look() -> None:
    async def story() -> None:
        looks: list[UnitName] = []

        async def work(_priority: Priority, name: UnitName) -> None:
            looks.append(name)

        workers = Workers(1, VirtualClock(Process("guard")))
        waiting = [workers.put(Priority.WAKE, UNIT) for _ in range(100)]
        await worked(workers, work, waiting)
        assert looks == [UNIT]

    run(story())


def test_the_state_of_a_step_only_advances() -> None:
    record = replace(rollout_record(), plan=PLAN)
    step = replace(PLAN.steps[0], state=StepState.PENDING)
    record = replace(record, plan=replace(PLAN, steps=(step,)))
    done = changes.with_step(record, PLAN.id, replace(step, state=StepState.DONE))
    back = changes.with_step(done, PLAN.id, replace(step, state=StepState.TRYING))
    other = changes.with_step(record, "another-plan", replace(step, state=StepState.DONE))
    assert done.plan is not None
    assert done.plan.steps[0].state is StepState.DONE
    assert back == done
    assert other == record


def test_a_notice_repeats_only_after_the_interval_or_when_more_than_a_number_changed() -> None:
    record = replace(rollout_record(), notices=())

    def told(present: RolloutRecord, tell: Tell, seconds: float) -> RolloutRecord:
        return telling.told(present, tell, unit=unit_record(), policy=POLICY, now=START.plus(seconds))

    first = told(record, HOLD, 0)
    assert len(told(first, replace(HOLD, reason="held, because 15.1% > 10%"), 10).notices) == 1
    assert len(told(first, replace(HOLD, reason="held, because the store is blind"), 10).notices) == 2
    again = told(first, HOLD, POLICY.timing.repeat_notice)
    assert len(again.notices) == 2
    assert again.notices[0].id != again.notices[1].id


def test_notices_of_units_with_one_name_in_two_namespaces_are_told_apart() -> None:
    elsewhere = replace(unit_record(), name=UnitName("staging", UNIT.object_name))
    told = [telling.told_unit(unit, HOLD, policy=POLICY, now=START) for unit in (unit_record(), elsewhere)]
    assert told[0].notices[0].id != told[1].notices[0].id


def test_one_blindness_is_one_page_whatever_hides_the_values() -> None:
    causes = ("the store is unreachable", "no sample in the last 6 s", "1 of 2 without a sample")
    record = rollout_record()
    for seconds, cause in enumerate(causes):
        tell = Tell(class_=NoticeClass.PAGE, topic="blind", reason=f"errors: no complete answer ({cause})")
        record = telling.told(record, tell, unit=unit_record(), policy=POLICY, now=START.plus(seconds))
    assert [notice.topic for notice in record.notices] == ["blind"]
    assert causes[0] in record.notices[0].text


def test_a_hold_about_the_same_is_one_page_whatever_pods_and_others_words_it_names() -> None:
    record = rollout_record()
    for seconds, words in enumerate(("pod api-x2k4p: 5 Insufficient cpu", "pod api-bq7lm: 1 untolerated taint")):
        tell = replace(HOLD, reason=words, about="progress-deadline rollback; frozen")
        record = telling.told(record, tell, unit=unit_record(), policy=POLICY, now=START.plus(seconds))
    assert len(record.notices) == 1
    other = replace(HOLD, reason="pod api-x2k4p", about="progress-deadline rollback; outage")
    assert len(telling.told(record, other, unit=unit_record(), policy=POLICY, now=START.plus(3)).notices) == 2


def test_a_notice_that_a_person_acknowledged_is_not_repeated() -> None:
    first = telling.told(rollout_record(), HOLD, unit=unit_record(), policy=POLICY, now=START)
    known = response.acknowledged(first, Acknowledgement(actor="alice", at=START.plus(5)))
    later = START.plus(2 * POLICY.timing.repeat_notice)
    assert len(telling.told(first, HOLD, unit=unit_record(), policy=POLICY, now=later).notices) == 2
    assert len(telling.told(known, HOLD, unit=unit_record(), policy=POLICY, now=later).notices) == 1


def test_the_oldest_lines_in_the_middle_of_a_long_story_go_first() -> None:
    record = replace(rollout_record(), timeline=())
    full = timeline.with_entries(record, (entry(f"line {n}", n) for n in range(100)))
    texts = [e.text for e in full.timeline]
    assert len(texts) == timeline.ENTRIES
    assert texts[0] == "line 0"
    assert texts[-1] == "line 99"


def test_a_revision_judged_healthy_again_is_the_newest_and_there_once() -> None:
    def good(name: str) -> GoodRevision:
        return GoodRevision(hash=TemplateHash(name), number=1, digest=name, bare_digest=name, images=(), since=START)

    record = replace(unit_record(), healthy=())
    for name in ("a", "b", "a"):
        record = units.with_good(record, good(name))
    assert [g.digest for g in record.healthy] == ["b", "a"]


def test_a_revision_judged_healthy_again_is_good_since_the_first_time_and_keeps_its_template() -> None:
    def good(since: float, saved: str) -> GoodRevision:
        return GoodRevision(
            hash=TemplateHash("a"),
            number=1,
            digest="a",
            bare_digest="a",
            images=(),
            since=START.plus(since),
            saved=saved,
        )

    record = units.with_good(replace(unit_record(), healthy=()), good(0, ""))
    record = units.with_good(record, good(60, "saved-a"))
    assert [(g.since, g.saved) for g in record.healthy] == [(START, "saved-a")]
    assert units.with_good(record, good(90, "")) == record


def test_a_mode_becomes_milder_only_and_that_is_said_once() -> None:
    record = replace(rollout_record(), mode=Mode.AUTOMATIC)
    observed = changes.in_milder_mode(record, Mode.OBSERVE, START)
    assert observed.mode is Mode.OBSERVE
    assert observed.timeline[-1].text == "Mode observe from here on: the policy was changed"
    assert changes.in_milder_mode(observed, Mode.OBSERVE, START.plus(5)) == observed
    assert changes.in_milder_mode(observed, Mode.AUTOMATIC, START.plus(9)) == observed


def test_a_rollout_whose_policy_is_lost_goes_on_under_the_one_in_force_and_says_so_once() -> None:
    record = replace(rollout_record(), policy_digest="a" * 64)
    assert changes.without_policy(record, "", "b" * 64, START) == record
    moved = changes.without_policy(record, "404 not found", "b" * 64, START)
    assert moved.policy_digest == "b" * 64
    assert "aaaaaaaaaaaa that it began with cannot be read any more (404 not found)" in moved.timeline[-1].text
    assert changes.without_policy(moved, "404 not found", "b" * 64, START.plus(5)) == moved


def test_a_condition_keeps_its_first_message_until_it_ends() -> None:
    record = units.with_condition(unit_record(), "Blind", "error-rate has no complete answer (timeout)")
    assert units.with_condition(record, "Blind", "another cause") == record
    assert units.with_condition(record, "Blind", "") == unit_record()


def test_a_rollback_is_counted_once() -> None:
    record = replace(unit_record(), automatic_rollbacks=())
    for _ in range(2):
        record = units.with_rollback(record, START)
    assert record.automatic_rollbacks == (START,)
    assert WORKLOAD.name in str(record.name)


def test_who_wants_a_rollback_and_why_is_kept_beside_the_story_which_may_be_cut() -> None:
    plan = MakePlan(actor="ana", reason="Rollback ordered: again")
    moved = Transition(state=LifecycleState.PLANNED, effects=(plan,))
    record = changes.advanced(rollout_record(), moved, unit=unit_record(), policy=policies.policy(), now=START.plus(9))
    wanted = replace(record, timeline=()).wanted()
    assert (wanted.at, wanted.actor, wanted.reason) == (START.plus(9), "ana", "Rollback ordered: again")
    assert record.timeline[-1].text == "Rollback ordered: Rollback ordered: again"


def test_where_the_record_does_not_say_it_is_the_guard_who_wants_it() -> None:
    record = rollout_record()
    assert (record.wanted().actor, record.wanted().at, record.wanted().reason) == ("rollguard", START, record.why)
