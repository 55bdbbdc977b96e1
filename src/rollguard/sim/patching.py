"""What every patch of the API server goes through, whatever the kind of its object."""

from __future__ import annotations

import json

from rollguard.model.action import Conflict, Rejected
from rollguard.sim.json_patch import CannotApply, JsonObject, JsonValue, TestFailed, apply_patch


def patched(document: JsonObject, text: str) -> JsonObject | Conflict:
    """The object as a JSON Patch would leave it, or the write guard that failed: 409 for a version, 422 for a test."""
    operations: JsonValue = json.loads(text)
    metadata = document["metadata"]
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    if "/metadata/resourceVersion" in text and _stale_version(operations, version):
        return Conflict(detail="the object has been modified; please apply your changes to the latest version")
    try:
        return apply_patch(document, operations)
    except TestFailed as error:
        return Conflict(detail=str(error))
    except CannotApply as error:
        return Conflict(detail=f"422: {error}")


def refusal(detail: str) -> Rejected:
    """A refusal in these words: by admission, or where they say so because the right is missing."""
    return Rejected(status=403, detail=detail, passing=" is forbidden: User " in detail)


def annotations_of(document: JsonObject) -> dict[str, str] | None:
    """The object's annotations, None where they are none that the server takes."""
    metadata = document.get("metadata")
    annotations = (metadata.get("annotations") or {}) if isinstance(metadata, dict) else None
    if not isinstance(annotations, dict):
        return None
    return {key: str(value) for key, value in annotations.items()}


def _stale_version(operations: JsonValue, version: JsonValue) -> bool:
    if not isinstance(operations, list):
        return False
    return any(
        isinstance(operation, dict)
        and operation.get("path") == "/metadata/resourceVersion"
        and operation.get("op") == "replace"
        and operation.get("value") != version
        for operation in operations
    )
