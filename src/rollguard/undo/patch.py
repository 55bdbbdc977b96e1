"""Parts of the JSON Patches by which steps write."""

from __future__ import annotations

import json

from rollguard.model.action import Plan, Step
from rollguard.model.documents import Json

RECEIPT = "rollguard.dev/step"


def receipt_of(plan: Plan, step: Step) -> str:
    """The value of the receipt annotation that this step's write leaves: `<plan>/<n>`."""
    return f"{plan.id}/{step.n}"


def annotation(key: str) -> str:
    """The JSON Pointer of an annotation (RFC 6901)."""
    return "/metadata/annotations/" + key.replace("~", "~0").replace("/", "~1")


def operation(op: str, path: str, value: Json) -> Json:
    """One operation of a JSON Patch."""
    return {"op": op, "path": path, "value": value}


def parse(text: str) -> Json:
    """The value of a JSON text. Raises ValueError for what is none."""
    value: Json = json.loads(text)
    return value
