"""What comes after a switch of a release set: the next version in either colour, a member that the policy renames."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from rollguard.cli.status import page
from rollguard.model.judgement import VerdictKind
from rollguard.model.notices import NoticeClass
from rollguard.model.policy import Policy
from rollguard.model.records import LifecycleState, Outcome, RolloutRecord
from rollguard.model.requests import Freeze
from rollguard.sim.objects import at
from tests.unit.loop.colours import SET, UNIT, Colours, play_set, set_policy
from tests.unit.loop.stage import Running, Stage

GOOD = "registry.lab/api:v2"
FAILING = "registry.lab/api:v2-errors-40pct"
NEXT = "registry.lab/api:v3"
NEXT_FAILING = "registry.lab/api:v3-errors-40pct"
PAIR = ("backend", "frontend")


def of_set(stage: Stage) -> list[RolloutRecord]:
    """The set's rollouts."""
    return [record for record in stage.rollouts() if record.unit == UNIT]


def moves(record: RolloutRecord) -> list[tuple[str, str, str]]:
    """(member, colour before, colour after)."""
    return [(p.member, p.old.colour, p.new.colour) for p in record.passages]


def long_window() -> Policy:
    """The set's policy, under which a rollout stays open after it was judged healthy."""
    policy = set_policy()
    return replace(policy, timing=replace(policy.timing, close=3600.0))


async def switched(stage: Stage, colours: Colours, image: str, *members: str) -> Running:
    """The members serve the image in green, under guard."""
    guard = stage.start()
    await stage.until(colours.adopted)
    colours.release(image, *members)
    await stage.until(lambda: colours.ready(*members))
    colours.switch(*members)
    await stage.until(lambda: bool(of_set(stage)) and len(of_set(stage)[0].passages) == len(members))
    return guard


def test_the_next_version_in_the_colour_that_was_idle_is_a_release_of_its_own_and_not_put_back_by_hand() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await switched(stage, colours, GOOD, *PAIR)
        colours.release(NEXT_FAILING, "backend", colour="blue")
        colours.release(NEXT, "frontend", colour="blue")
        await asyncio.sleep(5)
        await stage.until(lambda: colours.ready(*PAIR, colour="blue"))
        colours.switch(*PAIR, to="blue")
        await stage.until(lambda: len(of_set(stage)) == 2)
        await stage.until(lambda: of_set(stage)[-1].verdict is VerdictKind.BAD)
        first, second = of_set(stage)
        assert first.outcome is Outcome.SUPERSEDED, first.why
        assert moves(second) == [(name, "green", "blue") for name in PAIR]

    play_set(story, policy=long_window())


def test_what_was_judged_healthy_and_is_put_back_by_hand_opens_no_other_rollout() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await switched(stage, colours, GOOD, *PAIR)
        await stage.until(lambda: of_set(stage)[0].verdict is VerdictKind.HEALTHY, within=300)
        colours.switch(*PAIR, to="blue")
        await stage.until(lambda: of_set(stage)[0].closed is not None)
        await asyncio.sleep(30)
        assert [record.outcome for record in of_set(stage)] == [Outcome.PUT_BACK]
        unit = colours.unit()
        assert unit is not None
        assert {live.side.colour for live in unit.live} == {"blue"}

    play_set(story, policy=long_window())


def test_a_fix_that_is_switched_to_while_a_rollback_is_verified_is_guarded_at_once() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await switched(stage, colours, FAILING, "backend")
        await stage.until(lambda: of_set(stage)[0].state is LifecycleState.VERIFYING, within=300)
        colours.release(NEXT, "backend")
        await asyncio.sleep(1)
        await stage.until(lambda: colours.ready("backend"))
        colours.switch("backend")
        await stage.until(lambda: len(of_set(stage)) == 2, within=15)
        assert of_set(stage)[0].outcome is Outcome.ROLLED_BACK
        assert "somebody has switched backend to green (revision 3)" in of_set(stage)[0].why
        assert stage.told("did-not-help") == []

    play_set(story, policy=long_window())


