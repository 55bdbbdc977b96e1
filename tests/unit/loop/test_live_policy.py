"""The policy changes while the guard runs: what begins then begins under the new one, what is open keeps its own."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from rollguard.loop.house import SURVEY_EVERY
from rollguard.model.destinations import WebhookChannel
from rollguard.model.notices import NoticeClass
from rollguard.model.policy import MetricsStore, Mode, Policy
from rollguard.model.records import LifecycleState, Outcome
from rollguard.model.requests import RequestKind
from rollguard.model.signals import LevelName
from rollguard.ports import Notifier
from rollguard.sim.channels import Inbox, SimNotifier
from tests.simulation import policies
from tests.unit.loop.stage import CRASHING, FAILING, GOOD, Running, Stage, play
from tests.unit.loop.test_guard import request

FINE = "registry.lab/api:v2"
BEGAN, CHANGED = "sha256:simulated", "sha256:changed"


def tolerant(policy: Policy, *, digest: str = CHANGED) -> Policy:
    """The policy with bounds that `FAILING` (40% errors) stays within, and without rules on events."""
    signals = tuple(
        replace(signal, levels=tuple(replace(level, bound=0.9) for level in signal.levels))
        for signal in policy.signals
        if signal.name == "error-rate"
    )
    return replace(policy, signals=signals, digest=digest)


def pages(stage: Stage, topic: str) -> list[str]:
    return [
        a.notice.text for a in stage.inbox.arrived if a.notice.topic == topic and a.notice.class_ is NoticeClass.PAGE
    ]


def test_an_open_rollout_keeps_the_bounds_that_it_began_with() -> None:
    async def story(stage: Stage) -> None:
        await stage.released(FAILING)
        stage.write_policy(tolerant(stage.policy))
        await stage.until(lambda: stage.image() == GOOD)
        await stage.until(lambda: stage.rollout().closed is not None, within=300)
        assert stage.rollout().outcome is Outcome.RECOVERED
        assert stage.rollout().policy_digest == BEGAN

    play(story)


def test_a_new_rollout_begins_under_the_policy_in_force() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        stage.write_policy(tolerant(stage.policy))
        await stage.until(lambda: running.guard.status().policy == CHANGED, within=policies.TIMING.tick + 1)
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().closed is not None, within=300)
        assert stage.image() == FAILING
        assert stage.rollout().policy_digest == CHANGED
        assert stage.rollout().verdict.value == "healthy"

    play(story)


def test_rollouts_under_two_policies_are_judged_beside_each_other() -> None:
    async def story(stage: Stage) -> None:
        web = stage.deploy("web")
        await asyncio.sleep(30)
        stage.world.backdate(web, 2 * 86400.0)
        stage.start()
        await stage.until(lambda: all((u := stage.unit(d)) and u.adopted for d in (stage.api, web)))
        stage.world.set_image(stage.api, FAILING)
        await stage.until(lambda: bool(stage.rollouts()))
        stage.write_policy(tolerant(stage.policy))
        await asyncio.sleep(policies.TIMING.tick)
        stage.world.set_image(web, FAILING)
        await stage.until(lambda: len(stage.rollouts()) == 2)
        await stage.until(lambda: all(r.closed is not None for r in stage.rollouts()), within=600)
        assert stage.image() == GOOD
        assert web.template.images[0][1] == FAILING
        assert [r.policy_digest for r in stage.rollouts()] == [BEGAN, CHANGED]

    play(story)


@pytest.mark.parametrize("killed", [False, True], ids=["the same leader", "another leader"])
def test_an_outage_is_seen_on_siblings_by_the_bounds_that_the_rollout_began_with(killed: bool) -> None:
    async def story(stage: Stage) -> None:
        others = [stage.deploy("web"), stage.deploy("db")]
        await asyncio.sleep(30)
        for other in others:
            stage.world.backdate(other, 2 * 86400.0)
        running = stage.start()
        await stage.until(lambda: all((u := stage.unit(d)) and u.adopted for d in (stage.api, *others)))
        stage.world.set_image(stage.api, FINE)
        await stage.until(lambda: bool(stage.rollouts()))
        stage.write_policy(tolerant(stage.policy))
        await stage.until(lambda: stage.api.condition[1] == "NewReplicaSetAvailable" and len(stage.api.pods()) == 3)
        if killed:
            await running.kill()
            stage.start("guard-1")
        stage.world.database_down(True)
        await stage.until(lambda: stage.rollout().state is LifecycleState.HELD)
        assert "error-rate is past its bound on unchanged workloads too" in stage.rollout().why
        assert "production/db" in stage.rollout().why and "production/web" in stage.rollout().why
        await asyncio.sleep(30)
        assert stage.image() == FINE

    play(story)


def test_the_next_leader_goes_on_under_the_policy_that_the_rollout_began_with() -> None:
    async def story(stage: Stage) -> None:
        first = await stage.released(FAILING)
        await first.kill()
        stage.write_policy(tolerant(stage.policy))
        stage.start("guard-1")
        await stage.until(lambda: stage.image() == GOOD)
        assert stage.rollout().policy_digest == BEGAN

    play(story)


def test_a_rollout_whose_kept_policy_is_gone_goes_on_under_the_one_in_force_and_says_so() -> None:
    async def story(stage: Stage) -> None:
        first = await stage.released(FAILING)
        await first.kill()
        stage.kept.clear()
        stage.write_policy(tolerant(stage.policy))
        stage.start("guard-1")
        await stage.until(lambda: stage.rollout().closed is not None, within=300)
        assert stage.image() == FAILING
        assert stage.rollout().policy_digest == CHANGED
        said = [e.text for e in stage.rollout().timeline if "cannot be read any more (it was deleted)" in e.text]
        assert len(said) == 1

    play(story)


def test_a_leader_that_cannot_read_the_kept_policy_yet_judges_nothing_meanwhile() -> None:
    async def story(stage: Stage) -> None:
        first = await stage.released(FAILING)
        await first.kill()
        kept = dict(stage.kept)
        stage.write_policy(tolerant(stage.policy))
        second = stage.prepare("guard-1")
        second.kept.silent = True
        second.begin()
        await stage.until(lambda: len(second.events("policy-not-read")) > 2)
        assert stage.rollout().policy_digest == BEGAN
        assert stage.kept.keys() >= kept.keys()
        assert not stage.conditions_of_all(), "a server that restarts is no news"
        second.kept.silent = False
        await stage.until(lambda: stage.image() == GOOD)

    play(story)


async def led_anew_without_the_kept_policy(stage: Stage, image: str) -> Running:
    """A rollout is open, another controller leads, and the server does not give it the policy."""
    first = await stage.released(image)
    await first.kill()
    stage.write_policy(replace(stage.policy, digest=CHANGED))
    second = stage.prepare("guard-1")
    second.kept.silent = True
    second.begin()
    return second


def test_a_kept_policy_that_stays_unread_is_paged_once_and_shown_until_it_is_read() -> None:
    async def story(stage: Stage) -> None:
        second = await led_anew_without_the_kept_policy(stage, FAILING)
        await stage.until(lambda: bool(pages(stage, "unseen")), within=120)
        said = f"the policy {BEGAN[:12]} cannot be read, so what began under it is not judged (production/api)"
        assert said in pages(stage, "unseen")[0]
        assert stage.conditions_of_all()["PolicyUnread"].startswith(said)
        unit = stage.unit()
        assert unit is not None
        assert "cannot be read: no answer" in dict(unit.conditions)["Blind"]
        await asyncio.sleep(120)
        assert len(pages(stage, "unseen")) == 1
        assert stage.image() == FAILING
        second.kept.silent = False
        await stage.until(lambda: stage.image() == GOOD)
        await stage.until(
            lambda: not stage.conditions_of_all() and (u := stage.unit()) is not None and not u.conditions
        )

    long = replace(policies.TIMING, automatic=600.0, close=900.0)
    play(story, policy=replace(policies.policy(), timing=long))


def test_what_was_ordered_is_carried_out_though_the_kept_policy_cannot_be_read() -> None:
    async def story(stage: Stage) -> None:
        await led_anew_without_the_kept_policy(stage, FINE)
        await asyncio.sleep(30)
        request(stage, RequestKind.ROLLBACK, "order-1")
        await stage.until(lambda: stage.image() == GOOD, within=20)

    play(story)


def test_a_newer_version_is_guarded_though_the_policy_of_the_one_before_cannot_be_read() -> None:
    async def story(stage: Stage) -> None:
        await led_anew_without_the_kept_policy(stage, FINE)
        await asyncio.sleep(30)
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: stage.image() == GOOD)
        assert [r.policy_digest for r in stage.rollouts()] == [BEGAN, CHANGED]

    play(story)


def test_kept_policies_that_no_rollout_needs_are_deleted() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        assert set(stage.kept) == {BEGAN}
        stage.world.set_image(stage.api, "registry.lab/api:v2-errors-40pct")
        stage.write_policy(tolerant(stage.policy))
        await stage.until(lambda: set(stage.kept) == {BEGAN, CHANGED})
        await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().closed is not None, within=600)
        await stage.until(lambda: set(stage.kept) == {CHANGED}, within=3 * SURVEY_EVERY + 120)

    play(story)


def test_a_kept_policy_is_spare_at_two_cleanings_before_it_goes() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        stage.kept["sha256:spare"] = stage.policy
        await running.guard._context.policies.clean(())
        assert "sha256:spare" in stage.kept, "the rollout that it is for may just be opened"
        await running.guard._context.policies.clean(())
        assert set(stage.kept) == {BEGAN}

    play(story)


def test_a_kept_policy_stays_while_an_open_rollout_needs_it() -> None:
    async def story(stage: Stage) -> None:
        await stage.released(FINE)
        stage.write_policy(tolerant(stage.policy))
        await asyncio.sleep(3 * SURVEY_EVERY + 120)
        assert stage.rollout().closed is None
        assert set(stage.kept) == {BEGAN, CHANGED}

    long = replace(policies.TIMING, automatic=4000.0, close=8000.0)
    play(story, policy=replace(policies.policy(), timing=long))


def test_a_policy_that_turns_bad_leaves_the_last_good_one_in_force_and_pages_rarely() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        stage.source.write(None, "policy.yaml:3:5: `mod`: expected one of the keys ...", "policy.yaml:9:1: another")
        await stage.until(lambda: bool(pages(stage, "policy-invalid")))
        assert stage.conditions_of_all()["PolicyInvalid"].startswith("policy.yaml:3:5: `mod`")
        assert running.guard.status().policy == BEGAN
        assert len(running.guard.status().policy_mistakes) == 2
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: stage.image() == GOOD)
        stage.source.write(None, "policy.yaml:9:1: another")
        await stage.until(lambda: stage.conditions_of_all()["PolicyInvalid"].startswith("policy.yaml:9:1"))
        await asyncio.sleep(60)
        assert len(pages(stage, "policy-invalid")) == 1
        await asyncio.sleep(stage.policy.timing.repeat_notice)
        assert len(pages(stage, "policy-invalid")) == 2
        stage.write_policy(replace(stage.policy, digest=CHANGED))
        await stage.until(lambda: not stage.conditions_of_all())
        assert running.guard.status().policy == CHANGED
        assert not running.guard.status().policy_mistakes

    play(story, policy=replace(policies.policy(), timing=replace(policies.TIMING, repeat_notice=300.0)))


def test_a_guard_that_starts_while_the_policy_is_bad_guards_under_the_one_before_says_so_and_takes_the_mended_one() -> (
    None
):
    async def story(stage: Stage) -> None:
        first = stage.start()
        await stage.until(stage.adopted)
        stage.source.write(None, "policy.yaml:3:5: `mod`: expected one of the keys ...")
        await first.kill()
        earlier = await stage.prepare("start").kept.newest(timeout=1.0)
        assert isinstance(earlier, Policy)
        stage.policy = earlier
        second = stage.start("guard-1")
        await stage.until(lambda: bool(pages(stage, "policy-invalid")))
        assert stage.conditions_of_all()["PolicyInvalid"].startswith("policy.yaml:3:5: `mod`")
        assert second.guard.status().policy == BEGAN
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: stage.image() == GOOD)
        stage.write_policy(replace(stage.policy, digest=CHANGED))
        await stage.until(lambda: not stage.conditions_of_all())
        assert second.guard.status().policy == CHANGED

    play(story)


def test_the_newest_kept_policy_is_the_one_that_came_into_force_last_also_where_that_came_back() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        before = stage.policy
        for policy in (replace(before, digest=CHANGED), before):
            stage.write_policy(policy)
            await stage.until(lambda digest=policy.digest: running.guard.status().policy == digest)  # type: ignore[misc]
            assert await running.kept.newest(timeout=1.0) == policy
        assert set(stage.kept) == {BEGAN, CHANGED}

    play(story)


def test_what_becomes_of_the_policy_is_reported_to_its_source() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(lambda: bool(stage.source.reported))
        assert (stage.source.reported[-1].valid, stage.source.reported[-1].digest) == (True, BEGAN)
        stage.source.write(None, "spec.mode: expected ...")
        await stage.until(lambda: not stage.source.reported[-1].valid)
        assert stage.source.reported[-1].mistakes == ("spec.mode: expected ...",)
        assert stage.source.reported[-1].digest == BEGAN
        assert stage.source.reported[-1].observed_generation == 2
        reports = len(stage.source.reported)
        await asyncio.sleep(60)
        assert len(stage.source.reported) == reports, "said again only where it changes"

    play(story)


def test_a_unit_that_the_new_policy_does_not_select_is_let_go() -> None:
    async def story(stage: Stage) -> None:
        await stage.released(FAILING)
        watches = tuple(replace(w, selector=(("guarded", "no"),)) for w in stage.policy.watches)
        stage.write_policy(replace(stage.policy, watches=watches, digest=CHANGED))
        await stage.until(lambda: stage.rollout().closed is not None)
        assert stage.rollout().outcome is Outcome.SUPERSEDED
        assert "not guarded any more" in stage.rollout().why
        await asyncio.sleep(60)
        assert stage.image() == FAILING

    play(story)


def test_a_change_to_observe_binds_an_open_rollout_within_a_tick_and_back_does_not() -> None:
    async def story(stage: Stage) -> None:
        await stage.released(FAILING)
        acting = stage.policy
        stage.write_policy(policies.in_mode(acting, Mode.OBSERVE, digest=CHANGED))
        await stage.until(lambda: stage.rollout().mode is Mode.OBSERVE, within=2 * policies.TIMING.tick)
        stage.write_policy(acting)
        await stage.until(lambda: bool(stage.told("would-roll-back")))
        await asyncio.sleep(30)
        assert stage.image() == FAILING
        assert stage.rollout().state is not LifecycleState.ACTING

    play(story)


def test_a_change_of_mode_alone_asks_no_question_anew() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        watches = tuple(replace(watch, mode=Mode.OBSERVE) for watch in stage.policy.watches)
        before = running.guard._context.asking.under(stage.policy)
        stage.write_policy(replace(stage.policy, watches=watches, digest=CHANGED))
        await stage.until(lambda: running.guard.status().policy == CHANGED)
        assert running.guard._context.asking.under(stage.policy) is before

    play(story)


def test_another_store_is_connected_to_and_the_old_one_let_go_once_no_rollout_needs_it() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        old = stage.policy.metrics
        stage.world.set_image(stage.api, FINE)
        await stage.until(lambda: bool(stage.rollouts()))
        new: MetricsStore = replace(old, address="http://elsewhere")
        stage.write_policy(replace(stage.policy, metrics=new, digest=CHANGED))
        await stage.until(lambda: running.connected == [old, new])
        await asyncio.sleep(30)
        assert not running.closed
        await stage.until(lambda: stage.rollout().closed is not None, within=300)
        await stage.until(lambda: running.closed == [old])
        assert stage.rollout().verdict.value == "healthy"

    play(story)


def test_notices_go_out_by_the_channels_in_force() -> None:
    async def story(stage: Stage) -> None:
        other = Inbox()
        running = stage.prepare("guard-0")
        plain = running.channels.notifiers

        def connect(policy: Policy) -> tuple[Notifier, ...]:
            moved = any(hook.name == "ops" for hook in policy.webhooks)
            return (SimNotifier(other, running.process, running.faults, name="ops"),) if moved else plain

        running.channels.connect = connect  # type: ignore[method-assign]
        running.begin()
        await stage.until(stage.adopted)
        stage.world.set_image(stage.api, FINE)
        await stage.until(lambda: bool(stage.told("rollout-began")))
        hook = WebhookChannel(name="ops", url="http://ops")
        stage.write_policy(replace(stage.policy, webhooks=(hook,), digest=CHANGED))
        await stage.until(lambda: any(a.notice.topic == "healthy" for a in other.arrived), within=300)
        assert not stage.told("healthy")

    play(story)


def test_levels_of_the_kept_policy_stand_in_the_words_of_the_rollback() -> None:
    async def story(stage: Stage) -> None:
        await stage.released(FAILING)
        stage.write_policy(tolerant(stage.policy))
        await stage.until(lambda: bool(stage.told("rolled-back")))
        findings = [f for f in stage.rollout().findings if f.level is LevelName.ROLLBACK]
        assert findings and all(f.bound == 0.10 for f in findings)

    play(story)
