"""Migration failed: a Job or bare pod that migrates the database failed for this rollout."""

from __future__ import annotations

import re

from rollguard.judge.reference import NO_REFERENCE
from rollguard.model.facts import MigrationRun
from rollguard.model.judgement import Attribution, Finding, Observation
from rollguard.model.signals import LevelName

JOINED = 600.0
"""Seconds before the rollout's start within which a migration belongs to it: pipelines migrate first."""
_SUFFIX = re.compile(r"-(?:[bcdfghjklmnpqrstvwxz2456789]{5}|v?\d+(?:[.-]\d+)*|(?=[a-f]*\d)[0-9a-f]{7,40})$")
"""What names one run of a migration and not the migration: what Kubernetes generates, a version, a number, a commit."""


def migration_failed(signal: str, level: LevelName, observation: Observation) -> tuple[Finding, ...]:
    """One finding for the unit, or none. A failure that a later run of the same migration made good does not
    count, nor one that an earlier rollout was judged by."""
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
    rollout = observation.rollout
    if not run.failed or run.uid in rollout.charged or run.started < rollout.started.plus(-JOINED):
        return False
    return not any(
        later.started > run.started and later.finished is not None and not later.failed and _same(later, run)
        for later in observation.facts.migrations
    )


def _same(one: MigrationRun, other: MigrationRun) -> bool:
    return _SUFFIX.sub("", one.name) == _SUFFIX.sub("", other.name)
