"""Structural schemas of the nouns, for the CustomResourceDefinitions: from the same types as their JSON."""

from __future__ import annotations

import dataclasses
from enum import Enum

from rollguard.model.documents import Json
from rollguard.model.time import Instant
from rollguard.record.codec import PAIR, fields_of, item_of, optional_of, pair_of, plain

# CEL's cost is estimated from these bounds: without them the API server refuses the rules.
TEXT_MAX = 4096
ITEMS_MAX = 256

_CLOCK_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"
# The format alone lets times without a zone pass, and zones of a day or more, which name no instant.
INSTANT_PATTERN = rf"^[12][0-9]{{3}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK_TIME}:[0-5][0-9](\.[0-9]+)?(Z|[+-]{_CLOCK_TIME})$"

Schema = dict[str, Json]


def schema_of(type_: object) -> Schema:
    """The structural schema of a noun or a plain type. Raises TypeError for a type without JSON form."""
    inner = optional_of(type_)
    if inner is not None:
        return schema_of(inner)
    pair = pair_of(type_)
    if pair is not None:
        sides: dict[str, Json] = {PAIR[0]: schema_of(pair[0]), PAIR[1]: schema_of(pair[1])}
        return _list({"type": "object", "required": list(PAIR), "properties": sides})
    item = item_of(type_)
    if item is not None:
        return _list(schema_of(item))
    return _scalar(plain(type_))


def _list(items: Schema) -> Schema:
    return {"type": "array", "maxItems": ITEMS_MAX, "items": items}


def _scalar(type_: object) -> Schema:
    if type_ is Instant:
        return {"type": "string", "format": "date-time", "maxLength": 40, "pattern": INSTANT_PATTERN}
    if isinstance(type_, type) and dataclasses.is_dataclass(type_):
        return _object(type_)
    if isinstance(type_, type) and issubclass(type_, Enum):
        return {"type": "string", "enum": [str(each.value) for each in type_]}
    if type_ is bool:
        return {"type": "boolean"}
    if type_ is int:
        return {"type": "integer", "format": "int64"}
    if type_ is float:
        return {"type": "number"}
    if type_ is str:
        return {"type": "string", "maxLength": TEXT_MAX}
    raise TypeError(f"{type_} has no structural schema")


def _object(noun: type) -> Schema:
    fields = fields_of(noun)
    schema: Schema = {"type": "object", "properties": {field.json_name: schema_of(field.type) for field in fields}}
    required: list[Json] = [field.json_name for field in fields if field.default is dataclasses.MISSING]
    return {**schema, "required": required} if required else schema
