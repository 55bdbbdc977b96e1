"""A JSON Schema as a structural schema, which is all that a CustomResourceDefinition takes."""

from __future__ import annotations

from rollguard.record.schema import Schema

KEPT = (
    "type",
    "description",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
)
"""What both kinds of schema say alike. Defaults are left out: the API server would write them into the object, where
they would go over what a preset says."""
ANYTHING: Schema = {"x-kubernetes-preserve-unknown-fields": True}


def structural(whole: Schema, part: Schema | None = None) -> Schema:
    """The structural schema of a JSON Schema, or of a part of it.

    Where a value may be of several types nothing is demanded: `anyOf` over types has no place in a structural schema,
    and who reads the object checks it anyway.
    """
    schema = _resolved(whole, whole if part is None else part)
    if "type" not in schema:
        return dict(ANYTHING)
    made: Schema = {key: value for key, value in schema.items() if key in KEPT}
    if "const" in schema:
        made["enum"] = [schema["const"]]
    properties = schema.get("properties")
    # the server leaves an empty table out, and would then be told of a change at every apply
    if isinstance(properties, dict) and properties:
        made["properties"] = {
            name: structural(whole, each) for name, each in properties.items() if isinstance(each, dict)
        }
        if schema.get("required"):
            made["required"] = schema["required"]
    for key in ("items", "additionalProperties"):
        inner = schema.get(key)
        if isinstance(inner, dict):
            made[key] = structural(whole, inner)
    return made


def _resolved(whole: Schema, schema: Schema) -> Schema:
    """The schema behind `$ref`, and the one choice behind an `anyOf` that only adds null or values of the same type."""
    reference = schema.get("$ref")
    definitions = whole.get("$defs")
    if isinstance(reference, str) and isinstance(definitions, dict):
        named = definitions[reference.rsplit("/", 1)[1]]
        return _resolved(whole, named) if isinstance(named, dict) else schema
    choices = schema.get("anyOf")
    if not isinstance(choices, list):
        return schema
    real = [_resolved(whole, each) for each in choices if isinstance(each, dict) and each.get("type") != "null"]
    if len(real) == 1:
        return real[0]
    types = {str(each.get("type")) for each in real}
    return {"type": types.pop()} if len(types) == 1 and "None" not in types else {}
