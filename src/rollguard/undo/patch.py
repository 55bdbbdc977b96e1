"""Parts of the JSON Patches by which steps write."""

from __future__ import annotations

import json
from collections.abc import Iterable

from rollguard.model.action import Plan, Step, Write
from rollguard.model.documents import Json
from rollguard.model.names import Ref

RECEIPT = "rollguard.dev/step"


def receipt_of(plan: Plan, step: Step) -> str:
    """The value of the receipt annotation that this step's write leaves: `<plan>/<n>`."""
    return f"{plan.id}/{step.n}"


def left_by(plan: Plan, step: Step, receipt: str) -> bool:
    """Whether the step's write has left this receipt, under this plan or one that it goes on with."""
    rollout, _, number = plan.id.rpartition(".")
    earlier = (f"{rollout}.{int(number) - back}/{step.n}" for back in range(1, plan.continues + 1))
    return receipt in (receipt_of(plan, step), *earlier)


def annotation(key: str) -> str:
    """The JSON Pointer of an annotation (RFC 6901)."""
    return "/metadata/annotations/" + escaped(key)


def escaped(key: str) -> str:
    """The key as a part of a JSON Pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def operation(op: str, path: str, value: Json) -> Json:
    """One operation of a JSON Patch."""
    return {"op": op, "path": path, "value": value}


def leave_receipt(receipt: str, *, found: str, has_annotations: bool) -> list[Json]:
    """Leaves the receipt, guarded by the one that was read: a repeated request that arrives late fails."""
    if has_annotations:
        return [
            operation("test", annotation(RECEIPT), found or None),
            operation("add", annotation(RECEIPT), receipt),
        ]
    # `add` below a missing map answers 422: make the map, but only while there is none.
    return [
        operation("test", "/metadata/annotations", None),
        operation("add", "/metadata/annotations", {RECEIPT: receipt}),
    ]


def write(target: Ref, operations: Iterable[Json]) -> Write:
    """The patch of these operations, in their order."""
    return Write(ref=target, patch=json.dumps(list(operations), separators=(",", ":"), ensure_ascii=False))


def parse(text: str) -> Json:
    """The value of a JSON text. Raises ValueError for what is none."""
    value: Json = json.loads(text)
    return value
