"""What a rollout's record keeps of migrations, so that a new leader knows what the one before it saw."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from rollguard.loop.migrations import KEPT, charged, remembered
from rollguard.model.facts import MigrationRun, UnitFacts
from rollguard.model.names import TemplateHash, UnitName
from rollguard.model.policy import Migration
from rollguard.model.situation import Situation
from rollguard.model.time import Instant
from rollguard.sim.objects import at as clock_time
from tests.simulation import policies
from tests.unit.decide.situations import GOOD, MIGRATION_FAILED, NOW, at, situation
from tests.unit.judge.test_migration import FAILED_RULE
from tests.unit.loop.stage import GOOD as GOOD_IMAGE
from tests.unit.loop.stage import Stage, play

RUN = MigrationRun(kind="Job", name="prisma-migrate-abc", uid="m", started=at(-90), finished=at(-60))
RUNNING = replace(RUN, finished=None)
EARLY = at(-9000)


def seen(*runs: MigrationRun, known: tuple[MigrationRun, ...] = (), watched: Instant | None = EARLY) -> Situation:
    s = situation()
    record = replace(s.rollout, migrations=known, baseline=TemplateHash("aaa"))
    facts = replace(s.facts, migrations=runs, migrations_from=watched)
    return replace(s, rollout=record, facts=facts, migration=Migration(patterns=("prisma-migrate-*",)))


def kept(look: Situation, proven: Instant | None = None) -> tuple[tuple[MigrationRun, ...], Instant | None]:
    record = remembered(look.rollout, look, proven, NOW)
    assert remembered(record, look, proven, NOW) == record
    return record.migrations, record.proven


def test_what_ran_since_the_way_back_was_healthy_is_kept() -> None:
    before = replace(RUN, uid="b", finished=GOOD.since)
    assert kept(seen(before, RUN))[0] == (RUN,)
    assert kept(seen(known=(RUN,)))[0] == (RUN,)


def test_a_running_one_is_kept_and_has_ended_once_it_is_gone() -> None:
    assert kept(seen(RUNNING))[0] == (RUNNING,)
    assert kept(seen(RUN, known=(RUNNING,)))[0] == (RUN,)
    assert kept(seen(known=(RUNNING,)))[0] == (replace(RUN, finished=NOW),)


def test_nothing_is_gone_that_nobody_looks_for_or_while_the_copies_are_not_in_sync() -> None:
    assert kept(seen(known=(RUNNING,), watched=None))[0] == (RUNNING,)
    look = seen(known=(RUNNING,))
    torn = replace(look, facts=replace(look.facts, complete=False))
    assert kept(torn)[0] == (RUNNING,)


def test_a_proof_is_written_once_it_passes_a_migrations_end_and_not_with_every_slot() -> None:
    look = seen(RUN, watched=GOOD.since)
    look = replace(look, rollout=replace(look.rollout, proven=at(-100)))
    assert kept(look, at(-61)) == ((RUN,), at(-100))
    proven = remembered(look.rollout, look, at(-60), NOW)
    assert (proven.migrations, proven.proven) == ((), at(-60))
    assert remembered(proven, look, at(60), NOW) == proven


def test_a_proof_that_passes_the_time_when_nobody_watched_is_written() -> None:
    look = seen(watched=at(-30))
    assert kept(look, at(-31))[1] is None
    assert kept(look, at(-30))[1] == at(-30)


def test_the_newest_are_kept_and_without_the_policys_word_none() -> None:
    many = tuple(replace(RUN, uid=str(n), started=at(-900 + n)) for n in range(40))
    assert [run.uid for run in kept(seen(*many))[0]] == [str(n) for n in range(40 - KEPT, 40)]
    assert kept(replace(seen(RUN), migration=None)) == ((), None)


def test_a_rollout_is_charged_with_the_failures_it_was_judged_by_and_not_with_one_that_began_later() -> None:
    failed = replace(RUN, failed=True)
    later = replace(failed, uid="later", started=at(-50), finished=at(-10))
    s = seen(failed, later, replace(RUN, uid="fine"))
    judged = replace(s.rollout, findings=(replace(MIGRATION_FAILED, since=at(-60)),))
    assert charged(judged, s.facts) == ("m",)
    assert charged(replace(judged, migrations=(failed,)), replace(s.facts, migrations=())) == ("m",)
    assert charged(s.rollout, s.facts) == ()


def test_the_fix_after_an_undone_migration_is_not_undone_for_it() -> None:
    rule = Migration(patterns=("prisma-migrate-*",), on_failure_roll_back=True)
    policy = policies.policy()
    watches = tuple(replace(watch, signals=()) for watch in policy.watches)
    policy = replace(policy, signals=(*policy.signals, FAILED_RULE), watches=watches, migration=rule)

    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        now = clock_time(stage.world.loop.time())
        failed = replace(RUN, started=now, finished=now.plus(5), failed=True)
        honest = running.cluster.facts

        def migrated(unit: UnitName) -> UnitFacts:
            return replace(honest(unit), migrations=(failed,), migrations_from=now.plus(-90000))

        running.cluster.facts = migrated  # type: ignore[method-assign]
        await asyncio.sleep(8)
        stage.world.set_image(stage.api, "registry.lab/api:v2")
        await stage.until(lambda: bool(stage.rollouts()) and stage.image() == GOOD_IMAGE, within=120)
        await stage.until(lambda: stage.rollout().closed is not None, within=300)
        stage.world.set_image(stage.api, "registry.lab/api:v3")
        await asyncio.sleep(40)
        assert stage.image() == "registry.lab/api:v3"
        assert [record.plan is not None for record in stage.rollouts()] == [True, False]
        unit = stage.unit()
        assert unit is not None
        assert unit.charged_migrations == ("m",)

    play(story, policy=policy)
