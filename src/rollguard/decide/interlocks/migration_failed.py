"""A failed migration is a matter of the database, which no rollback of workloads mends: a person is asked."""

from __future__ import annotations

from rollguard.decide.findings import blames
from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Attribution, Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "migration failed"


def migration_failed(situation: Situation, verdict: Verdict, _now: Instant) -> Standing:
    """Forbids acting alone on a failed migration, unless the policy says `onFailure: rollBack`."""
    finding = blames(verdict, Attribution.MIGRATION)
    if finding is None:
        return clear(NAME, "no migration has failed for this rollout")
    if situation.migration is not None and situation.migration.on_failure_roll_back:
        return clear(NAME, "the policy says that workloads go back where a migration fails")
    return forbids(NAME, "what a failed migration leaves in the database is not known")
