"""The part of an incident's page that says what people did about it: who has seen it, and what came of each finding."""

from __future__ import annotations

from rollguard.model.handling import Acknowledgement, Handling, Via
from rollguard.model.records import RolloutRecord
from rollguard.report.table import table

HEADER = ("signal", "acknowledged", "note", "closed", "ticket")


def answers(rollout: RolloutRecord) -> str:
    """In Markdown; empty where nobody has said anything."""
    lines = []
    if rollout.acknowledged is not None:
        lines.append(f"Acknowledged by {_who(rollout.acknowledged)}.")
    if rollout.investigating is not None:
        lines.append(f"Looked into by {_who(rollout.investigating)}.")
    if rollout.incident_resolved is not None:
        lines.append(f"Resolved {rollout.incident_resolved.iso()}.")
    if rollout.handling:
        of_set = bool(rollout.passages)
        header = (*(("member",) if of_set else ()), *HEADER)
        rows = [(*((each.member,) if of_set else ()), *_row(each)) for each in rollout.handling]
        lines.append(("\n" if lines else "") + table(header, rows))
    return "\n".join(lines)


def _row(handling: Handling) -> tuple[str, ...]:
    noted = f"{handling.note} ({_who(handling.noted)})" if handling.noted is not None else "-"
    seen, closed = (_who(by) if by is not None else "-" for by in (handling.acknowledged, handling.closed))
    ticket = f"`{handling.ticket.id}` ({handling.ticket.state.value})" if handling.ticket is not None else "-"
    return (handling.signal, seen, noted, closed, ticket)


def _who(by: Acknowledgement) -> str:
    way = " in PagerDuty" if by.via is Via.PAGERDUTY else ""
    return f"{by.actor}{way}, {by.at.iso_second()}"
