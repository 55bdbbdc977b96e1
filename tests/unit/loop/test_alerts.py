"""Alerts that came in, from the replica that takes them to what the leader makes of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from rollguard.loop import Came, Intake
from rollguard.model.alerting import ROLLBACK, Category, Delivered, ReceivedAlert
from rollguard.model.names import UnitName
from rollguard.model.policy import Mode, Policy
from rollguard.model.records import LifecycleState, Outcome, UnitRecord
from rollguard.model.requests import Freeze
from rollguard.model.signals import LevelName, SignalAlert
from rollguard.sim.faults import Fault, FaultPlan
from rollguard.sim.objects import at
from rollguard.sim.process import Process
from rollguard.sim.records import SimRecords
from tests.simulation import policies
from tests.unit.loop.colours import SET, UNIT, Colours, play_set, set_policy
from tests.unit.loop.stage import GOOD, Stage, play

SLOW_CHECKOUT = "registry.lab/api:v2"
"""By every signal of the policy it is healthy."""
LONG = replace(policies.policy(), timing=replace(policies.TIMING, automatic=400.0, close=900.0, recovery_within=60.0))
APPROVE = policies.in_mode(LONG, Mode.APPROVE, digest="approve")


class Alertmanager:
    """What it tells, taken by a replica that does not lead."""

    def __init__(self, stage: Stage, policy: Policy | None = None) -> None:
        self.stage = stage
        self.faults = FaultPlan(1)
        records = SimRecords(stage.world.records, Process("replica"), self.faults, leads=False)
        self.intake = Intake(records, lambda: policy or stage.policy, lambda _event, _fields: None)

    async def tells(
        self,
        *deployments: str,
        name: str = "CheckoutSlow",
        began: float | None = None,
        ended: float | None = None,
        inhibited: bool = True,
    ) -> tuple[Came, ...]:
        """An alert for each Deployment, in one delivery; times are virtual seconds, `began` is now where not said."""
        now = self.stage.world.loop.time()
        return await self.intake.take(
            tuple(
                Delivered(
                    number=number,
                    labels=(
                        ("alertname", name),
                        ("deployment", deployment),
                        ("namespace", policies.NAMESPACE),
                        ROLLBACK,
                    ),
                    alert=ReceivedAlert(
                        name=name,
                        fingerprint=f"{name}{deployment}".replace("-", ""),
                        deployment=deployment,
                        starts=at(round(now if began is None else began, 3)),
                        recorded=at(round(now, 3)),
                        ended=None if ended is None else at(round(ended, 3)),
                        summary="Checkout takes longer than 3 s",
                        inhibited=inhibited,
                    ),
                )
                for number, deployment in enumerate(deployments)
            )
        )


async def deployed(stage: Stage) -> Alertmanager:
    """A healthy release under guard, some seconds old."""
    await stage.released(SLOW_CHECKOUT)
    await asyncio.sleep(8)
    return Alertmanager(stage)


def test_a_release_that_only_an_alert_of_others_knows_to_be_bad_is_put_back_at_once() -> None:
    async def story(stage: Stage) -> None:
        alertmanager = await deployed(stage)
        assert await alertmanager.tells("api") == (Came.RECORDED,)
        # no tick is waited for: the leader hears of it by its watch
        assert await stage.until(lambda: stage.image() == GOOD) < 4
        assert stage.rollout().responses[0].reason.startswith("alert CheckoutSlow: firing since ")
        await stage.until(lambda: any("Checkout takes longer than 3 s" in text for text in stage.told("rolled-back")))

    play(story, policy=LONG)


def test_without_a_rollout_under_guard_it_is_recorded_and_nothing_else_and_counts_for_no_later_one() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        alertmanager = Alertmanager(stage)
        assert await alertmanager.tells("api") == (Came.RECORDED,)
        await asyncio.sleep(20)
        assert stage.rollouts() == [] and stage.inbox.arrived == []
        stage.world.set_image(stage.api, SLOW_CHECKOUT)
        await stage.until(lambda: bool(stage.rollouts()))
        await asyncio.sleep(40)
        assert stage.image() == SLOW_CHECKOUT and stage.rollout().state is LifecycleState.WATCHING
        look = stage.rollout().last_look
        assert look is not None
        (reading,) = (each for each in look.readings if each.signal == "alert CheckoutSlow")
        assert "not after the rollout" in reading.lacks

    play(story, policy=LONG)


def test_repeats_and_an_alert_of_the_policys_own_signal_change_nothing() -> None:
    own = SignalAlert(
        name="RollbackErrorRate", level=LevelName.ROLLBACK, category=Category.DEPLOYMENT, seconds=15.0, over=15.0
    )
    signals = (replace(LONG.signals[0], alerts=(own,)), *LONG.signals[1:])

    async def story(stage: Stage) -> None:
        alertmanager = await deployed(stage)
        began = stage.world.loop.time()
        assert await alertmanager.tells("api", name="RollbackErrorRate", began=began) == (Came.RECORDED,)
        version = stage.world.records.units[UnitName.of_workload(stage.api.name)].version
        assert await alertmanager.tells("api", name="RollbackErrorRate", began=began) == (Came.KNOWN,)
        assert stage.world.records.units[UnitName.of_workload(stage.api.name)].version == version
        await asyncio.sleep(30)
        assert stage.image() == SLOW_CHECKOUT and stage.rollout().incident == ""

    play(story, policy=replace(LONG, signals=signals))


def test_its_end_takes_the_question_back() -> None:
    async def story(stage: Stage) -> None:
        alertmanager = await deployed(stage)
        began = stage.world.loop.time()
        await alertmanager.tells("api")
        await stage.until(lambda: stage.rollout().state is LifecycleState.AWAITING_APPROVAL)
        # unknown while the incident is open: that ends no question
        await asyncio.sleep(12)
        assert stage.rollout().state is LifecycleState.AWAITING_APPROVAL
        assert [finding.signal for finding in stage.rollout().findings] == ["alert CheckoutSlow"]
        await alertmanager.tells("api", began=began, ended=stage.world.loop.time())
        await stage.until(lambda: stage.rollout().state is LifecycleState.WATCHING, within=4)
        await stage.until(lambda: len(stage.told("ask-withdrawn")) == 1)
        assert stage.image() == SLOW_CHECKOUT

    play(story, policy=replace(APPROVE, timing=replace(APPROVE.timing, approval_within=100.0)))


UNANSWERED = replace(APPROVE, on_timeout_roll_back=True, timing=replace(APPROVE.timing, approval_within=30.0))


async def asked(stage: Stage, *, inhibited: bool) -> tuple[Alertmanager, float]:
    """A release under guard, which an alert alone has led to a question about; when that began."""
    alertmanager, began = await deployed(stage), stage.world.loop.time()
    await alertmanager.tells("api", inhibited=inhibited)
    await stage.until(lambda: stage.rollout().state is LifecycleState.AWAITING_APPROVAL)
    return alertmanager, began


def test_a_question_that_nobody_answers_is_rolled_back_where_the_alert_still_fires() -> None:
    async def story(stage: Stage) -> None:
        await asked(stage, inhibited=False)
        assert 25 < await stage.until(lambda: stage.image() == GOOD, within=60) < 45
        assert "alert CheckoutSlow: firing since" in stage.rollout().findings[0].text

    play(story, policy=UNANSWERED)


def test_nothing_is_rolled_back_unanswered_for_an_alert_that_has_ended() -> None:
    async def story(stage: Stage) -> None:
        alertmanager, began = await asked(stage, inhibited=False)
        await alertmanager.tells("api", began=began, ended=stage.world.loop.time(), inhibited=False)
        await stage.until(lambda: stage.rollout().state is LifecycleState.WATCHING, within=4)
        await asyncio.sleep(60)
        assert stage.image() == SLOW_CHECKOUT

    play(story, policy=UNANSWERED)


def test_nothing_is_rolled_back_unanswered_for_one_that_the_incident_mutes_for_its_end_may_not_be_told() -> None:
    async def story(stage: Stage) -> None:
        alertmanager, _began = await asked(stage, inhibited=True)
        await asyncio.sleep(60)
        assert stage.rollout().state is LifecycleState.AWAITING_APPROVAL and stage.image() == SLOW_CHECKOUT
        # what is told nevertheless, and since, is known
        await alertmanager.tells("api", name="CartEmpty")
        await stage.until(lambda: stage.image() == GOOD, within=10)

    play(story, policy=UNANSWERED)


def test_what_was_recorded_before_the_incident_is_no_new_evidence_when_the_hold_could_end() -> None:
    async def story(stage: Stage) -> None:
        unit = UnitName.of_workload(stage.api.name)
        alertmanager = await deployed(stage)
        until = at(stage.world.loop.time() + 300)
        stage.world.records.freeze(unit, Freeze(until=until, actor="alice", reason="the launch"))
        await alertmanager.tells("api")
        await stage.until(lambda: stage.rollout().state is LifecycleState.HELD)
        stage.world.records.freeze(unit, None)
        await asyncio.sleep(30)
        assert stage.rollout().state is LifecycleState.HELD and stage.image() == SLOW_CHECKOUT
        # what begins during the incident and is told nevertheless is news
        await alertmanager.tells("api", name="CartEmpty")
        await stage.until(lambda: stage.image() == GOOD, within=10)

    play(story, policy=LONG)


def test_the_rollback_has_helped_once_the_alert_has_ended() -> None:
    async def story(stage: Stage) -> None:
        alertmanager = await deployed(stage)
        began = stage.world.loop.time()
        await alertmanager.tells("api")
        await stage.until(lambda: stage.rollout().state is LifecycleState.VERIFYING)
        await asyncio.sleep(30)
        assert stage.rollout().outcome is None
        await alertmanager.tells("api", began=began, ended=stage.world.loop.time())
        await stage.until(lambda: stage.rollout().outcome is Outcome.RECOVERED, within=20)
        assert "alert CheckoutSlow: ended at" in stage.rollout().why

    play(story, policy=LONG)


def test_where_nobody_tells_its_end_the_rollback_is_unconfirmed() -> None:
    async def story(stage: Stage) -> None:
        alertmanager = await deployed(stage)
        await alertmanager.tells("api")
        await stage.until(lambda: stage.rollout().outcome is not None)
        assert stage.rollout().outcome is Outcome.UNCONFIRMED
        assert "alert CheckoutSlow: nobody has told its end" in stage.rollout().why

    play(story, policy=LONG)


def test_where_unchanged_workloads_have_the_same_alert_it_is_an_outage() -> None:
    async def story(stage: Stage) -> None:
        others = [stage.deploy(name) for name in ("cart", "search")]
        await asyncio.sleep(5)
        for other in others:
            stage.world.backdate(other, 2 * 86400.0)
        alertmanager = await deployed(stage)
        # in one delivery, whose order says nothing
        assert await alertmanager.tells("api", "cart", "search") == (Came.RECORDED,) * 3
        await stage.until(lambda: stage.rollout().state is LifecycleState.HELD)
        assert "alert CheckoutSlow is past its bound on unchanged workloads too" in stage.rollout().why
        assert stage.image() == SLOW_CHECKOUT

    play(story, policy=LONG)


def test_an_alert_of_a_new_colour_is_its_release_sets_and_one_of_the_old_colour_is_no_evidence() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        stage.start()
        await stage.until(colours.adopted)
        members = [member.name for member in SET.members]
        colours.release("registry.lab/api:v2", *members)
        await stage.until(lambda: colours.ready(*members))
        colours.switch("backend", "frontend")
        await stage.until(lambda: not colours.at_rest())
        await asyncio.sleep(8)
        alertmanager = Alertmanager(stage)
        assert await alertmanager.tells("backend-blue", "nobody") == (Came.RECORDED, Came.STRANGE)
        await asyncio.sleep(12)
        assert colours.live("backend") == "green"
        assert await alertmanager.tells("backend-green") == (Came.RECORDED,)
        await stage.until(lambda: colours.live("backend") == colours.live("frontend") == "blue")
        record = next(each for each in stage.rollouts() if each.unit == UNIT)
        assert record.responses[0].reason.startswith("backend: alert CheckoutSlow: firing since")

    policy = set_policy()
    play_set(story, policy=replace(policy, timing=replace(policy.timing, automatic=400.0, close=900.0)))


def recorded(stage: Stage) -> list[str]:
    unit: UnitRecord | None = stage.unit()
    return [alert.name for alert in unit.alerts] if unit is not None else []


def test_a_record_that_cannot_be_written_is_said_and_the_next_delivery_makes_it_good() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        alertmanager = Alertmanager(stage)
        alertmanager.faults.focus = ("records.read_unit", Fault.LOST, 0)
        began = stage.world.loop.time()
        assert await alertmanager.tells("api", began=began) == (Came.LOST,)
        assert recorded(stage) == []
        # the write takes effect and its answer is lost: it is read again, and not written twice
        alertmanager.faults.focus = ("records.replace_unit", Fault.APPLIED_UNKNOWN, 0)
        assert await alertmanager.tells("api", began=began) == (Came.KNOWN,)
        assert recorded(stage) == ["CheckoutSlow"]
        assert alertmanager.intake.counted == {Came.LOST: 1, Came.KNOWN: 1}

    play(story)


def test_deliveries_at_the_same_time_by_several_replicas_lose_none_and_nothing_else_of_the_record() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        before = stage.unit()
        replicas = [Alertmanager(stage) for _ in range(3)]
        names = [f"Alert{number}" for number in range(9)]
        came = await asyncio.gather(
            *(each.tells("api", name=name) for number, name in enumerate(names) for each in replicas[number % 3 :])
        )
        assert {each for (each,) in came} <= {Came.RECORDED, Came.KNOWN}
        assert sorted(recorded(stage)) == names
        unit = stage.unit()
        assert unit is not None and replace(unit, alerts=()) == before

    play(story)
