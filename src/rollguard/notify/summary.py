"""A notice as a mail: subject, plain text and HTML with the same facts. Of a rollout that has ended it is its summary.

The HTML is one column, with its styles in it and nothing to fetch: mail programs show no more than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from rollguard.model.action import Plan
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.records import Outcome, RolloutRecord, TimelineEntry
from rollguard.notify.said import Command, said
from rollguard.notify.words import both_times
from rollguard.policy.durations import format_

SUBJECT_MAX = 200
LINE_MAX = 2000
MARKS = {NoticeClass.INFO: "Rollguard", NoticeClass.WARNING: "Rollguard, warning", NoticeClass.PAGE: "Rollguard, page"}
"""Begins the subject: what a rule of a mail program may go by."""
_GOOD, _DOUBTFUL, _BAD, _PLAIN = "#1a7f37", "#9a6700", "#cf222e", "#57606a"
_COLOURS = {
    Outcome.HEALTHY: _GOOD,
    Outcome.RECOVERED: _GOOD,
    Outcome.UNCONFIRMED: _DOUBTFUL,
    Outcome.HELD: _BAD,
    Outcome.DID_NOT_HELP: _BAD,
}
_BY_CLASS = {NoticeClass.INFO: _PLAIN, NoticeClass.WARNING: _DOUBTFUL, NoticeClass.PAGE: _BAD}
_GUARD = "rollguard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What stands in a mail, without its addresses."""

    subject: str
    """One line of printable characters."""
    text: str
    html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """All that a mail says, in its order: both forms are written from it."""

    title: str
    story: tuple[str, ...]
    commands: tuple[Command, ...]
    links: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, str], ...]
    """(what, value) of the rollout; none without one."""
    moments: tuple[tuple[str, str], ...]
    """(time, what happened), the earliest first."""
    foot: str
    colour: str


def mail(notice: Notice, rollout: RolloutRecord | None, *, time_zone: str) -> Mail:
    """The mail of a notice; times in UTC and in the team's time zone, as the notice's own words have them."""
    facts = _facts(notice, rollout, time_zone)
    subject = f"[{MARKS[notice.class_]}] {facts.title}"
    return Mail(subject=subject[:SUBJECT_MAX].rstrip(), text=_text(facts), html=_html(facts))


def _facts(notice: Notice, rollout: RolloutRecord | None, time_zone: str) -> _Facts:
    parts = said(notice, rollout)
    figures = (f"- {figure.finding.text} (since {figure.since})" for figure in parts.figures)
    time = (f"Time: {parts.time}",) if parts.time else ()
    about = f"Notice {notice.id}" + (f" of rollout {rollout.id}" if rollout is not None else "")
    outcome = rollout.outcome if rollout is not None else None
    return _Facts(
        title=_line(notice.title or notice.topic),
        story=tuple(_line(line) for line in (*parts.story, *figures, *time)),
        rows=_rows(rollout, time_zone) if rollout is not None else (),
        moments=tuple(_moment(entry, time_zone) for entry in rollout.timeline) if rollout is not None else (),
        commands=tuple(
            Command(label=each.label, line=_line(each.line), remark=_line(each.remark)) for each in parts.commands
        ),
        links=tuple((name, _line(address)) for name, address in parts.links),
        foot=_line(f"{about}, sent by Rollguard."),
        colour=_COLOURS.get(outcome, _PLAIN) if outcome is not None else _BY_CLASS[notice.class_],
    )


def _rows(rollout: RolloutRecord, time_zone: str) -> tuple[tuple[str, str], ...]:
    """What the notice's own words do not say of the rollout."""
    ended = rollout.closed
    rows = [
        ("Outcome", rollout.outcome.value) if rollout.outcome is not None else ("State", rollout.state.value),
        ("Why", rollout.why),
        ("Mode", rollout.mode.value),
        ("Began", both_times(rollout.started, time_zone)),
        *((("Ended", both_times(ended, time_zone)),) if ended is not None else ()),
        *((("Lasted", format_(float(round(ended.since(rollout.started))))),) if ended is not None else ()),
        *((("Way back", _way_back(rollout.plan)),) if rollout.plan is not None else ()),
        *((("Evidence", ", ".join(rollout.evidence)),) if rollout.evidence else ()),
    ]
    return tuple((what, _line(value)) for what, value in rows if value)


