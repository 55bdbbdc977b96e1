"""The guard as a whole, over the simulated cluster."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from rollguard.loop import look, targets, transitions, verify
from rollguard.loop.context import Context, Memory
from rollguard.loop.store import Unavailable
from rollguard.loop.workers import Priority
from rollguard.model.action import Evidence, StepState
from rollguard.model.metrics import GapCause
from rollguard.model.names import RolloutId, TemplateHash, UnitName
from rollguard.model.policy import Limits, Mode
from rollguard.model.records import LifecycleState, Outcome, RolloutRecord
from rollguard.model.requests import Freeze, HumanRequest, RequestKind
from rollguard.model.time import Instant
from rollguard.ports import Held, NotHeld
from rollguard.sim.faults import Fault
from rollguard.sim.objects import at
from rollguard.sim.world import Blind
from tests.simulation import policies
from tests.unit.loop.stage import CRASHING, FAILING, GOOD, Running, Stage, play


def request(stage: Stage, kind: RequestKind, id_: str, *, force: bool = False) -> None:
    now = at(stage.world.loop.time())
    entry = HumanRequest(id=id_, kind=kind, actor="alice", at=now, reason="because", force=force)
    assert stage.world.records.request(UnitName.of_workload(stage.api.name), entry)


def test_a_crash_loop_is_undone_within_a_second_of_the_status_that_completes_the_rule() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: any(pod.failures >= 2 for pod in stage.api.pods() if pod.image == CRASHING))
        assert await stage.until(lambda: stage.image() == GOOD) < 1.0

    play(story)


def test_errors_are_undone_once_and_recovery_is_verified() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: stage.image() == GOOD)
        await stage.until(lambda: (unit := stage.unit()) is not None and unit.current_rollout is None)
        record, unit = stage.rollout(), stage.unit()
        assert record.outcome is Outcome.RECOVERED
        assert record.incident
        assert record.incident_resolved is not None
        assert [e.kind for e in record.timeline].count("recovery") >= 2
        assert unit is not None
        assert unit.current_rollout is None
        assert len(unit.automatic_rollbacks) == 1
        await asyncio.sleep(60)
        assert len(stage.rollouts()) == 1
        assert [c.actor for c in stage.restorations()] == ["guard-0"]
        assert stage.all_sent()

    play(story)


def test_every_line_of_a_rollouts_story_is_in_the_journal_from_its_first_notice_on() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().closed is not None)
        await stage.until(stage.all_sent)
        record = stage.rollout()
        told = [entry.text for entry in record.timeline if entry.kind == "notice"]
        assert told[0].startswith("Rollout began")
        kept = [entry for unit, rollout, entry in stage.journal.lines if (unit, rollout) == (record.unit, record.id)]
        assert set(record.timeline) <= set(kept)

    play(story)


def test_a_healthy_rollout_becomes_a_target_and_its_template_is_saved() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, "registry.lab/api:v2")
        await stage.until(lambda: bool(stage.unit() and stage.unit().healthy))  # type: ignore[union-attr]
        await stage.until(lambda: stage.rollout().closed is not None, within=300)
        await stage.until(lambda: stage.unit().current_rollout is None, within=5)  # type: ignore[union-attr]
        unit = stage.unit()
        assert unit is not None
        assert stage.rollout().outcome is Outcome.HEALTHY
        assert unit.healthy[-1].saved
        assert unit.last_target == stage.rollout().target

    play(story)


def test_a_pruned_history_is_undone_from_the_saved_template() -> None:
    async def story(stage: Stage) -> None:
        stage.api.history_limit = 0
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: stage.image() == GOOD)

    play(story)


def test_a_person_rolls_back_what_nobody_judged_bad() -> None:
    async def story(stage: Stage) -> None:
        await stage.released("registry.lab/api:v2")
        request(stage, RequestKind.ROLLBACK, "r1")
        await stage.until(lambda: stage.image() == GOOD, within=10)
        await stage.until(lambda: stage.rollout().closed is not None)
        unit, plan = stage.unit(), stage.rollout().plan
        assert unit is not None
        assert plan is not None
        assert unit.handled_requests == ("r1",)
        assert plan.actor == "alice"
        assert unit.automatic_rollbacks == ()

    play(story)


def hold_for(running: Running, seconds: float) -> None:
    """Every renewal leaves the guard that many seconds, as if the API server were slow to renew."""
    honest = running.leadership.renew

    async def short(*, open_epochs: tuple[int, ...]) -> Held | NotHeld:
        held = await honest(open_epochs=open_epochs)
        return replace(held, until=running.clock.mono().plus(seconds)) if isinstance(held, Held) else held

    running.leadership.renew = short  # type: ignore[method-assign]


def test_a_leadership_that_is_too_short_for_all_evidence_is_long_enough_for_the_rollback() -> None:
    async def story(stage: Stage) -> None:
        running = stage.prepare("guard-0")
        hold_for(running, 4.9)
        running.begin()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: stage.image() == GOOD, within=30)
        assert [e.kind for e in stage.rollout().timeline].count("evidence") == 1

    play(story)


def test_a_leadership_without_time_for_evidence_still_rolls_back_and_says_so() -> None:
    async def story(stage: Stage) -> None:
        running = stage.prepare("guard-0")
        hold_for(running, 3.4)
        running.begin()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: stage.image() == GOOD, within=60)
        told = next(e.text for e in stage.rollout().timeline if e.kind == "evidence")
        assert told == "No evidence could be saved (incomplete: no time: the leadership was about to end)"

    play(story)


def test_evidence_is_not_read_again_where_only_the_plans_write_was_lost() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        honest = running.cluster.save_evidence

        async def lost(rollout: RolloutId, unit: UnitName, *, bad: frozenset[TemplateHash], timeout: float) -> Evidence:
            point = "records.replace_rollout"
            running.faults.focus = (point, Fault.LOST, running.faults.visits[point])
            return await honest(rollout, unit, bad=bad, timeout=timeout)

        running.cluster.save_evidence = lost  # type: ignore[method-assign]
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: stage.image() == GOOD, within=30)
        assert running.faults.visits["cluster.save_evidence"] == 1
        assert stage.rollout().evidence

    play(story)


def test_a_rollback_that_meets_a_look_at_its_unit_goes_before_other_units_afterwards() -> None:
    async def story(stage: Stage) -> None:
        jobs = stage.start().guard._jobs
        await stage.until(stage.adopted)
        name = UnitName.of_workload(stage.api.name)
        done: list[Priority] = []

        async def do(priority: Priority, unit: UnitName, _memory: Memory) -> None:
            done.append(priority)
            if len(done) == 1:
                for other in (Priority.TICK, Priority.ACT):
                    await jobs.work(other, unit)

        jobs._do = do  # type: ignore[assignment,method-assign]
        await jobs.work(Priority.WAKE, name)
        await stage.until(lambda: len(done) >= 3)
        assert done[:3] == [Priority.WAKE, Priority.ACT, Priority.WAKE]

    play(story)


@pytest.mark.parametrize("killed", [False, True])
def test_a_release_whose_image_was_held_up_is_not_called_healthy_by_any_leader(killed: bool) -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        stage.world.kubelet.broken_registry = "too-many-requests"
        stage.world.set_image(stage.api, "registry.lab/api:v2-noerrors")
        await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().state is LifecycleState.HELD)
        stage.world.kubelet.broken_registry = ""
        await stage.until(lambda: stage.rollout().state is not LifecycleState.HELD)
        if killed:
            await running.kill()
            stage.start("guard-1")
        await stage.until(lambda: stage.rollout().closed is not None, within=300)
        unit = stage.unit()
        assert stage.rollout().outcome is Outcome.UNDECIDED
        assert unit is not None
        assert unit.healthy == ()

    play(story)


def test_a_signal_that_the_policy_no_longer_has_confirms_no_recovery() -> None:
    async def story(stage: Stage) -> None:
        first = stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: stage.image() == GOOD)
        await first.kill()
        kept = tuple(signal for signal in stage.policy.signals if signal.name != "error-rate")
        stage.write_policy(replace(stage.policy, signals=kept, digest="sha256:fewer"))
        stage.kept.clear()
        stage.start("guard-1")
        await stage.until(lambda: stage.rollout().closed is not None, within=900)
        assert stage.rollout().outcome is Outcome.UNCONFIRMED
        assert stage.rollout().why == "error-rate: the signal is no longer in the policy"

    play(story)


def test_a_rollback_that_is_ordered_after_the_rollout_has_its_own_record() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, "registry.lab/api:v2")
        await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().closed is not None, within=300)
        request(stage, RequestKind.ROLLBACK, "My_late order!")
        await stage.until(lambda: stage.image() == GOOD, within=10)
        first, ordered = stage.rollouts()
        assert ordered.id.startswith(f"{first.id}-")
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", ordered.id), "the API server takes no other name"

    play(story)


def test_an_order_without_a_target_is_refused_and_said_so() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        request(stage, RequestKind.ROLLBACK, "r1")
        await stage.until(lambda: bool(stage.unit() and stage.unit().handled_requests))  # type: ignore[union-attr]
        await stage.until(lambda: bool(stage.told("order-refused")))
        assert stage.image() == GOOD

    play(story)


def test_a_freeze_holds_what_would_have_been_undone() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        until = at(stage.world.loop.time() + 1000)
        unit = UnitName.of_workload(stage.api.name)
        stage.world.records.freeze(unit, Freeze(until=until, actor="alice", reason="migration"))
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.told("hold")))
        assert stage.rollout().state is LifecycleState.HELD
        assert stage.image() == FAILING
        stage.world.records.freeze(unit, None)
        await stage.until(lambda: stage.image() == GOOD, within=30)

    play(story)


def test_an_approval_is_asked_for_and_given() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().state is LifecycleState.AWAITING_APPROVAL)
        await asyncio.sleep(5)
        assert stage.image() == FAILING
        request(stage, RequestKind.APPROVE, "yes")
        await stage.until(lambda: stage.image() == GOOD, within=5)
        plan = stage.rollout().plan
        assert plan is not None
        assert plan.actor == "alice"

    play(story, policy=policies.policy(mode=Mode.APPROVE))


def test_in_mode_observe_nothing_is_written_to_the_workload() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.told("would-roll-back")))
        await asyncio.sleep(60)
        assert stage.image() == FAILING
        assert [c.actor for c in stage.world.changes] == ["alice"]

    play(story, policy=policies.policy(mode=Mode.OBSERVE))


def test_many_units_that_turn_bad_together_do_not_overdraw_the_fleets_budget() -> None:
    async def story(stage: Stage) -> None:
        others = [stage.deploy(f"other-{n}") for n in range(4)]
        await stage.warm_up()
        stage.start()
        await stage.until(stage.adopted)
        await asyncio.sleep(10)
        for deployment in (stage.api, *others):
            stage.world.set_image(deployment, FAILING)
        await stage.until(lambda: len(stage.told("hold")) == 3)
        assert sum(d.template.images[0][1] == GOOD for d in (stage.api, *others)) == 2

    play(story, policy=replace(policies.policy(), limits=Limits(fleet_units=2)))


def test_fields_that_cannot_be_given_back_do_not_stop_the_rollback_and_the_page_names_the_flag() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: any(pod.failures >= 2 for pod in stage.api.pods() if pod.image == CRASHING))
        stage.world.on_change.append(lambda change: stage.world.refused.update({change.workload: "admission: no"}))
        await stage.until(lambda: stage.image() == GOOD)
        await stage.until(lambda: stage.rollout().state is LifecycleState.VERIFYING)
        plan = stage.rollout().plan
        assert plan is not None
        assert [step.state for step in plan.steps] == [StepState.DONE, StepState.SKIPPED]
        await stage.until(lambda: bool(stage.told("rolled-back")))
        (told,) = stage.told("rolled-back")
        assert "--force-conflicts" in told
        assert "admission: no" in told

    play(story)


def test_that_the_old_version_is_back_is_told_though_it_could_not_be_written_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost: list[str] = []

    async def note(context: Context, record: RolloutRecord, change: Callable[[RolloutRecord], RolloutRecord]) -> None:
        if not lost:
            lost.append(record.id)
            raise Unavailable("no answer")
        await transitions.note(context, record, change)

    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        monkeypatch.setattr(verify, "note", note)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().closed is not None, within=300)
        assert lost
        assert [entry.text for entry in stage.rollout().timeline].count(verify.BACK) == 1

    play(story)


def test_a_killed_guards_successor_finishes_the_rollback_once() -> None:
    async def story(stage: Stage) -> None:
        first = stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)
        first.faults.focus = ("cluster.apply", Fault.KILLED_AFTER, first.faults.visits["cluster.apply"])
        await stage.until(lambda: not first.process.alive)
        await first.kill()
        assert stage.rollout().state is LifecycleState.ACTING
        stage.start("guard-1")
        await stage.until(lambda: stage.rollout().state is LifecycleState.VERIFYING, within=40)
        assert [c.actor for c in stage.restorations()] == ["guard-0"]
        assert stage.rollout().epoch == 2

    play(story)


def test_a_follower_observes_and_writes_nothing_until_it_leads() -> None:
    async def story(stage: Stage) -> None:
        first = stage.start()
        await stage.until(lambda: first.guard.status().active)
        second = stage.start("guard-1")
        await asyncio.sleep(30)
        assert not second.guard.status().leading
        assert second.metrics.asked == 0
        assert not [p for p in second.faults.visits if p.startswith("records.") and p != "records.list_rollouts"]
        await first.kill()
        assert await stage.until(lambda: second.guard.status().active, within=30) < 20

    play(story)


def test_a_graceful_stop_gives_the_lease_back() -> None:
    async def story(stage: Stage) -> None:
        first = stage.start()
        await stage.until(stage.adopted)
        first.guard.stop()
        await stage.until(first.task.done, within=15)
        assert stage.world.lease.holder == ""
        second = stage.start("guard-1")
        assert await stage.until(lambda: second.guard.status().active) < 5

    play(story)


def test_a_bug_in_one_unit_is_counted_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = targets.opened

    async def broken(*arguments: object) -> object:
        if "broken" in str(arguments[2]):
            raise ZeroDivisionError("a bug")
        return await honest(*arguments)  # type: ignore[arg-type]

    async def story(stage: Stage) -> None:
        stage.deploy("broken")
        await stage.warm_up()
        monkeypatch.setattr(look, "opened", broken)
        running = stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: stage.image() == GOOD)
        status = running.guard.status()
        assert status.errors > 0
        assert [u.error for u in status.units if u.unit.object_name == "deployment-broken"] == [
            "ZeroDivisionError: a bug"
        ]
        assert "a bug" in str(running.events("unit-error")[0]["traceback"])

    play(story, fail_fast=False)


@pytest.mark.parametrize("broken", ["select", "surroundings.watch_siblings"])
def test_a_bug_in_one_tick_does_not_end_the_guard(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    def bug(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        with monkeypatch.context() as patch:
            patch.setattr(f"rollguard.loop.ticks.{broken}", bug)
            await stage.until(lambda: len(running.events("duty-error")) == 2, within=30)
        assert "in bug" in str(running.events("duty-error")[0]["traceback"])
        assert running.guard.status().errors == 2
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: any(r.outcome is Outcome.RECOVERED for r in stage.rollouts()))
        assert stage.image() == GOOD

    play(story, fail_fast=False)


def test_a_bug_in_house_keeping_does_not_end_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    async def bug(*_: object) -> bool:
        raise ZeroDivisionError("a bug")

    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        with monkeypatch.context() as patch:
            patch.setattr("rollguard.loop.store.Store.refresh_units", bug)
            await stage.until(lambda: bool(running.events("duty-error")), within=60)
        ticks = running.guard.status().ticks
        await asyncio.sleep(60)
        assert running.guard.status().ticks > ticks
        assert len(running.events("duty-error")) == 1

    play(story, fail_fast=False)


def test_a_late_tick_is_skipped_and_counted() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        assert running.guard.status().late_ticks == 0
        running.process.pause(5)
        await asyncio.sleep(10)
        assert running.guard.status().late_ticks in (1, 2)
        assert running.guard.status().leading

    play(story, policy=replace(policies.policy(), timing=replace(policies.TIMING, tick=2.0)))


def test_a_restart_in_the_middle_of_a_window_catches_up_from_the_store() -> None:
    async def story(stage: Stage) -> None:
        first = stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FAILING)
        began = stage.world.loop.time()
        await asyncio.sleep(20)
        await first.kill()
        stage.world.lease.delete()
        stage.start("guard-1")
        await stage.until(lambda: stage.image() == GOOD)
        window = max(level.seconds for signal in stage.policy.signals for level in signal.levels)
        slack = 2 * stage.policy.timing.slot + stage.policy.timing.lateness + stage.policy.timing.tick
        assert stage.world.loop.time() - began < window + slack

    play(story)


def test_a_workload_that_opts_out_is_left_alone() -> None:
    async def story(stage: Stage) -> None:
        await stage.released(FAILING)
        stage.world.annotate(stage.api, "rollguard.dev/guard", "off")
        await stage.until(lambda: stage.rollout().closed is not None)
        await asyncio.sleep(60)
        assert stage.image() == FAILING

    play(story)


def test_a_deleted_workload_closes_its_rollout_quietly() -> None:
    async def story(stage: Stage) -> None:
        await stage.released(FAILING)
        stage.world.delete(stage.api)
        await stage.until(lambda: stage.rollout().closed is not None)
        assert stage.rollout().outcome is Outcome.GONE
        assert not [n for n in stage.inbox.arrived if n.notice.class_.value == "page"]

    play(story)


def test_a_record_is_written_only_when_something_changed() -> None:
    async def story(stage: Stage) -> None:
        running = await stage.released("registry.lab/api:v2")
        await asyncio.sleep(12)
        before = running.faults.visits["records.replace_rollout"]
        await asyncio.sleep(20)
        assert running.faults.visits["records.replace_rollout"] - before <= 2

    play(story, policy=replace(policies.policy(), timing=replace(policies.TIMING, startup=10, stabilization=100)))


def test_a_units_record_that_a_person_deleted_is_made_again_with_its_rollout() -> None:
    async def story(stage: Stage) -> None:
        await stage.released("registry.lab/api:v2")
        del stage.world.records.units[UnitName.of_workload(stage.api.name)]

        def named() -> bool:
            unit = stage.unit()
            return unit is not None and unit.current_rollout == stage.rollout().id

        await stage.until(named, within=60)

    play(story)


def test_a_rollouts_record_that_a_person_deleted_is_made_again() -> None:
    async def story(stage: Stage) -> None:
        await stage.released("registry.lab/api:v2")
        stage.world.records.rollouts.clear()
        await stage.until(lambda: bool(stage.rollouts()), within=60)
        assert [record.target_number for record in stage.rollouts()] == [2]

    play(story)


def test_a_fix_forward_in_the_middle_of_a_rollback_stays() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().state is LifecycleState.VERIFYING)
        assert stage.image() == GOOD
        stage.world.set_image(stage.api, "registry.lab/api:v3")
        await stage.until(lambda: len(stage.rollouts()) == 2)
        await asyncio.sleep(30)
        assert stage.image() == "registry.lab/api:v3"
        assert stage.rollouts()[0].outcome is Outcome.ROLLED_BACK

    play(story)


def test_what_is_put_back_again_and_again_ends_in_a_hold() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        for _ in range(2):
            stage.world.set_image(stage.api, CRASHING)
            await stage.until(lambda: stage.image() == GOOD)
            await asyncio.sleep(5)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: stage.rollout().state is LifecycleState.HELD)
        await asyncio.sleep(20)
        assert stage.image() == CRASHING

    play(story)


def test_a_mode_that_becomes_milder_in_the_middle_of_a_rollout_binds_at_once() -> None:
    async def story(stage: Stage) -> None:
        first = await stage.released(FAILING)
        await first.kill()
        stage.write_policy(policies.in_mode(stage.policy, Mode.OBSERVE, digest="sha256:observing"))
        stage.start("guard-1")
        await stage.until(lambda: bool(stage.told("would-roll-back")))
        await asyncio.sleep(60)
        assert stage.image() == FAILING
        assert stage.rollout().policy_digest == "sha256:simulated"
        said = [e.text for e in stage.rollout().timeline if e.text.startswith("Mode ")]
        assert said == ["Mode observe from here on: the policy was changed"]

    play(story)


def test_signals_that_no_watch_names_are_not_asked() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        await asyncio.sleep(15)
        asked = {answer.signal for answer in running.guard._context.asking.under(stage.policy).since(None)}
        assert asked == {"error-rate"}

    whole = policies.policy()
    watches = tuple(replace(watch, signals=("error-rate", "crash-loop")) for watch in whole.watches)
    play(story, policy=replace(whole, watches=watches))


def test_a_recovery_from_a_crash_loop_says_what_was_looked_at() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().closed is not None)
        assert stage.rollout().why == "the restored pods have been ready for 10s"

    play(story)


def test_a_unit_in_error_shows_it_until_a_look_comes_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)

        async def broken(*_: object) -> None:
            raise ZeroDivisionError("a bug")

        with monkeypatch.context() as patch:
            patch.setattr("rollguard.loop.jobs.look", broken)
            await stage.until(lambda: bool(stage.unit() and stage.unit().conditions))  # type: ignore[union-attr]
            assert stage.unit().conditions == (("Error", "ZeroDivisionError: a bug"),)  # type: ignore[union-attr]
            assert "in broken" in str(running.events("unit-error")[0]["traceback"])
            assert running.guard.status().units[0].error == "ZeroDivisionError: a bug"
        await stage.until(lambda: not stage.unit().conditions)  # type: ignore[union-attr]

    play(story, fail_fast=False)


def test_a_blind_rollout_shows_it_while_it_lasts() -> None:
    async def story(stage: Stage) -> None:
        await stage.released("registry.lab/api:v2")
        now = stage.world.loop.time()
        stage.world.blind.append(Blind(start=now + 5, end=now + 30, cause=GapCause.TIMEOUT))
        await stage.until(lambda: bool(stage.unit() and stage.unit().conditions))  # type: ignore[union-attr]
        assert stage.unit().conditions[0][0] == "Blind"  # type: ignore[union-attr]
        assert "error-rate has no complete answer" in stage.unit().conditions[0][1]  # type: ignore[union-attr]
        await stage.until(lambda: not stage.unit().conditions)  # type: ignore[union-attr]

    play(story)


def test_the_time_of_recovery_begins_anew_when_a_restored_pod_fails() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)

        def back() -> list[Instant]:
            lines = stage.rollout().timeline if stage.rollouts() else ()
            return [e.at for e in lines if e.text == verify.BACK]

        await stage.until(lambda: bool(back()))
        await asyncio.sleep(6)
        stage.world.kubelet.crash(stage.api.pods()[0], 1)
        await stage.until(lambda: stage.rollout().closed is not None)
        assert len(back()) == 2
        closed = stage.rollout().closed
        assert closed is not None
        assert closed.since(back()[-1]) >= stage.policy.timing.recovery_for

    play(story)


async def scaled_on_and_on(stage: Stage, every: float) -> None:
    """As an autoscaler under changing load, until the newest rollout is over."""
    replicas = 3
    while stage.rollout().closed is None:
        await asyncio.sleep(every)
        replicas = 3 + (replicas - 2) % 4
        stage.world.scale(stage.api, replicas)


def test_an_autoscaler_that_adds_pods_does_not_begin_the_time_of_recovery_anew() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: stage.image() == GOOD)
        await asyncio.gather(
            scaled_on_and_on(stage, 6.0), stage.until(lambda: stage.rollout().closed is not None, within=300)
        )
        assert stage.rollout().outcome is Outcome.RECOVERED

    play(story)


def test_a_recovery_that_there_was_no_time_to_measure_is_unconfirmed_with_the_reason() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().closed is not None)
        assert stage.rollout().outcome is Outcome.UNCONFIRMED
        assert "it has been back for" in stage.rollout().why
        await stage.until(lambda: bool(stage.told("unconfirmed")), within=5)
        assert stage.rollout().why in stage.told("unconfirmed")[0]

    hasty = policies.policy()
    play(story, policy=replace(hasty, timing=replace(hasty.timing, recovery_for=60.0, recovery_within=50.0)))


def test_a_freeze_that_comes_while_the_step_is_being_marked_is_seen_before_the_write() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        freeze = Freeze(until=at(stage.world.loop.time() + 1000), actor="alice", reason="hands off")

        def marked(_before: RolloutRecord | None, after: RolloutRecord) -> None:
            if after.plan is not None and after.plan.steps[0].state is StepState.TRYING:
                stage.world.records.freeze(UnitName.of_workload(stage.api.name), freeze)

        stage.world.records.on_rollout.append(marked)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: bool(stage.told("superseded")))
        assert stage.rollout().state is LifecycleState.HELD
        assert stage.image() == CRASHING
        assert not running.events("step-sent")

    play(story)


def test_a_mode_that_becomes_stricter_counts_from_the_next_rollout() -> None:
    async def story(stage: Stage) -> None:
        first = await stage.released(FAILING)
        await first.kill()
        stage.write_policy(policies.in_mode(stage.policy, Mode.AUTOMATIC, digest="sha256:acting"))
        stage.start("guard-1")
        await stage.until(lambda: bool(stage.told("would-roll-back")))
        await asyncio.sleep(30)
        assert stage.image() == FAILING

    play(story, policy=policies.policy(mode=Mode.OBSERVE))
