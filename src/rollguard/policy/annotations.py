"""What the document's annotations say: the types behind unions, lists and mappings, and the checks of their values."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Model = type[BaseModel]


def members(kind: object) -> list[object]:
    """The types that an annotation stands for, without `Annotated` and unions."""
    origin = get_origin(kind)
    if origin is Annotated:
        return members(get_args(kind)[0])
    if origin is Union or origin is UnionType:
        return [member for argument in get_args(kind) for member in members(argument)]
    return [kind]


def models(kind: object) -> list[Model]:
    """The parts of the document that an annotation stands for, without those in a list or mapping."""
    return [member for member in members(kind) if isinstance(member, type) and issubclass(member, BaseModel)]


def key_of(name: str, field: FieldInfo) -> str:
    """The key as the text has it."""
    return field.alias or name


def below(kind: object, step: str | int) -> list[object]:
    """The annotations of what stands under a key, or at an index."""
    found: list[object] = []
    for member in members(kind):
        if get_origin(member) in {list, dict}:
            wanted = int if get_origin(member) is list else str
            if isinstance(step, wanted):
                found.append(get_args(member)[-1])
        elif isinstance(member, type) and issubclass(member, BaseModel):
            found += [field.annotation for name, field in member.model_fields.items() if key_of(name, field) == step]
    return found


T = TypeVar("T")


def notes(kind: object, of: type[T]) -> list[T]:
    """What is noted of a type on an annotation, from the outside in, not within lists and mappings."""
    if get_origin(kind) is Annotated:
        inner, *outer = get_args(kind)
        return [*(note for note in outer if isinstance(note, of)), *notes(inner, of)]
    return []
