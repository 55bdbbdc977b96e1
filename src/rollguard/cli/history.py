"""`rollguard history`: the rollouts that the cluster still holds, and what was done, or would have been, about each."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from rollguard import report
from rollguard.cli import exits, lookup, output
from rollguard.cli.connect import Connection, session
from rollguard.model.names import UnitName
from rollguard.model.records import CLOSED_KEPT, RolloutRecord
from rollguard.model.time import Instant
from rollguard.policy import durations
from rollguard.record import rollout_to_json

HEADER = ("STARTED", "NAMESPACE", "WORKLOAD", "REVISION", "IMAGES", "MODE", "VERDICT", "OUTCOME", "TOOK", "FIGURES")
WIDE = ("VERDICTS", "DECISIONS", "ROLLOUT")
ACCOUNT = "WHAT"


def history(
    workload: str | None = None,
    name: str | None = None,
    /,
    *,
    since: str = "7d",
    connection: Connection | None = None,
    format_: output.Output = output.Format.TABLE,
    no_headers: output.NoHeaders = False,
) -> int:
    """Rollouts, open and closed, newest first, with a summary: what was done about each, or would have been.

    Parameters
    ----------
    workload
        Only this one: NAMESPACE WORKLOAD, NAMESPACE/WORKLOAD, or WORKLOAD with -n.
    name
        The workload, where its namespace stands before it.
    since
        How far back, as 12h or 30d.
    """
    seconds = durations.parse(since)
    if seconds is None or seconds <= 0:
        raise exits.CommandError(f"--since {since!r}: expected a duration such as 12h or 30d", exits.USAGE)
    text = lookup.spelled(workload, name) if workload else None
    return asyncio.run(_history(text, seconds, connection, format_, headers=not no_headers))


async def _history(
    workload: str | None, seconds: float, connection: Connection | None, format_: output.Format, *, headers: bool
) -> int:
    async with session(lookup.scoped(connection, workload or "")) as opened:
        unit = (await lookup.meant(opened, workload)).unit if workload else None
        if unit is not None:
            await lookup.guarded(opened, unit)
        kept = [record for record in await lookup.rollouts(opened) if unit in (None, record.unit)]
        now = opened.clock.now()
    span = Span(seconds=seconds, now=now)
    if format_.for_programs:
        shown = [rollout_to_json(record) for record in kept if span.holds(record)]
        output.say(output.document(output.as_json(shown), format_))
        return exits.OK
    wide, within = format_ is output.Format.WIDE, output.width(format_)
    output.say(page(kept, span, wide=wide, headers=headers, within=within))
    return exits.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time that is looked back over."""

    seconds: float
    now: Instant

    def holds(self, rollout: RolloutRecord) -> bool:
        """Whether the rollout began in it, or was still open."""
        return rollout.closed is None or rollout.started >= self.now.plus(-self.seconds)

    def text(self) -> str:
        """`7 days`."""
        days, rest = divmod(self.seconds, 86400.0)
        return f"{days:.0f} day{'' if days == 1 else 's'}" if days and not rest else durations.format_(self.seconds)


def page(
    kept: list[RolloutRecord], span: Span, *, wide: bool = False, headers: bool = True, within: int | None = None
) -> str:
    """The table (newest first as given), the summary over it, and what is not in it because it is kept no longer."""
    shown = [record for record in kept if span.holds(record)]
    older = len(kept) - len(shown)
    if not shown:
        more = f"; {older} older ones are kept: give a longer --since" if older else ""
        return f"No rollouts in the last {span.text()}{more}."
    header = (*HEADER, *WIDE, ACCOUNT) if wide else (*HEADER, ACCOUNT)
    rows = [_row(record, span.now, wide=wide) for record in shown]
    lines = [output.table(header, rows, headers=headers, within=within), "", f"{span.text()}: {report.summary(shown)}"]
    lines += [_gone(unit) for unit in _full(kept, span)]
    return "\n".join(lines)


def _row(rollout: RolloutRecord, now: Instant, *, wide: bool) -> tuple[str, ...]:
    ended = rollout.closed or now
    outcome = rollout.state.value if rollout.outcome is None else rollout.outcome.value
    more = (report.verdicts(rollout), report.decisions(rollout), str(rollout.id)) if wide else ()
    return (
        output.moment(rollout.started),
        rollout.workload.namespace,
        rollout.workload.name,
        report.numbers_between(rollout),
        report.images_between(rollout),
        "order" if rollout.order else rollout.mode.value,
        "-" if rollout.order else rollout.verdict.value,
        outcome,
        output.ago(ended.since(rollout.started)),
        report.figures_of(rollout, most=None if wide else 1),
        *more,
        report.account(rollout),
    )


def _full(kept: list[RolloutRecord], span: Span) -> list[UnitName]:
    """The units of which older rollouts of the time looked at may be gone."""
    closed = Counter(record.unit for record in kept if record.closed is not None)
    full = {unit for unit, count in closed.items() if count >= CLOSED_KEPT}
    reaches = {record.unit for record in kept if not span.holds(record)}
    return sorted(full - reaches, key=str)


def _gone(unit: UnitName) -> str:
    return f"Of {unit} only the last {CLOSED_KEPT} rollouts are kept: older ones are gone and not counted."
