"""The nouns of `model` <-> JSON, and the structural schema of the same JSON, from one walk over their types.

Names become camelCase, instants RFC 3339 in milliseconds, pairs `{name, value}` objects (a JSON map would lose their
order); what is None, empty or "" is left out where the noun has that as its default or allows None.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache

from rollguard.model.documents import Json
from rollguard.model.time import Instant


class Unreadable(ValueError):
    """JSON that is not the noun it should be; the text says where and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldOf:
    """A field of a noun as JSON sees it."""

    name: str
    json_name: str
    type: object
    default: object
    """What an absent field means; `dataclasses.MISSING` where it must be there."""


PAIR = ("name", "value")
EMPTY: tuple[object, ...] = (None, "", ())


@cache
def fields_of(noun: type) -> tuple[FieldOf, ...]:
    """The fields of a dataclass with their resolved types, in order."""
    if not dataclasses.is_dataclass(noun):
        raise TypeError(f"{noun} is not a dataclass")
    types_ = typing.get_type_hints(noun)
    return tuple(
        FieldOf(name=f.name, json_name=camel(f.name), type=types_[f.name], default=_default(types_[f.name], f.default))
        for f in dataclasses.fields(noun)
    )


def camel(name: str) -> str:
    """`current_rollout` -> `currentRollout`; a trailing underscore (of `class_`) goes."""
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(word.capitalize() for word in rest)


def to_json(value: object) -> Json:
    """The JSON of a noun, a tuple of nouns or a plain value. Raises TypeError for anything else."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, float) and not math.isfinite(value):
        raise TypeError(f"{value} has no JSON form: it is never evidence")
    if isinstance(value, int | float | str):
        return value
    if isinstance(value, Instant):
        return value.iso()
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.json_name: _field_json(field, found)
            for field in fields_of(type(value))
            if (found := getattr(value, field.name)) not in EMPTY or found != field.default
        }
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _field_json(field: FieldOf, value: object) -> Json:
    pair = pair_of(field.type)
    if pair is None or not isinstance(value, tuple):
        return to_json(value)
    return [{PAIR[0]: to_json(first), PAIR[1]: to_json(second)} for first, second in value]


def pair_of(type_: object) -> tuple[object, object] | None:
    """The two types of a `tuple[tuple[A, B], ...]`; None for every other type."""
    item = item_of(type_)
    if item is None or typing.get_origin(item) is not tuple:
        return None
    arguments = typing.get_args(item)
    return (arguments[0], arguments[1]) if len(arguments) == 2 and arguments[1] is not Ellipsis else None


def item_of(type_: object) -> object | None:
    """The item type of a `tuple[A, ...]`; None for every other type."""
    arguments = typing.get_args(type_)
    if typing.get_origin(type_) is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        item: object = arguments[0]
        return item
    return None


def optional_of(type_: object) -> object | None:
    """The A of `A | None`; None for every other type."""
    if typing.get_origin(type_) not in (types.UnionType, typing.Union):
        return None
    some: list[object] = [each for each in typing.get_args(type_) if each is not type(None)]
    return some[0] if len(some) == 1 else None


def plain(type_: object) -> object:
    """The type behind a NewType."""
    inner: object = getattr(type_, "__supertype__", None)
    return type_ if inner is None else inner


def from_json(noun: type, value: Json, where: str = "") -> object:
    """The noun that the JSON says. Unknown fields are passed over; raises Unreadable for what does not fit."""
    if not isinstance(value, Mapping):
        raise Unreadable(f"{where or noun.__name__}: expected an object, found {_kind(value)}")
    found: dict[str, object] = {}
    for field in fields_of(noun):
        path = f"{where}.{field.json_name}" if where else field.json_name
        if value.get(field.json_name) is not None:
            found[field.name] = _value(field.type, value[field.json_name], path)
        elif field.default is dataclasses.MISSING:
            raise Unreadable(f"{path}: missing")
        else:
            found[field.name] = field.default
    made: object = noun(**found)
    return made


def _value(type_: object, value: Json, where: str) -> object:
    inner = optional_of(type_)
    if inner is not None:
        return _value(inner, value, where)
    pair = pair_of(type_)
    if pair is not None:
        return tuple(_pair(pair, item, path) for path, item in _items(value, where))
    item_type = item_of(type_)
    if item_type is not None:
        return tuple(_value(item_type, item, path) for path, item in _items(value, where))
    return _scalar(plain(type_), value, where)


def _pair(types_: tuple[object, object], value: Json, where: str) -> tuple[object, object]:
    if not isinstance(value, Mapping) or PAIR[0] not in value or PAIR[1] not in value:
        raise Unreadable(f"{where}: expected an object with name and value")
    return _value(types_[0], value[PAIR[0]], where), _value(types_[1], value[PAIR[1]], where)


def _items(value: Json, where: str) -> Iterator[tuple[str, Json]]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise Unreadable(f"{where}: expected a list, found {_kind(value)}")
    return ((f"{where}[{n}]", item) for n, item in enumerate(value))


def _scalar(type_: object, value: Json, where: str) -> object:
    if type_ is Instant:
        return _instant(value, where)
    if isinstance(type_, type) and dataclasses.is_dataclass(type_):
        return from_json(type_, value, where)
    if isinstance(type_, type) and issubclass(type_, Enum):
        try:
            return type_(value)
        except ValueError:
            known = ", ".join(str(each.value) for each in type_)
            raise Unreadable(f"{where}: expected one of {known}, found {value!r}") from None
    if type_ is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(type_, type) and type(value) is type_:
        return value
    raise Unreadable(f"{where}: expected {getattr(type_, '__name__', type_)}, found {_kind(value)}")


def _instant(value: Json, where: str) -> Instant:
    try:
        return Instant.parse(str(value))
    except ValueError:
        raise Unreadable(f"{where}: expected a time such as 2026-11-03T02:15:04Z, found {value!r}") from None


def _default(type_: object, default: object) -> object:
    if default is not dataclasses.MISSING:
        return default
    if optional_of(type_) is not None:
        return None
    return () if item_of(type_) is not None else default


def _kind(value: Json) -> str:
    return {dict: "an object", list: "a list", str: "text", bool: "true or false"}.get(type(value), repr(value))