def _way_back(plan: Plan) -> str:
    colour = f"{plan.target.colour}, " if plan.target.colour else ""
    by = "by the guard itself" if plan.actor == _GUARD else f"ordered by {plan.actor}"
    return f"to {colour}revision {plan.target.number}, {by}"


def _moment(entry: TimelineEntry, time_zone: str) -> tuple[str, str]:
    by = f" ({entry.actor})" if entry.actor != _GUARD else ""
    return both_times(entry.at, time_zone), _line(entry.text + by)


def _line(text: str) -> str:
    """One line that shows as it is: what cannot be printed would let a text pass for another, or end a header."""
    shown = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in " ".join(text.split()))
    return shown if len(shown) <= LINE_MAX else f"{shown[: LINE_MAX - 1]}…"


def _text(facts: _Facts) -> str:
    happened = ["What happened", *(f"  {when}  {what}" for when, what in facts.moments)] if facts.moments else []
    ways = [f"{each.label}: {each.line}" + (f" ({each.remark})" if each.remark else "") for each in facts.commands]
    parts = (
        [facts.title],
        list(facts.story),
        [*ways, *(f"{name}: {address}" for name, address in facts.links)],
        [f"{what}: {value}" for what, value in facts.rows],
        happened,
        [facts.foot],
    )
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


_FONT = "font-size:14px;line-height:1.45;font-family:-apple-system,'Segoe UI',Helvetica,Arial,sans-serif"
_BREAK = "overflow-wrap:anywhere;word-break:break-word"


def _html(facts: _Facts) -> str:
    body = [
        f'<h1 style="font-size:18px;line-height:1.3;margin:0 0 12px;color:{facts.colour};{_BREAK}">'
        f"{escape(facts.title)}</h1>",
        *(f'<p style="margin:0 0 6px;{_BREAK}">{escape(line)}</p>' for line in facts.story),
        *(_command(command) for command in facts.commands),
        *(_link(name, address) for name, address in facts.links),
        _table(tuple((f"{what}:", value) for what, value in facts.rows)),
        '<h2 style="font-size:15px;margin:16px 0 6px">What happened</h2>' if facts.moments else "",
        *(_happened(when, what) for when, what in facts.moments),
        f'<p style="margin:20px 0 0;color:{_PLAIN};font-size:12px;{_BREAK}">{escape(facts.foot)}</p>',
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(facts.title)}</title>\n</head>\n"
        f'<body style="margin:0;padding:16px;background:#ffffff;color:#1f2328;{_FONT}">\n'
        f'<div style="max-width:640px;margin:0 auto;border-left:4px solid {facts.colour};padding:0 0 0 14px">\n'
        + "\n".join(line for line in body if line)
        + "\n</div>\n</body>\n</html>\n"
    )


def _table(rows: tuple[tuple[str, str], ...]) -> str:
    if not rows:
        return ""
    own = "text-align:left;vertical-align:top;font-weight:normal;white-space:nowrap;padding:3px 12px 3px 0"
    left = f'style="{own};color:{_PLAIN}"'
    right = f'style="vertical-align:top;padding:3px 0;{_BREAK}"'
    lines = "\n".join(
        f"<tr><th {left}>{escape(what)}</th><td {right}>{escape(value)}</td></tr>" for what, value in rows
    )
    return f'<table role="presentation" style="border-collapse:collapse;margin:12px 0">\n{lines}\n</table>'


def _happened(when: str, what: str) -> str:
    time = f'<span style="color:{_PLAIN};font-size:12px">{escape(when)}</span>'
    return f'<p style="margin:0 0 8px;{_BREAK}">{time}<br>{escape(what)}</p>'


def _command(command: Command) -> str:
    remark = f"({escape(command.remark)})" if command.remark else ""
    code = (
        f'<code style="display:block;background:#f6f8fa;padding:8px;font-size:13px;white-space:pre-wrap;{_BREAK}">'
        f"{escape(command.line)}</code>"
    )
    return f'<p style="margin:12px 0 0">{escape(command.label)}: {code}{remark}</p>'


def _link(name: str, address: str) -> str:
    """The address is what is shown as well: nobody is led elsewhere than they read."""
    shown = escape(address)
    there = address.startswith(("https://", "http://"))
    place = f'<a href="{shown}" style="color:#0969da">{shown}</a>' if there else shown
    return f'<p style="margin:8px 0 0;{_BREAK}">{escape(name)}: {place}</p>'
