"""`rollguard why`: how each level and each interlock of a rollout stood, what followed, and what would change it."""

from __future__ import annotations

import asyncio

from rollguard import report
from rollguard.cli import exits, lookup, output
from rollguard.cli.connect import Connection, session
from rollguard.model.action import DecisionKind, Standing
from rollguard.model.judgement import Finding, LevelReading, Reference, SignalGap, VerdictKind, is_alert
from rollguard.model.policy import Mode
from rollguard.model.records import LastLook, LifecycleState, Response, RolloutRecord
from rollguard.model.signals import LevelName
from rollguard.model.time import Instant
from rollguard.policy import durations
from rollguard.policy.amounts import amount
from rollguard.record import rollout_to_json

LEVELS = ("SIGNAL", "LEVEL", "VALUE", "BOUND", "FOR", "REQUESTS", "SLOTS", "GAPS", "REACHED", "BESIDE")
INTERLOCKS = ("INTERLOCK", "STANDS", "BECAUSE")
STEPS = ("STEP", "WHAT", "STATE", "DETAIL")
MEMBER = ("MEMBER",)
"""In front of the others, of a release set."""
UNDER_WAY = (LifecycleState.PLANNED, LifecycleState.ACTING, LifecycleState.VERIFYING)


def why(
    rollout: str,
    name: str | None = None,
    /,
    *,
    connection: Connection | None = None,
    format_: output.Output = output.Format.TABLE,
) -> int:
    """Each level and each interlock as it stands, the decision, and what would change it.

    Parameters
    ----------
    rollout
        A rollout's name as `history -o wide` prints it, NAMESPACE WORKLOAD, NAMESPACE/WORKLOAD, or WORKLOAD with -n.
    name
        The workload, where its namespace stands before it.
    """
    return asyncio.run(_why(lookup.spelled(rollout, name), connection, format_))


async def _why(text: str, connection: Connection | None, format_: output.Format) -> int:
    async with session(lookup.scoped(connection, text)) as opened:
        record = await lookup.rollout_named(opened, text)
        now = opened.clock.now()
    if format_.for_programs:
        output.say(output.document(rollout_to_json(record), format_))
    else:
        output.say(page(record, now, wide=format_ is output.Format.WIDE))
    return exits.OK


def page(rollout: RolloutRecord, now: Instant, *, wide: bool = False) -> str:
    """The whole answer; `wide` adds each level's sentence, with its window and pods."""
    look = rollout.last_look
    parts = [_head(rollout, now)]
    if rollout.order:
        parts.append("A person ordered it: nothing is judged, and no interlock of judgement was asked.")
    elif look is None:
        parts.append("No look at it is written down yet: its controller does that at its first look.")
    else:
        of_set = bool(rollout.passages)
        parts += [_levels(look, now, wide=wide, of_set=of_set), _gaps(look), _interlocks(look, of_set=of_set)]
        if look.left_out:
            parts.append(f"{look.left_out} more levels and interlocks had no room in the record; none of them decided.")
    parts.append(_steps(rollout))
    parts.append("What would change it:\n" + "\n".join(f"- {line}" for line in changes(rollout, now)))
    return "\n\n".join(part for part in parts if part)


def _head(rollout: RolloutRecord, now: Instant) -> str:
    state = rollout.state.value if rollout.outcome is None else f"closed, {rollout.outcome.value}"
    age = output.ago(now.since(rollout.started))
    lines = [
        f"Rollout {rollout.id} of {rollout.workload}",
        f"  {report.moved(rollout)}, {report.images_between(rollout)}",
        f"  began {output.moment(rollout.started)} ({age} ago), mode {rollout.mode.value}",
        f"  {state}, phase {rollout.phase.value}, verdict {rollout.verdict.value}",
    ]
    if rollout.order:
        lines[2:] = [f"  ordered {output.moment(rollout.started)} ({age} ago), while nothing rolled out", f"  {state}"]
    if not any(response.reason == rollout.why for response in rollout.responses):
        lines.append(f"  {rollout.why}")
    look = rollout.last_look
    if look is not None and rollout.closed is None and look.reason != rollout.why:
        lines.append(f"  last decision: {look.decision.value}: {look.reason}")
    lines += [f"  {_response(response, rollout)}" for response in rollout.responses]
    return "\n".join(lines)


def _response(response: Response, rollout: RolloutRecord) -> str:
    """Rolled back it is only once the plan is done."""
    said = response.sentence()
    done = response.would or (rollout.plan is not None and rollout.plan.done)
    return said if done else said.replace("rolled back at", "decided to roll back at", 1)


def _levels(look: LastLook, now: Instant, *, wide: bool, of_set: bool) -> str:
    title = f"Levels as of {output.moment(look.at)} ({output.ago(now.since(look.at))} ago)"
    if not look.readings:
        return f"{title}: none, no signal has a level for this workload or none was answered yet."
    header = (*(MEMBER if of_set else ()), *LEVELS, *(("SENTENCE",) if wide else ()))
    rows = [
        (*((reading.member,) if of_set else ()), *_level(reading), *((reading.text,) if wide else ()))
        for reading in look.readings
    ]
    return f"{title}:\n{output.table(header, rows)}"


def _level(reading: LevelReading) -> tuple[str, ...]:
    return (
        reading.signal,
        reading.level.value,
        "no data" if reading.value is None else amount(reading.value, reading.unit),
        amount(reading.bound, reading.unit),
        durations.format_(reading.seconds) if reading.seconds else "-",
        f"{reading.traffic:,.0f}" if reading.traffic else "-",
        str(reading.slots),
        str(reading.gaps),
        _reached(reading),
        _beside(reading.reference, reading.unit),
    )


