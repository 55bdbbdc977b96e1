"""What Slack's published documentation says about a message: the reference of Block Kit, of incoming webhooks and of
`chat.postMessage`.

Stricter than Slack in three points: blocks without `text` and attachments without `fallback` are refused, for a phone's
notification shows nothing then; so are, in texts that a message sets itself, signs of control that are none; and
`reply_broadcast` where there is no thread."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

TEXT_MAX = 40_000
BLOCKS_MAX = 50
ATTACHMENTS_MAX = 100
HEADER_MAX = 150
SECTION_MAX = 3000
FIELDS_MAX, FIELD_MAX = 10, 2000
CONTEXT_MAX = 10
ACTIONS_MAX = 25
BUTTON_MAX = 75
URL_MAX, VALUE_MAX, ID_MAX = 3000, 2000, 255
ALL_MAX = 9600
"""Of all texts of the blocks together. No reference names it: so many were taken, and 11,341 refused, by what people
report to Slack's own libraries."""
KEYS = {
    "header": {"text"},
    "section": {"text", "fields", "accessory", "expand"},
    "context": {"elements"},
    "actions": {"elements"},
    "divider": set[str](),
}
"""Of each kind of block, beside `type` and `block_id`."""
TEXT_KEYS = {"type", "text", "emoji", "verbatim"}
BUTTON_KEYS = {"type", "text", "action_id", "url", "value", "style", "confirm", "accessibility_label"}
BOOLEANS = ("mrkdwn", "unfurl_links", "unfurl_media", "link_names", "reply_broadcast")
TIMESTAMP = re.compile(r"\d{10}\.\d{6}")
"""Of a message: the name that it has in its channel."""
_ENTITY = re.compile(r"&(amp|lt|gt);")
_SIGN = re.compile(r"<(https?://|mailto:|@[UW]|#C|!(here|channel|everyone|date\^|subteam\^))[^<>&]*>")
"""A link or a mention: what `<` begins where it is no mistake."""
COLOURS = ("good", "warning", "danger")


