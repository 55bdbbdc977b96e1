"""YAML text -> plain data with the place of every key and value.

Accepted is what YAML 1.1 (kubectl) and YAML 1.2 read alike, without tags, anchors or aliases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from rollguard.policy.mistakes import Mistake, masked, shown, without_secrets

Path = tuple[str | int, ...]
LARGEST_TEXT = 1 << 20
DEEPEST = 40
_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,14})", re.ASCII)
_FLOAT = re.compile(r"-?(?:0|[1-9]\d{0,14})\.\d{1,15}", re.ASCII)
_OTHER_WORDS = frozenset({"y", "n", "yes", "no", "on", "off"})
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_LOOKS_NUMERIC = re.compile(
    r"[-+]?(?:[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.\d*)?|0[xXoObB]?[0-9a-fA-F_]+|[0-9][0-9_]*)", re.ASCII
)
_SECRET_KEY = re.compile(r"[^:]*(?:token|password|secret|authorization|://[^/]*@)[^:]*:?", re.IGNORECASE)
_UNPRINTABLE = re.compile("[\ud800-\udfff\x00-\x08\x0b-\x1f\x7f]")
_CORE = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq", "timestamp")
)


@dataclass(slots=True)
class Place:
    """Where a key and its value stand, from 0, and the value's own text."""

    key: tuple[int, int]
    value: tuple[int, int]
    text: str


@dataclass(slots=True)
class Marked:
    """Plain data, the places by path, and what was wrong."""

    file: str
    data: object = None
    places: dict[Path, Place] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    unreadable: set[tuple[int, int]] = field(default_factory=set)
    """Places of values that could not be read: what follows from them is not said again."""
    dropped: set[Path] = field(default_factory=set)
    """What was left out to check the rest: what follows from its lack is not said either."""

    def at(self, mark: tuple[int, int], offending: str, expected: str, nearest: str = "") -> None:
        """Notes a mistake at a place that counts from 0."""
        self.mistakes.append(
            Mistake(
                file=self.file,
                line=mark[0] + 1,
                column=mark[1] + 1,
                offending=shown(offending),
                expected=expected,
                nearest=nearest,
            )
        )

    def known(self, path: Path) -> Path:
        """The part of `path` that stands in the text: steps that a reader of the data has put in are left out."""
        found: Path = ()
        for step in path:
            if (*found, step) in self.places:
                found = (*found, step)
        return found

    def has(self, path: Path) -> bool:
        """Whether the text has something there, good or bad."""
        return path in self.places

    def wrong(self, path: Path, offending: object, expected: str, *, near: str = "", key: bool = False) -> None:
        """Notes a mistake in the value (or the key) at a path."""
        place = self.places.get(self.known(path))
        mark = (0, 0) if place is None else place.key if key else place.value
        if mark in self.unreadable:
            return
        self.at(mark, shown(offending if key else masked(path, offending)), expected, near)


def read(text: str, file: str) -> Marked:
    """The data of one YAML document. Never raises: what cannot be read is a mistake in the answer."""
    marked = Marked(file)
    if len(text) > LARGEST_TEXT:
        marked.at((0, 0), f"{len(text)} characters", f"at most {LARGEST_TEXT} characters")
        return marked
    try:
        # text of any shape may come: a directive without a version makes the scanner raise bare errors
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = (mark.line, mark.column) if mark else (0, 0)
        marked.at(where, _line(text, where[0]), f"valid YAML: {error.problem or error.context}")
    except YAMLError as error:
        marked.at((0, 0), _line(text, 0), f"valid YAML: {' '.join(str(error).split())[:200]}")
    except (RecursionError, ValueError, AttributeError, TypeError, LookupError, AssertionError) as error:
        marked.at((0, 0), _line(text, 0), f"valid YAML that nests at most {DEEPEST} deep ({type(error).__name__})")
    else:
        if root is None:
            marked.at((0, 0), "", "a policy: the text is empty")
        else:
            marked.data = _Reader(marked).value(root, ())
    return marked


def _line(text: str, number: int) -> str:
    lines = text.splitlines()
    line = lines[number].strip() if number < len(lines) else ""
    secret = _SECRET_KEY.match(line)
    return secret.group() if secret else without_secrets(line)


def _mark(node: Node) -> tuple[int, int]:
    return (node.start_mark.line, node.start_mark.column)


@dataclass(slots=True)
class _Reader:
    marked: Marked
    read: dict[int, object] = field(default_factory=dict)
    """By node: an alias is the node again."""

    def refuse(self, node: Node, offending: str, expected: str) -> None:
        self.marked.unreadable.add(_mark(node))
        self.marked.at(_mark(node), offending, expected)

    def value(self, node: Node, path: Path) -> object:
        mark = _mark(node)
        self.marked.places.setdefault(path, Place(mark, mark, str(node.value) if isinstance(node, ScalarNode) else ""))
        if id(node) in self.read:
            return self.read[id(node)]
        self.read[id(node)] = None
        self.read[id(node)] = data = self._fresh(node, path)
        return data

    def _fresh(self, node: Node, path: Path) -> object:
        if node.anchor:
            self.refuse(node, f"&{node.anchor}", "the value itself wherever it is needed: anchors are not read here")
        if str(node.tag) not in _CORE:
            self.refuse(node, str(node.tag), "a value without a tag")
            return None
        if len(path) > DEEPEST:
            self.refuse(node, "...", f"at most {DEEPEST} levels")
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node) if isinstance(node, ScalarNode) else None

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, object]:
        data: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = self._scalar(key_node) if isinstance(key_node, ScalarNode) else None
            if _mark(key_node) in self.marked.unreadable:
                continue
            if not isinstance(key, str):
                self.refuse(key_node, str(key_node.value)[:80], "a key that is plain text")
                continue
            if key in data:
                first = self.marked.places[(*path, key)].key[0] + 1
                self.refuse(key_node, key, f"each key once: it stands in line {first} already")
                continue
            mark = _mark(value_node)
            text = str(value_node.value) if isinstance(value_node, ScalarNode) else ""
            self.marked.places[*path, key] = Place(_mark(key_node), mark, text)
            data[key] = self.value(value_node, (*path, key))
        return data

    def _scalar(self, node: ScalarNode) -> object:
        text = str(node.value)
        if _UNPRINTABLE.search(text):
            self.refuse(node, ascii(text), "text without control characters")
            return None
        if node.style is not None:
            return text
        if text.lower() in _OTHER_WORDS:
            self.refuse(
                node,
                text,
                f'true or false, or the word in quotes ("{text}"): kubectl reads a plain `{text}` as a boolean',
            )
            return None
        if text in _NULLS:
            return None
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
        kind = str(node.tag).rsplit(":", 1)[-1]
        if kind != "str" or _LOOKS_NUMERIC.fullmatch(text):
            self.refuse(
                node,
                text,
                f'a plain decimal number, or text in quotes ("{text}"): tools read a plain `{text}` differently',
            )
            return None
        return text
