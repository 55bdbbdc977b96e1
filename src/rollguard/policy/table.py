"""The table of all keys with their type, default and meaning, for people: from the document itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args, get_origin

import annotated_types
from pydantic import AfterValidator, BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from rollguard.policy import checks, durations
from rollguard.policy.annotations import Model, key_of, members, models, notes
from rollguard.policy.document import Document

_WORDS = {
    "dns_name": "name",
    "dns_label": "namespace",
    "label_name": "label",
    "label_key": "label",
    "identifier": "name",
    "line": "text",
    "label_value": "text",
    "service_name": "name",
    "header_name": "header",
    "header_value": "text",
    "file_name": "file",
    "url": "address",
    "secured_url": "address",
    "selector": "PromQL selector",
    "expression": "PromQL expression",
    "matchers": "label matchers",
}
_PLAIN = {str: "text", int: "number", float: "number", bool: "true or false"}
_PLACEHOLDERS = {list: "[]", dict: ".NAME"}


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `default` is empty where it has none of its own: then the meaning says what counts."""

    name: str
    type: str
    required: bool
    default: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Section:
    """The keys of a mapping, and where such mappings stand: `spec.watch[]`, `spec.signals.NAME`."""

    paths: tuple[str, ...]
    about: str
    keys: tuple[Key, ...]


def sections() -> tuple[Section, ...]:
    """Every mapping of a policy, from the outside in."""
    paths: dict[Model, list[str]] = {}
    _walk(Document, "", paths)
    return tuple(
        Section(
            paths=tuple(dict.fromkeys(where)),
            about=" ".join((model.__doc__ or "").split()),
            keys=tuple(_key(key_of(name, field), field) for name, field in model.model_fields.items()),
        )
        for model, where in paths.items()
    )


def _walk(model: Model, path: str, paths: dict[Model, list[str]]) -> None:
    paths.setdefault(model, []).append(path)
    for name, field in model.model_fields.items():
        for part, more in _parts(field.annotation):
            _walk(part, f"{path}.{key_of(name, field)}{more}".lstrip("."), paths)


def _parts(kind: object) -> Iterator[tuple[Model, str]]:
    for model in models(kind):
        yield model, ""
    for member in members(kind):
        origin = get_origin(member)
        if origin in (list, dict):
            several = models(kind)
            for model, more in _parts(get_args(member)[-1]):
                # "one or a list of them" is one place
                if model not in several:
                    yield model, _PLACEHOLDERS[origin] + more


def _key(name: str, field: FieldInfo) -> Key:
    return Key(
        name=name,
        type=_type(field.annotation, tuple(field.metadata)),
        required=field.is_required(),
        default=_default(field),
        meaning=" ".join((field.description or "").split()),
    )


def _type(kind: object, more: tuple[object, ...] = ()) -> str:
    for validator in (*more, *notes(kind, object)):
        if isinstance(validator, AfterValidator | BeforeValidator):
            named = next((name for name, check in vars(checks).items() if check is validator.func), "")
            if named:
                return _WORDS.get(named, named.replace("_", " "))
    words = dict.fromkeys(_member(kind_) for kind_ in _outer(kind) if kind_ is not type(None))
    return _joined(list(words)) + _range((*more, *notes(kind, object)))


def _outer(kind: object) -> list[object]:
    """The alternatives of an annotation, with what is noted on each."""
    if get_origin(kind) in (list, dict, Literal) or len(members(kind)) <= 1:
        return [kind]
    return [inner for argument in get_args(kind) if not _is_note(argument) for inner in _outer(argument)]


def _is_note(argument: object) -> bool:
    return not (isinstance(argument, type) or get_origin(argument) is not None)


def _member(kind: object) -> str:
    if any(isinstance(note, AfterValidator | BeforeValidator) for note in notes(kind, object)):
        return _type(kind)
    (bare,) = members(kind)
    origin, arguments = get_origin(bare), get_args(bare)
    if origin is Literal:
        return _joined([f"`{value or chr(34) * 2}`" for value in arguments])
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"mapping to {_type(arguments[1])}"
    if isinstance(bare, type) and issubclass(bare, BaseModel):
        return "mapping"
    return _PLAIN.get(bare, "value") if isinstance(bare, type) else "value"


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _range(found: tuple[object, ...]) -> str:
    least = next((note.ge for note in found if isinstance(note, annotated_types.Ge)), None)
    most = next((note.le for note in found if isinstance(note, annotated_types.Le)), None)
    return f", {least} to {most}" if least is not None and most is not None else ""


def _default(field: FieldInfo) -> str:
    value: object = None if field.is_required() else field.get_default(call_default_factory=False)
    if value is None or isinstance(value, BaseModel):
        return ""
    if isinstance(value, float):
        return f"`{durations.format_(value)}`"
    if value in ("", [], {}):
        return "none"
    return f"`{value}`"