def _reached(reading: LevelReading) -> str:
    if reading.reached:
        return "yes" if reading.since is None else f"since {output.time_of_day(reading.since)}"
    if is_alert(reading.signal):
        return f"no: {reading.lacks}"
    return f"not yet: {reading.lacks}" if reading.lacks else "no"


def _beside(reference: Reference, unit: str) -> str:
    if reference.value is None:
        return "-"
    not_worse = ", not worse" if reference.not_worse else ""
    past = ", past the bound too" if reference.past_bound else ""
    return f"{amount(reference.value, unit)} ({reference.source}{past}{not_worse})"


def _gaps(look: LastLook) -> str:
    said = [f"- {_of_gap(gap)}: {gap.in_a_row} slots, {gap.cause}: {gap.detail}" for gap in look.gaps]
    return "\n".join(["Without a complete answer then:", *said]) if said else ""


def _of_gap(gap: SignalGap) -> str:
    return report.in_name(gap.member, gap.signal) + (" (required)" if gap.required else "")


def _interlocks(look: LastLook, *, of_set: bool) -> str:
    if not look.standings:
        return "Interlocks: none was asked."
    ranked = sorted(look.standings, key=lambda standing: not standing.forbids)
    rows = [_interlock(standing, of_set=of_set) for standing in ranked]
    header = (*(MEMBER if of_set else ()), *INTERLOCKS)
    return f"Interlocks as of then:\n{output.table(header, rows)}"


def _interlock(standing: Standing, *, of_set: bool) -> tuple[str, ...]:
    """Beside its column the member is not said again."""
    stands = (standing.name, "forbids" if standing.forbids else "clear")
    if not of_set:
        return (*stands, standing.reason)
    return (standing.member or "all", *stands, standing.reason.removeprefix(f"{standing.member}: "))


def _steps(rollout: RolloutRecord) -> str:
    """The way back as it was planned, and how far it is; empty while there is no plan."""
    plan = rollout.plan
    if plan is None:
        return ""
    rows = [(str(step.n), step.words, step.state.value, step.detail or "-") for step in plan.steps]
    return f"The rollback, plan {plan.id} by {plan.actor}:\n{output.table(STEPS, rows)}"


def changes(rollout: RolloutRecord, now: Instant) -> list[str]:
    """What would lead to another decision, as far as the record tells."""
    look, place = rollout.last_look, f"{rollout.workload.namespace} {rollout.workload.name}"
    if rollout.closed is not None:
        return [
            f"nothing: it was closed {output.moment(rollout.closed)}; a person may still `rollguard rollback {place}`"
        ]
    if rollout.state in UNDER_WAY:
        return ["nothing decides any more: the rollback is under way (a freeze stops what has not begun)"]
    lines = _of_state(rollout)
    if look is not None:
        lines += [f"the interlock {s.name} lifted, which says: {s.reason}" for s in look.standings if s.forbids]
        lines += _of_levels(rollout, look)
        if look.wake_at is not None and look.wake_at > now:
            lines.append(f"time: decided again at {output.moment(look.wake_at)} even if nothing happens")
    return [
        *lines,
        f"a person: `rollguard rollback {place} --reason ...`, `rollguard freeze {place.replace(' ', '/')}`",
    ]


def _of_state(rollout: RolloutRecord) -> list[str]:
    name = f"{rollout.workload.namespace}/{rollout.workload.name}"
    if rollout.state is LifecycleState.AWAITING_APPROVAL:
        until = f" (until {output.moment(rollout.asked_until)})" if rollout.asked_until is not None else ""
        return [f"an answer{until}: `rollguard approve {name} --reason ...` or `rollguard reject {name} --reason ...`"]
    if rollout.mode is Mode.OBSERVE and rollout.verdict is VerdictKind.BAD:
        return [
            "the policy's mode: in mode observe the guard only says what it would do; a new mode counts from the"
            " next rollout"
        ]
    return []


def _of_levels(rollout: RolloutRecord, look: LastLook) -> list[str]:
    """While nothing is reached, the level nearest to a rollback; while something is, its end."""
    if look.decision is DecisionKind.CONTINUE:
        known = [r for r in look.readings if r.level is LevelName.ROLLBACK and r.value is not None and r.bound > 0]
        near = max(known, key=lambda r: (r.value or 0.0) / r.bound, default=None)
        if near is None:
            return []
        value, bound = amount(near.value or 0.0, near.unit), amount(near.bound, near.unit)
        over = f"its whole window of {durations.format_(near.seconds)}" if near.seconds else "its whole window"
        now = f"now {value}, but {near.lacks}" if near.lacks else f"now {value}, the nearest of its levels"
        return [f"{report.in_name(near.member, near.signal)}: past {bound} over {over} it is bad ({now})"]
    alerts = _named([finding for finding in rollout.findings if is_alert(finding.signal)])
    levels = _named([finding for finding in rollout.findings if not is_alert(finding.signal)])
    lines = [f"{', '.join(levels)}: back inside the bound over the window"] if levels else []
    return [*lines, *([f"{', '.join(alerts)}: its end, told by Alertmanager"] if alerts else [])]


def _named(findings: list[Finding]) -> list[str]:
    return list(dict.fromkeys(report.in_name(finding.member, finding.signal) for finding in findings))