class RefusedError(Exception):
    """The service does not take a message: its code for that, and what is wrong."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


def check(message: Any) -> None:
    """Raises RefusedError at the first thing that is wrong with a message."""
    if not isinstance(message, dict):
        raise RefusedError("invalid_payload", "the message is no object")
    blocks, attachments = message.get("blocks"), message.get("attachments")
    text = message.get("text") or ""
    if not (text or blocks or attachments):
        raise RefusedError("no_text", "none of text, blocks and attachments")
    if not isinstance(text, str):
        raise RefusedError("invalid_payload", "text is no string")
    if len(text) > TEXT_MAX:
        raise RefusedError("msg_too_long", f"text of {len(text)} characters")
    if blocks is not None:
        _check_blocks(blocks)
        if not text:
            raise RefusedError("no_text", "blocks without text: a notification would show nothing")
        for problem in _controls(text):
            raise RefusedError("invalid_payload", f"text: {problem}")
    for key in BOOLEANS:
        if not isinstance(message.get(key, False), bool):
            raise RefusedError("invalid_arguments", f"{key} is neither true nor false")
    _check_thread(message)
    if attachments is not None:
        _check_attachments(attachments)


def _check_thread(message: dict[str, Any]) -> None:
    thread = message.get("thread_ts")
    if thread is not None and (not isinstance(thread, str) or not TIMESTAMP.fullmatch(thread)):
        raise RefusedError("invalid_arguments", f"thread_ts {thread!r} is not the time of a message, as text")
    if thread is None and "reply_broadcast" in message:
        raise RefusedError("invalid_arguments", "reply_broadcast without a thread")


def _controls(text: str) -> Iterator[str]:
    """Signs of control that Slack would swallow or take for a command."""
    left = _SIGN.sub("", _ENTITY.sub("", text))
    for sign in "&<>":
        if sign in left:
            yield f"{sign} that is not written as Slack wants it"


def _check_blocks(blocks: Any) -> None:
    if not isinstance(blocks, list):
        raise RefusedError("invalid_blocks_format", "blocks are no list")
    if len(blocks) > BLOCKS_MAX:
        raise RefusedError("invalid_blocks", f"{len(blocks)} blocks")
    ids: set[str] = set()
    for place, block in enumerate(blocks):
        for problem in _problems(block):
            raise RefusedError("invalid_blocks", f"/blocks/{place}: {problem}")
        own = block.get("block_id")
        if own is not None and (own in ids or len(own) > ID_MAX):
            raise RefusedError("invalid_blocks", f"/blocks/{place}: block_id is used twice or too long")
        ids.add(own)
    if (length := _length(blocks)) > ALL_MAX:
        raise RefusedError("msg_blocks_too_long", f"{length} characters in all blocks")


def _length(part: Any) -> int:
    if isinstance(part, list):
        return sum(_length(each) for each in part)
    if isinstance(part, dict):
        return sum(
            len(each) if key == "text" and isinstance(each, str) else _length(each) for key, each in part.items()
        )
    return 0


def _others(given: dict[str, Any], known: set[str]) -> Iterator[str]:
    for key in sorted(set(given) - known):
        yield f"no more properties than it has: {key!r}"


def _problems(block: Any) -> Iterator[str]:
    kind = block.get("type") if isinstance(block, dict) else None
    if isinstance(kind, str) and kind in KEYS:
        yield from _others(block, {"type", "block_id"} | KEYS[kind])
    if kind == "header":
        yield from _text(block.get("text"), HEADER_MAX, ("plain_text",))
    elif kind == "section":
        yield from _section(block)
    elif kind == "context":
        elements = block.get("elements")
        yield from _several(elements, CONTEXT_MAX)
        for element in elements or ():
            yield from _text(element, SECTION_MAX)
    elif kind == "actions":
        elements = block.get("elements")
        yield from _several(elements, ACTIONS_MAX)
        for element in elements or ():
            yield from _button(element)
    elif kind != "divider":
        yield f"no block of type {kind!r} is known"


def _section(block: dict[str, Any]) -> Iterator[str]:
    text, fields = block.get("text"), block.get("fields")
    if text is None and not fields:
        yield "a section without text and fields"
    if text is not None:
        yield from _text(text, SECTION_MAX)
    if fields is not None:
        yield from _several(fields, FIELDS_MAX)
        for field in fields:
            yield from _text(field, FIELD_MAX)
    if "accessory" in block:
        yield from _button(block["accessory"])


def _several(elements: Any, most: int) -> Iterator[str]:
    if not isinstance(elements, list) or not 1 <= len(elements) <= most:
        yield f"not 1 to {most} elements"


def _text(text: Any, most: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> Iterator[str]:
    if not isinstance(text, dict) or text.get("type") not in kinds:
        yield f"no text object of type {' or '.join(kinds)}"
    elif not isinstance(text.get("text"), str) or not 1 <= len(text["text"]) <= most:
        yield f"not 1 to {most} characters of text"
    else:
        yield from _others(text, TEXT_KEYS)
        if "emoji" in text and text["type"] != "plain_text":
            yield "emoji belongs to plain_text"
        if "verbatim" in text and text["type"] != "mrkdwn":
            yield "verbatim belongs to mrkdwn"
        if not all(isinstance(text.get(key, False), bool) for key in ("emoji", "verbatim")):
            yield "emoji and verbatim are true or false"
        if text["type"] == "mrkdwn":
            yield from _controls(text["text"])


def _button(element: Any) -> Iterator[str]:
    if not isinstance(element, dict) or element.get("type") != "button":
        yield "no button"
        return
    yield from _others(element, BUTTON_KEYS)
    yield from _text(element.get("text"), BUTTON_MAX, ("plain_text",))
    for key, most in (("action_id", ID_MAX), ("url", URL_MAX), ("value", VALUE_MAX)):
        if len(element.get(key, "")) > most:
            yield f"{key} of more than {most} characters"
    if element.get("style", "primary") not in ("primary", "danger"):
        yield "a style that is neither primary nor danger"


def _check_attachments(attachments: Any) -> None:
    if not isinstance(attachments, list):
        raise RefusedError("invalid_payload", "attachments are no list")
    if len(attachments) > ATTACHMENTS_MAX:
        raise RefusedError("too_many_attachments", f"{len(attachments)} attachments")
    for place, attachment in enumerate(attachments):
        if not isinstance(attachment, dict):
            raise RefusedError("invalid_payload", f"/attachments/{place} is no object")
        if not attachment.get("fallback"):
            raise RefusedError("no_text", f"/attachments/{place} without fallback: a notification would show nothing")
        colour = attachment.get("color", "good")
        if colour not in COLOURS and not _hexadecimal(colour):
            raise RefusedError("invalid_payload", f"/attachments/{place} of colour {colour!r}")
        if len(attachment.get("text", "")) > TEXT_MAX:
            raise RefusedError("msg_too_long", f"/attachments/{place}")
        if "blocks" in attachment:
            _check_blocks(attachment["blocks"])


def _hexadecimal(colour: Any) -> bool:
    digits = str(colour).removeprefix("#")
    return len(digits) == 6 and all(digit in "0123456789abcdefABCDEF" for digit in digits)
