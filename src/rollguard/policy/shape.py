"""The document's shape against the data: what pydantic found wrong, in our words and at its place in the text."""

from __future__ import annotations

import copy
import re
from typing import Literal, TypeVar, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from rollguard.policy.annotations import Model, below, key_of, members, models
from rollguard.policy.document import Document
from rollguard.policy.mistakes import masked, nearest
from rollguard.policy.yaml_text import DEEPEST, Marked, Path

T = TypeVar("T")
_INLINE_SECRETS = frozenset(
    {"token", "bearertoken", "password", "secret", "hmackey", "key", "certificate", "cafile", "ca"}
)
_WORDS = {
    "string_type": "text (in quotes where it looks like a number)",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "model_attributes_type": "a mapping of keys",
    "float_type": "a number",
}
_BOUNDS = {
    "greater_than_equal": ("a number of at least", "ge"),
    "less_than_equal": ("a number of at most", "le"),
    "too_short": ("at least", "min_length"),
    "too_long": ("at most", "max_length"),
}
_UNQUOTED = {
    "int_type": re.compile(r"-?[0-9]+", re.ASCII),
    "float_type": re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII),
    "bool_type": re.compile(r"true|false", re.ASCII),
}
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]{0,60}", re.ASCII)
"""What needs no quotes in a list."""
SHOWN_KEYS = 12


def fit(marked: Marked) -> Document | None:
    """The document of the data, or None with every mismatch noted."""
    try:
        return Document.model_validate(marked.data)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=True):
            _note(marked, detail)
    return None


def salvage(kind: type[T], value: object, marked: Marked, path: Path) -> T | None:
    """A part of a document that does not fit, without the keys that are wrong, so that the rest is checked further.

    What was left out is in `marked.dropped`. None where too little is left.
    """
    rest = copy.deepcopy(value)
    for _attempt in range(DEEPEST):
        try:
            return TypeAdapter(kind).validate_python(rest)
        except ValidationError as error:
            places = {_holding(rest, detail["loc"]) for detail in error.errors(include_url=False, include_input=False)}
        if () in places:
            return None
        for place in sorted(places, key=len, reverse=True):
            _take_out(rest, place)
            marked.dropped.add((*path, *place))
    return None


def _holding(value: object, path: Path) -> Path:
    """The path of the innermost key at or over a place; empty where none is."""
    holding: Path = ()
    known: Path = ()
    for step in path:
        if isinstance(value, dict) and step in value:
            known = holding = (*known, step)
            value = value[step]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            known = (*known, step)
            value = value[step]
    return holding


def _take_out(value: object, path: Path) -> None:
    *way, last = path
    for step in way:
        value = value[step] if isinstance(value, dict) else value[int(step)] if isinstance(value, list) else None
    if isinstance(value, dict):
        value.pop(last, None)


def _note(marked: Marked, detail: ErrorDetails) -> None:
    path: Path = detail["loc"]
    kind = detail["type"]
    last = str(path[-1]) if path else ""
    if kind == "extra_forbidden":
        keys = _keys_at(path[:-1])
        if not keys:
            about = " ".join(" ".join(model.__doc__ or "" for model in _parts_at(path[:-1])).split())
            marked.wrong(path, last, f"no key here. {about}".rstrip(". "), key=True)
        elif last.lower() in _INLINE_SECRETS or "token" in last.lower() or "password" in last.lower():
            # the value may be the secret itself: only the key is shown
            marked.wrong(
                path, last, "no secret in a policy: name the file that holds it", near=nearest(last, keys), key=True
            )
        else:
            marked.wrong(path, last, f"one of the keys {', '.join(keys)}", near=nearest(last, keys), key=True)
    elif kind == "missing":
        marked.wrong(path[:-1], _owner(path), f"a key `{last}` here: it is required", key=True)
    elif last == "[key]":
        marked.wrong(path[:-1], path[-2], _expected(detail), key=True)
    else:
        value = detail["input"]
        context = detail.get("ctx", {})
        choices = [word.strip("'") for word in str(context.get("expected", "")).replace(" or ", ", ").split(", ")]
        near = nearest(value, choices) if kind == "literal_error" and isinstance(value, str) else ""
        marked.wrong(path, value, _expected(detail) + _form(path, kind, value), near=near)


def _owner(path: Path) -> str:
    names = [step for step in path[:-1] if isinstance(step, str) and step not in {"one", "many"}]
    return names[-1] if names else "the document"


def _expected(detail: ErrorDetails) -> str:
    kind = detail["type"]
    context = detail.get("ctx", {})
    if kind == "expected":
        return str(context["text"])
    if kind == "literal_error":
        return str(context["expected"])
    if kind in _WORDS:
        return _WORDS[kind]
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"{words} {context[bound]}" + (" in it" if bound.endswith("length") else "")
    return detail["msg"][0].lower() + detail["msg"][1:]


def _form(path: Path, kind: str, value: object) -> str:
    """How what stands there is written instead, where that is plain to see."""
    if kind in _UNQUOTED and isinstance(value, str) and _UNQUOTED[kind].fullmatch(value):
        return ", without quotes"
    if kind == "list_type" and isinstance(value, str) and _PLAIN.fullmatch(value):
        items = [one for found in _kinds_at(path) for inner in below(found, 0) for one in members(inner)]
        plain = masked(path, value) == value
        return (
            f", such as [{value}]" if plain and any(one is str or get_origin(one) is Literal for one in items) else ""
        )
    if kind in {"model_type", "model_attributes_type"} and (keys := _keys_at(path)):
        return f": {', '.join(keys)}" if len(keys) <= SHOWN_KEYS else ""
    return ""


def _kinds_at(path: Path) -> list[object]:
    kinds: list[object] = [Document]
    for step in path:
        kinds = [inner for kind in kinds for inner in below(kind, step)] or kinds
    return kinds


def _parts_at(path: Path) -> list[Model]:
    return [model for kind in _kinds_at(path) for model in models(kind)]


def _keys_at(path: Path) -> list[str]:
    """The keys that are valid in the mapping at a path."""
    return sorted({key_of(name, field) for model in _parts_at(path) for name, field in model.model_fields.items()})
