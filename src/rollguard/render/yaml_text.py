"""YAML as every reader understands it: each string is quoted or a literal block, and none is read as another thing."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rollguard.model.documents import Json

PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
WORDS = frozenset({"y", "yes", "n", "no", "on", "off", "true", "false", "null"})
"""Booleans and null of YAML 1.1, which kubectl reads; in any case of letters."""
ESCAPED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def to_yaml(documents: Iterable[Json]) -> str:
    """The documents, each behind `---`, with their keys in the order that they have."""
    return "".join("---\n" + "\n".join(_lines(each)) + "\n" for each in documents)


def _lines(value: Json) -> list[str]:
    if isinstance(value, dict) and value:
        return [line for key, inner in value.items() for line in _entry(f"{_key(key)}:", inner)]
    if isinstance(value, list) and value:
        return [line for inner in value for line in _item(inner)]
    return [_scalar(value)]


def _entry(head: str, value: Json) -> list[str]:
    if isinstance(value, dict | list) and value:
        return [head, *_indented(_lines(value))]
    if isinstance(value, str) and _is_block(value):
        chomping = "|" if value.endswith("\n") else "|-"
        return [f"{head} {chomping}", *_indented(value.removesuffix("\n").split("\n"))]
    return [f"{head} {_scalar(value)}"]


def _item(value: Json) -> list[str]:
    first, *rest = _lines(value)
    return [f"- {first}", *_indented(rest)]


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" if line else "" for line in lines]


def _key(key: str) -> str:
    return key if PLAIN_KEY.fullmatch(key) and key.lower() not in WORDS else _quoted(key)


def _scalar(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    # Readers differ on an exponent: 1e-05 is text to some.
    return f"{value:.15f}".rstrip("0") if "e" in repr(value) else repr(value)


def _is_block(text: str) -> bool:
    """Whether a literal block gives back exactly this text, and a reader sees all of it."""
    lines = text.removesuffix("\n").split("\n")
    seen = all(line.rstrip() == line and _printable(line) for line in lines)
    return "\n" in text and seen and bool(lines[0]) and bool(lines[-1]) and not lines[0][0].isspace()


def _printable(text: str) -> bool:
    return all(char == "\t" or _is_shown(char) for char in text)


def _is_shown(char: str) -> bool:
    """Whether YAML takes the character as it is, and no reader takes it for a line break or a mark."""
    return (" " <= char <= "~" or char >= "\xa0") and not (
        "\ud800" <= char <= "\udfff" or char in "\u2028\u2029\ufeff\ufffe\uffff"
    )


def _quoted(text: str) -> str:
    return f'"{"".join(_escaped(char) for char in text)}"'


def _escaped(char: str) -> str:
    return ESCAPED.get(char) or (char if _is_shown(char) else f"\\u{ord(char):04x}")
