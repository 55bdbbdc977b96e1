"""Old code may not work on a database that was migrated since it was healthy."""

from __future__ import annotations

from rollguard.decide.findings import blames
from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.facts import MigrationRun
from rollguard.model.judgement import Attribution, Verdict
from rollguard.model.policy import MigrationInterlock
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "migration"


def migration(situation: Situation, verdict: Verdict, _now: Instant) -> Standing:
    """Forbids where a migration ran since the way back was healthy, unless it is marked or proven to be harmless.

    Proven: the old revision served healthily for two slots or more after the migration had ended. What ran and was
    deleted while nobody watched is not known, and is proven in the same way. A failed migration does not stand in the
    way of what the policy says about failed ones: where a person is asked, what nobody watched is no reason to hold.
    """
    rule = situation.migration
    good = situation.way_back()
    if rule is None or rule.interlock is MigrationInterlock.OFF or good is None:
        return clear(NAME, "migrations are not looked at" if good is not None else "there is no way back", judging=True)
    served = situation.old_served(verdict.proven)
    proof = served if rule.interlock is MigrationInterlock.PROVEN else good.since
    about_failed = blames(verdict, Attribution.MIGRATION) is not None
    for run in situation.migrations():
        if run.backward_compatible or (run.failed and about_failed):
            continue
        if run.finished is None or run.finished > proof:
            return forbids(NAME, _said(run, rule.interlock), judging=True)
    watched = situation.facts.migrations_from
    if about_failed and not rule.on_failure_roll_back:
        return clear(NAME, "a person is asked about the failed migration", judging=True)
    if watched is None or watched > served:
        since = "" if watched is None else f" before {watched.iso()}"
        said = f"a migration that ran{since} and was deleted is not known, for nobody watched"
        return forbids(NAME, f"{said}; the old version has not served healthily since for two slots", judging=True)
    return clear(
        NAME, f"the old version has served healthily since {served.iso()}, and nothing ran since", judging=True
    )


def _said(run: MigrationRun, interlock: MigrationInterlock) -> str:
    when = (
        f"started at {run.started.iso()}, has not ended" if run.finished is None else f"ended at {run.finished.iso()}"
    )
    said = f"the migration {run} {when}, and is not marked rollguard.dev/backward-compatible"
    if interlock is MigrationInterlock.MARKED:
        return said
    return f"{said}, nor did the old version serve healthily for two slots after it"
