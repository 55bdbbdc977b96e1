"""Migration failed: a Job or bare pod that migrates the database failed for this rollout."""

from __future__ import annotations

from rollguard.judge.reference import NO_REFERENCE
from rollguard.model.facts import MigrationRun
from rollguard.model.judgement import Attribution, Finding, Observation
from rollguard.model.policy import LevelName

JOINED = 600.0
"""Seconds before the rollout's start within which a migration belongs to it: pipelines migrate first."""


def migration_failed(signal: str, level: LevelName, observation: Observation) -> tuple[Finding, ...]:
    """One finding for the unit, or none. A failure that a later run made good does not count."""
    failed = [run for run in observation.facts.migrations if _counts(run, observation)]
    if not failed:
        return ()
    last = max(failed, key=lambda run: run.started)
    ended = last.finished or observation.now
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return (
        Finding(
            signal=signal,
            level=level,
            value=float(len(failed)),
            bound=0.0,
            unit="migrations",
            text=f"{signal}: the migration {last}{more} failed at {ended.iso()}, bound 0; the database is not touched",
            since=ended,
            slots=0,
            bad=float(len(failed)),
            total=float(len(observation.facts.migrations)),
            arm="the namespace",
            reference=NO_REFERENCE,
            attribution=Attribution.MIGRATION,
        ),
    )


def _counts(run: MigrationRun, observation: Observation) -> bool:
    if not run.failed or run.started < observation.rollout.started.plus(-JOINED):
        return False
    return not any(
        later.started > run.started and later.finished is not None and not later.failed
        for later in observation.facts.migrations
    )
