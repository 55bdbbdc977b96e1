"""A notice as a message of Slack's Block Kit: its class, what happened, the figures, what to run next, where to look.

It keeps to the limits of Slack's reference, whatever the length of its texts."""

from __future__ import annotations

from rollguard.model.documents import Json
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.records import RolloutRecord
from rollguard.notify.said import Command, Figure, said
from rollguard.policy.amounts import amount

HEADER_MAX = 150
SECTION_MAX = 2800
"""Slack takes 3000."""
ALL_MAX = 9000
"""Of all blocks together: Slack refused 11,300 (`msg_blocks_too_long`), took 9,600, and documents no number."""
NOTIFICATION_MAX = 400
SENTENCE_MAX, FIELD_MAX = 250, 80
FIGURES_MAX = 8
COMMAND_MAX = 500
LINK_MAX = 400
LINE_MAX = 350

CLASSES = {
    NoticeClass.INFO: "Information",
    NoticeClass.WARNING: "Warning",
    NoticeClass.PAGE: "Page",
}
"""How a class is named: one webhook may carry all of them."""
_MEANING = {
    NoticeClass.INFO: ":information_source: *Information*: nothing to do",
    NoticeClass.WARNING: ":warning: *Warning*: worth a look, not at once",
    NoticeClass.PAGE: ":rotating_light: *Page*: somebody is needed now",
}


def message(notice: Notice, rollout: RolloutRecord | None) -> dict[str, Json]:
    """The message's `text` (for notifications and screen readers) and `blocks`; where it goes is not in it."""
    parts = said(notice, rollout)
    first = next(iter(parts.story), "")
    spoken = f"{CLASSES[notice.class_]}: {notice.title}" + (f": {first}" if first else "")
    head = [_MEANING[notice.class_], *((f"rollout {escaped(rollout.id, LINE_MAX)}",) if rollout is not None else ())]
    top: list[Json] = [_header(notice.title or notice.topic), _context(" · ".join(head))]
    rest = [_figure(figure) for figure in parts.figures[:FIGURES_MAX]]
    rest += [_section(_command(command)) for command in parts.commands]
    links = " · ".join(link(name, address) for name, address in parts.links)
    rest += [_section(links)] if links else []
    rest.append(_context(escaped(" · ".join(part for part in (parts.time, f"notice {notice.id}") if part), LINE_MAX)))
    # What to do and where to look stay whole: only the story is cut for them.
    room = min(SECTION_MAX, max(LINE_MAX, ALL_MAX - _length([*top, *rest])))
    story = escaped("\n".join(parts.story), room)
    blocks = [*top, *([_section(story)] if story else []), *rest]
    # A link in it is to be followed, not to be shown: what it leads to may not be meant for all in the channel.
    return {
        "text": escaped(spoken, NOTIFICATION_MAX),
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def escaped(text: str, most: int | None = None) -> str:
    """The text with the three characters that Slack takes for signs of its own written as it wants them; not longer
    than `most`, and never cut within one of them."""
    made = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if most is None or len(made) <= most:
        return made
    kept = made[: most - 1]
    start = kept.rfind("&")
    return (kept if ";" in kept[start:] or start < 0 else kept[:start]) + "…"


def link(name: str, address: str) -> str:
    """The address behind a name; only the name where the address is too long to be whole."""
    target = escaped(address.replace("|", "%7C"))
    return f"<{target}|{escaped(name)}>" if len(target) <= LINK_MAX else escaped(name)


def _header(title: str) -> Json:
    shown = title if len(title) <= HEADER_MAX else title[: HEADER_MAX - 1] + "…"
    return {"type": "header", "text": {"type": "plain_text", "text": shown}}


def _figure(figure: Figure) -> Json:
    finding = figure.finding
    member = f"{finding.member}, " if finding.member else ""
    fields = [
        ("Value", amount(finding.value, finding.unit)),
        ("Bound", amount(finding.bound, finding.unit)),
        ("Since", figure.since),
        ("Level", f"{member}{finding.level.value}"),
    ]
    text = escaped(finding.text, SENTENCE_MAX)
    texts: list[Json] = [_mrkdwn(f"*{name}*\n{escaped(value, FIELD_MAX)}") for name, value in fields if value]
    return {"type": "section", "text": _mrkdwn(text), "fields": texts}


def _command(command: Command) -> str:
    # Three backticks end a block of code; a command has none.
    line = escaped(command.line.replace("`", "'"), COMMAND_MAX)
    remark = f"\n{escaped(command.remark, FIELD_MAX)}" if command.remark else ""
    return f"*{escaped(command.label)}*\n```\n{line}\n```{remark}"


def _section(text: str) -> Json:
    return {"type": "section", "text": _mrkdwn(text)}


def _context(text: str) -> Json:
    return {"type": "context", "elements": [_mrkdwn(text)]}


def _mrkdwn(text: str) -> Json:
    # Verbatim: a name with an @ or a # in it is a name, and rings nobody up.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _length(part: Json) -> int:
    """Characters of all texts in it."""
    if isinstance(part, list):
        return sum(_length(each) for each in part)
    if isinstance(part, dict):
        return sum(
            len(each) if key == "text" and isinstance(each, str) else _length(each) for key, each in part.items()
        )
    return 0
