"""RFC 6902, as far as the guard uses it: `add`, `replace`, `remove` and `test` on objects, and within lists."""

from __future__ import annotations

from copy import deepcopy

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]
JsonObject = dict[str, JsonValue]


class TestFailed(Exception):
    """A `test` operation found another value than expected."""

    __test__ = False


class CannotApply(Exception):
    """The patch is malformed or names a place that does not exist."""


def apply_patch(document: JsonObject, patch: JsonValue) -> JsonObject:
    """The patched copy. Raises TestFailed or CannotApply; the document is never changed."""
    if not isinstance(patch, list):
        raise CannotApply("a JSON Patch is a list of operations")
    result = deepcopy(document)
    for operation in patch:
        if not isinstance(operation, dict):
            raise CannotApply(f"not an operation: {operation!r}")
        _apply(result, operation)
    return result


def _apply(document: JsonObject, operation: JsonObject) -> None:
    op, path = operation.get("op"), operation.get("path")
    if not isinstance(path, str) or not path.startswith("/"):
        raise CannotApply(f"no usable path in {operation!r}")
    keys = [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
    parent: JsonValue = document
    for key in keys[:-1]:
        parent = parent.get(key) if isinstance(parent, dict) else None
        if parent is None:
            break
    last = keys[-1]
    if isinstance(parent, list):
        _apply_to_item(parent, last, operation)
        return
    if op == "test":
        found = parent.get(last) if isinstance(parent, dict) else None
        if not _same(found, operation.get("value")):
            raise TestFailed(f"the server could not apply the patch: testing path {path} failed")
        return
    if not isinstance(parent, dict):
        raise CannotApply(f"{op} operation does not apply: doc is missing path: {path}")
    if op in ("replace", "remove") and last not in parent:
        raise CannotApply(f"{op} operation does not apply: doc is missing key: {path}")
    if op in ("add", "replace"):
        parent[last] = deepcopy(operation.get("value"))
    elif op == "remove":
        del parent[last]
    else:
        raise CannotApply(f"unknown operation {op!r}")


def _apply_to_item(items: list[JsonValue], key: str, operation: JsonObject) -> None:
    op, value = operation.get("op"), operation.get("value")
    if op == "add" and key == "-":
        items.append(deepcopy(value))
        return
    at = int(key) if key.isdecimal() else -1
    if not 0 <= at < len(items):
        raise CannotApply(f"{op} operation does not apply: there is no item {key}")
    if op == "test" and not _same(items[at], value):
        raise TestFailed(f"the server could not apply the patch: testing item {key} failed")
    if op == "replace":
        items[at] = deepcopy(value)
    elif op == "remove":
        del items[at]
    elif op != "test":
        raise CannotApply(f"{op} is not done on items of lists")


def _same(left: JsonValue, right: JsonValue) -> bool:
    """Equality of JSON: `true` is not 1, an absent value is null."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_same(a, b) for a, b in zip(left, right, strict=True))
    return left == right
