"""Each interlock forbids where it must, alone, and is silent one small change away."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from rollguard import decide
from rollguard.decide.interlocks.every import EVERY
from rollguard.model.action import DecisionKind, Fruitless, Plan, Standing, StepState
from rollguard.model.facts import MigrationRun, Template
from rollguard.model.judgement import Attribution, Finding, Verdict
from rollguard.model.names import RolloutId, TemplateHash
from rollguard.model.policy import Migration, MigrationInterlock, Mode
from rollguard.model.records import LifecycleState, TimelineEntry
from rollguard.model.requests import Freeze, HumanRequest, RequestKind
from rollguard.model.time import Instant
from tests.unit.decide.owner_cases import OWNERS
from tests.unit.decide.situations import (
    BAD_TEMPLATE,
    BEFORE,
    CRASH_LOOP,
    DEADLINE,
    GOOD,
    MIGRATION_FAILED,
    NOW,
    OLDER,
    Case,
    Look,
    at,
    facts,
    gap,
    sibling,
    situation,
    verdict,
    workload,
)
from tests.unit.records import ERRORS, NEW_IMAGES, OLD_IMAGES, PLAN, UNIT

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "interlocks.md"
HOLD, ASK, PAGE = DecisionKind.HOLD, DecisionKind.ASK, DecisionKind.PAGE


def unit(**changes: object) -> Look:
    s = situation()
    return Look(replace(s, unit=replace(s.unit, **changes)), verdict())  # type: ignore[arg-type]


def rollout(**changes: object) -> Look:
    s = situation()
    return Look(replace(s, rollout=replace(s.rollout, **changes)), verdict())  # type: ignore[arg-type]


def member(**changes: object) -> Look:
    return Look(replace(situation(), facts=facts(replace(workload(), **changes))), verdict())  # type: ignore[arg-type]


def around(found: Verdict | None = None, **changes: object) -> Look:
    s = situation()
    return Look(replace(s, around=replace(s.around, **changes)), found or verdict())  # type: ignore[arg-type]


def seen(*findings: Finding, **verdict_changes: object) -> Look:
    return Look(situation(), replace(verdict(*findings), **verdict_changes))  # type: ignore[arg-type]


def referred(**changes: object) -> Finding:
    return replace(ERRORS, reference=replace(ERRORS.reference, **changes))  # type: ignore[arg-type]


def template(**changes: object) -> Template:
    return replace(BAD_TEMPLATE, **changes)  # type: ignore[arg-type]


def ordered(when: Instant) -> TimelineEntry:
    return TimelineEntry(at=when, kind="plan", text="Rollback ordered: 14.8% > 10%")


def given_up(why: Fruitless = Fruitless.REFUSED, *, number: int = 1) -> Plan:
    """A plan that undid nothing."""
    step = replace(PLAN.restoring, state=StepState.FAILED, fruitless=why)
    return replace(PLAN, id=f"translation-r2.{number}", steps=(step,))


RUN = MigrationRun(kind="Job", name="prisma-migrate-abc", uid="uid-m", started=at(-90), finished=at(-60))
BY_PROOF = Migration(patterns=("prisma-migrate-*",))
BY_MARK = replace(BY_PROOF, interlock=MigrationInterlock.MARKED)
UNLOOKED = replace(BY_PROOF, interlock=MigrationInterlock.OFF)
UNWATCHED = at(-30)
ALWAYS_WATCHED = at(-864000)


def migrated(
    *runs: MigrationRun,
    rule: Migration = BY_PROOF,
    watched: Instant | None = ALWAYS_WATCHED,
    proven: Instant | None = None,
    found: Finding | None = None,
    recorded: tuple[MigrationRun, ...] = (),
    baseline: str = "aaa",
) -> Look:
    """Migrations beside the bad release, and since when the old version is proven to serve on what they left."""
    s = situation()
    known = replace(s.facts, migrations=runs, migrations_from=watched)
    record = replace(s.rollout, migrations=recorded, baseline=TemplateHash(baseline))
    verdict_ = replace(verdict(found) if found is not None else verdict(), proven=proven)
    return Look(replace(s, facts=known, rollout=record, migration=rule), verdict_)


def shared_rolls_back(look: Look) -> Look:
    return replace(look, situation=replace(look.situation, shared_roll_back=True))


def recreated(*, own: bool, mode: Mode = Mode.AUTOMATIC) -> Look:
    look = member(strategy="Recreate")
    watch = replace(look.situation.watch, own_mode=own, mode=mode)
    return replace(look, situation=replace(look.situation, watch=watch))


ALONE = replace(ERRORS, reference=BEFORE)
DATABASE = replace(ERRORS, signal="database-connections", shared=True, arm="all pods", reference=BEFORE)
FREEZE = Freeze(until=NOW.plus(60), actor="ana", reason="launch day")
THAWED = replace(FREEZE, until=NOW)
REJECTED = HumanRequest(
    id="r1", kind=RequestKind.REJECT, actor="ana", at=NOW, reason="known", rollout=situation().rollout.id
)
FLEET = tuple((replace(UNIT, object_name=f"deployment-{n}"), NOW.plus(-60)) for n in range(5))
TWO_SUFFER = (sibling("orders", "error-rate"), sibling("users", "error-rate"))
LATE = (sibling("orders", "error-rate"), sibling("gateway", "error-rate"), sibling("users", "latency"))


CASES = (
    Case(
        "facts incomplete",
        Look(replace(situation(), facts=replace(facts(), complete=False, missing=("pods",))), verdict()),
        Look(situation(), verdict()),
    ),
    Case("stale status", member(generation=8), member(generation=8, observed_generation=8)),
    Case("clock off", around(clock_offset=-31.0), around(clock_offset=-30.0)),
    Case("clock off", around(clock_offset=31.0), around(clock_offset=None)),
    Case("blind", seen(gaps=(gap(),)), seen(gaps=(gap(in_a_row=1),))),
    Case("blind", seen(gaps=(gap(),)), seen(gaps=(gap(required=False),))),
    Case("blind", seen(gaps=(gap(),)), seen(CRASH_LOOP, gaps=(gap(),))),
    Case("freeze", unit(freeze=FREEZE), unit(freeze=THAWED)),
    Case("freeze", around(freeze_all=FREEZE), around(freeze_all=THAWED)),
    Case("paused", member(paused=True), member(paused=False)),
    Case("recreate", member(strategy="Recreate"), member(strategy="RollingUpdate"), ASK),
    Case("answered", unit(requests=(REJECTED,)), unit(requests=(replace(REJECTED, rollout=RolloutId("other")),))),
    Case(
        "answered",
        unit(requests=(replace(REJECTED, rollout=None),)),
        unit(requests=(replace(REJECTED, rollout=None, at=at(-1)),)),
    ),
    Case(
        "answered",
        rollout(state=LifecycleState.HELD, asked_until=NOW),
        rollout(state=LifecycleState.HELD, asked_until=NOW.plus(1)),
    ),
    Case(
        "plan refused lately",
        rollout(state=LifecycleState.HELD, timeline=(ordered(NOW.plus(-299)),)),
        rollout(state=LifecycleState.HELD, timeline=(ordered(NOW.plus(-300)),)),
    ),
    Case(
        "plan refused lately",
        rollout(state=LifecycleState.HELD, timeline=(ordered(NOW),)),
        rollout(state=LifecycleState.WATCHING, timeline=(ordered(NOW),)),
    ),
    Case(
        "plan refused lately",
        rollout(state=LifecycleState.HELD, plan=given_up(), timeline=(ordered(NOW.plus(-299)),)),
        rollout(state=LifecycleState.HELD, plan=given_up(), timeline=(ordered(NOW.plus(-300)),)),
    ),
    Case("one rollback of a rollout", rollout(plan=PLAN), rollout(plan=None)),
    Case("one rollback of a rollout", rollout(plan=given_up(Fruitless.HINDERED)), rollout(plan=given_up())),
    Case("one rollback of a rollout", rollout(plan=given_up(number=2)), rollout(plan=given_up(number=1))),
    Case("no good revision", unit(healthy=()), unit(healthy=(), adopted=GOOD)),
    Case(
        "no good revision",
        unit(healthy=(replace(GOOD, digest="bad-digest", since=NOW),)),
        unit(healthy=(OLDER, replace(GOOD, digest="bad-digest", since=NOW))),
    ),
    Case(
        "target judged healthy before",
        unit(healthy=(replace(OLDER, digest="bad-digest"), GOOD)),
        unit(healthy=(replace(OLDER, digest="bad-digest", since=NOW), GOOD)),
    ),
    Case("same images", rollout(target_images=OLD_IMAGES), rollout(target_images=NEW_IMAGES)),
    Case(
        "annotations only",
        member(template=template(bare_digest="good-bare")),
        member(template=template(bare_digest="older-bare")),
    ),
    *OWNERS,
    Case("past its bound before", seen(referred(past_bound=True)), seen(referred(past_bound=False))),
    Case("reference as bad", seen(referred(not_worse=True)), seen(referred(not_worse=False))),
    Case("outage", seen(replace(CRASH_LOOP, attribution=Attribution.NODE)), seen(CRASH_LOOP)),
    Case("outage", around(verdict(ALONE), siblings=TWO_SUFFER), around(verdict(ALONE), siblings=LATE)),
    Case("outage", around(verdict(ALONE), siblings=TWO_SUFFER), around(verdict(ERRORS), siblings=TWO_SUFFER)),
    Case("recreate", recreated(own=False), recreated(own=True), ASK),
    Case("surroundings", seen(replace(DEADLINE, attribution=Attribution.SURROUNDINGS)), seen(DEADLINE)),
    Case("migration failed", migrated(found=MIGRATION_FAILED), migrated(found=CRASH_LOOP), ASK),
    Case(
        "migration failed",
        migrated(replace(RUN, failed=True), found=MIGRATION_FAILED),
        migrated(replace(RUN, failed=True), found=MIGRATION_FAILED, rule=replace(BY_PROOF, on_failure_roll_back=True)),
        ASK,
    ),
    Case("migration", migrated(RUN), migrated(replace(RUN, backward_compatible=True))),
    Case("migration", migrated(RUN, proven=at(-61)), migrated(RUN, proven=at(-60))),
    Case("migration", migrated(RUN, proven=at(-60), baseline="zzz"), migrated(RUN, proven=at(-60))),
    Case("migration", migrated(replace(RUN, finished=None), proven=at(-60)), migrated(RUN, proven=at(-60))),
    Case("migration", migrated(RUN), migrated(replace(RUN, finished=at(-86400)))),
    Case("migration", migrated(recorded=(RUN,)), migrated()),
    Case("migration", migrated(RUN, proven=at(-60), rule=BY_MARK), migrated(RUN, proven=at(-60))),
    Case("migration", migrated(RUN), migrated(RUN, rule=UNLOOKED)),
    Case("migration", migrated(replace(RUN, failed=True), found=CRASH_LOOP), migrated(found=CRASH_LOOP)),
    Case("migration", migrated(watched=UNWATCHED), migrated(watched=UNWATCHED, proven=UNWATCHED)),
    Case("migration", migrated(watched=None), migrated()),
    Case(
        "migration",
        migrated(watched=UNWATCHED, found=MIGRATION_FAILED, rule=replace(BY_PROOF, on_failure_roll_back=True)),
        migrated(found=MIGRATION_FAILED, rule=replace(BY_PROOF, on_failure_roll_back=True)),
    ),
    Case("shared resource", seen(DATABASE), shared_rolls_back(seen(DATABASE)), ASK),
    Case("registry trouble", seen(replace(CRASH_LOOP, attribution=Attribution.REGISTRY)), seen(CRASH_LOOP)),
    Case(
        "rollbacks of this workload",
        unit(automatic_rollbacks=(NOW.plus(-3599), NOW.plus(-60))),
        unit(automatic_rollbacks=(NOW.plus(-3600), NOW.plus(-60))),
    ),
    Case("fleet budget", around(fleet_rollbacks=FLEET), around(fleet_rollbacks=FLEET[:4])),
    Case(
        "fleet budget",
        around(fleet_rollbacks=FLEET),
        around(fleet_rollbacks=(*FLEET[:4], *FLEET[:4], (UNIT, NOW.plus(-60)))),
    ),
    Case("nothing to compare with", seen(referred(source="none")), seen(ALONE)),
    Case("nothing to compare with", seen(referred(source="none")), seen(CRASH_LOOP)),
    Case("shared resource", seen(DATABASE), seen(replace(DATABASE, shared=False)), ASK),
    Case(
        "beyond the automatic part",
        Look(situation(), verdict(), at(1801)),
        Look(situation(), verdict(), at(1800)),
        ASK,
    ),
)


def standing(look: Look, name: str) -> Standing:
    """How the interlock of that name stands in the decision."""
    decision = decide.decide(look.situation, look.verdict, look.now)
    return next(s for s in decision.interlocks if s.name == name)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_it_forbids_is_not_done(case: Case) -> None:
    look = case.forbidden
    decision = decide.decide(look.situation, look.verdict, look.now)
    assert decision.kind is case.leaves
    assert [s.name for s in decision.interlocks if s.forbids] == [case.name]
    assert standing(look, case.name).reason in decision.reason


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_alone_forbids_and_without_it_the_release_would_be_rolled_back(case: Case) -> None:
    look = case.forbidden
    without = tuple(
        interlock for interlock in EVERY if interlock.check(look.situation, look.verdict, look.now).name != case.name
    )
    assert len(without) == len(EVERY) - 1
    decision = decide.decide(look.situation, look.verdict, look.now, interlocks=without)
    assert decision.kind is DecisionKind.ROLL_BACK


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_silent_one_change_away(case: Case) -> None:
    look = case.silent
    decision = decide.decide(look.situation, look.verdict, look.now)
    assert not standing(look, case.name).forbids
    assert decision.kind is DecisionKind.ROLL_BACK


def test_where_a_person_is_asked_about_a_failed_migration_what_nobody_watched_is_no_reason_to_hold() -> None:
    look = migrated(watched=UNWATCHED, found=MIGRATION_FAILED)
    assert decide.decide(look.situation, look.verdict, look.now).kind is ASK


def test_after_the_guard_window_people_are_paged_and_nothing_is_asked() -> None:
    decision = decide.decide(situation(), verdict(), at(7201))
    assert decision.kind is PAGE
    assert not decision.would
    assert decide.decide(situation(), verdict(), at(7200)).kind is ASK
    without = tuple(i for i in EVERY if i.leaves is not PAGE)
    assert decide.decide(situation(), verdict(), at(7201), interlocks=without).kind is ASK


def test_a_workload_that_is_not_seen_is_left_alone() -> None:
    look = Look(replace(situation(), facts=replace(facts(), members=())), verdict())
    assert standing(look, "facts incomplete").forbids


def test_a_revert_to_an_adopted_revision_is_held_as_well() -> None:
    look = unit(adopted=replace(OLDER, digest="bad-digest"))
    assert standing(look, "target judged healthy before").forbids


def test_every_interlock_is_tested_here() -> None:
    tested = {case.name for case in CASES} | {"after the guard window"}
    look = Look(situation(), verdict())
    assert {interlock.check(look.situation, look.verdict, look.now).name for interlock in EVERY} == tested


def test_every_interlock_stands_in_the_documentation_with_what_it_binds_and_leaves() -> None:
    look = Look(situation(), verdict())
    table = re.findall(r"^\| ([^|]+?)( †)? \| [^|]+ \| (\w+)", DOCUMENTATION.read_text(), re.MULTILINE)
    written = {(name, bool(mark), then) for name, mark, then in table if name != "name"}
    words = {HOLD: "holds", ASK: "asks", PAGE: "pages"}
    found = ((i, i.check(look.situation, look.verdict, look.now)) for i in EVERY)
    assert written == {(standing.name, standing.judging, words[i.leaves]) for i, standing in found}
