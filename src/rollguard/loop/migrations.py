"""What a rollout's record keeps of migrations: a Job may be deleted, and this process may end."""

from __future__ import annotations

from dataclasses import replace

from rollguard.model.facts import MigrationRun, UnitFacts
from rollguard.model.judgement import Attribution
from rollguard.model.records import RolloutRecord
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

KEPT = 16


def remembered(record: RolloutRecord, situation: Situation, proven: Instant | None, now: Instant) -> RolloutRecord:
    """The record with the migrations that may stand in the way back, and with since when the old revision is proven.

    The proof is written only where it passes the end of a migration, or the moment from which all are known: it moves
    with every slot.
    """
    if situation.migration is None or situation.way_back() is None:
        return record
    facts = situation.facts
    runs = {run.uid: run for run in (*(_ended(run, facts, now) for run in record.migrations), *facts.migrations)}
    marks = [*(run.finished for run in runs.values()), facts.migrations_from]
    if proven is not None and any(_passed(mark, record.proven, proven) for mark in marks):
        record = replace(record, proven=proven)
    floor = situation.old_served(proven)
    due = [run for run in runs.values() if run.finished is None or run.finished > floor]
    migrations = tuple(sorted(due, key=lambda run: (run.started, run.name))[-KEPT:])
    return record if migrations == record.migrations else replace(record, migrations=migrations)


def charged(record: RolloutRecord, facts: UnitFacts) -> tuple[str, ...]:
    """The uids of the failed migrations that the rollout was judged by: the next one is not judged by them again.

    One that began after those had failed is left to the next rollout, whose pipeline may have begun by now.
    """
    judged = [finding.since for finding in record.findings if finding.attribution is Attribution.MIGRATION]
    if not judged:
        return ()
    runs = {run.uid: run for run in (*record.migrations, *facts.migrations)}
    ordered = sorted(runs.values(), key=lambda run: (run.started, run.uid))
    return tuple(run.uid for run in ordered if run.failed and run.started <= max(judged))


def _passed(mark: Instant | None, before: Instant | None, proven: Instant) -> bool:
    return mark is not None and mark <= proven and (before is None or before < mark)


def _ended(run: MigrationRun, facts: UnitFacts, now: Instant) -> MigrationRun:
    """A migration that is not there any more has ended, well or not."""
    here = facts.migrations_from is None or not facts.complete or any(seen.uid == run.uid for seen in facts.migrations)
    return run if here or run.finished is not None else replace(run, finished=now)