def test_a_member_that_is_switched_after_the_others_went_back_is_told_and_guarded_at_once() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await switched(stage, colours, FAILING, "backend")
        await stage.until(lambda: of_set(stage)[0].state is LifecycleState.VERIFYING, within=300)
        colours.release(GOOD, "frontend")
        await stage.until(lambda: colours.ready("frontend"))
        colours.switch("frontend")
        await stage.until(lambda: len(of_set(stage)) == 2, within=15)
        assert moves(of_set(stage)[1]) == [("frontend", "blue", "green")]
        await stage.until(lambda: bool(stage.told("verification-cut-short")))
        assert "somebody has switched frontend to green" in stage.told("verification-cut-short")[0]

    play_set(story, policy=long_window())


def test_a_policy_that_renames_a_member_ends_the_rollout_and_the_others_are_guarded_anew() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await switched(stage, colours, GOOD, *PAIR)
        members = tuple(replace(m, name="web") if m.name == "frontend" else m for m in SET.members)
        watch = replace(stage.policy.watches[0], release_set=replace(SET, members=members))
        stage.write_policy(replace(stage.policy, digest="sha256:changed", watches=(watch,)))
        await stage.until(lambda: len(of_set(stage)) == 2)
        assert "has no member frontend any more" in of_set(stage)[0].why
        assert moves(of_set(stage)[1]) == [("backend", "blue", "green")]
        await stage.until(lambda: of_set(stage)[1].verdict is VerdictKind.HEALTHY, within=300)
        pages = [a.notice.text for a in stage.inbox.arrived if a.notice.class_ is NoticeClass.PAGE]
        assert pages == []

    play_set(story, policy=long_window())


def test_a_policy_with_other_colours_than_those_that_were_known_does_not_stop_the_guard() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        stage.start()
        await stage.until(colours.adopted)
        before = stage.policy
        members = tuple(
            replace(m, workloads=(("azure", m.workload("blue")), ("green", m.workload("green")))) for m in SET.members
        )
        watch = replace(before.watches[0], release_set=replace(SET, colours=("azure", "green"), members=members))
        stage.write_policy(replace(before, digest="sha256:changed", watches=(watch,)))
        await asyncio.sleep(30)
        stage.write_policy(before)
        await asyncio.sleep(30)
        unit = colours.unit()
        assert unit is not None
        assert [live.side.colour for live in unit.live] == ["blue", "blue", "blue"]
        assert unit.release_set == SET
        assert of_set(stage) == []

    play_set(story, policy=long_window())


def test_a_set_that_the_policy_renames_does_not_stand_for_its_deployments_any_more() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        guard = stage.start()
        await stage.until(colours.adopted)
        await guard.kill()
        until = at(stage.world.loop.time() + 3600)
        assert stage.world.records.freeze(UNIT, Freeze(until=until, actor="bob", reason="launch"))
        renamed = replace(SET, name="platform")
        watch = replace(stage.policy.watches[0], release_set=renamed)
        stage.write_policy(replace(stage.policy, digest="sha256:changed", watches=(watch,)))
        following = stage.start("guard-1")
        await stage.until(lambda: renamed.unit in stage.world.records.units)
        await stage.until(lambda: (unit := colours.unit()) is not None and unit.release_set is None, within=30)
        assert stage.world.records.units[renamed.unit].record.release_set == renamed
        assert [fields["by"] for fields in following.events("frozen-set-left")] == ["bob"]
        left = colours.unit()
        assert left is not None
        told = page([left], {}, at(stage.world.loop.time()))
        assert "is frozen until" in told
        assert "the policy has no such set any more, and what guards its Deployments now is not frozen by it" in told

    play_set(story, policy=long_window())


def test_a_set_that_is_healthy_is_told_once_though_a_member_leaves_it() -> None:
    async def story(stage: Stage, colours: Colours) -> None:
        await switched(stage, colours, GOOD, *PAIR)
        await stage.until(lambda: of_set(stage)[0].verdict is VerdictKind.HEALTHY, within=300)
        await stage.until(lambda: bool(stage.told("healthy")))
        colours.switch("backend", to="blue")
        await stage.until(lambda: moves(of_set(stage)[0]) == [("frontend", "blue", "green")])
        await asyncio.sleep(30)
        assert len(stage.told("healthy")) == 1

    play_set(story, policy=long_window())
