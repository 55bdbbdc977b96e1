"""The write after an undo that gives the restored fields back to those who apply the workload.

The restoring write makes the guard the owner of every field that it changed: the next `kubectl apply --server-side`
would answer 409, or leave fields behind that its applier no longer owns.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from rollguard.model.action import FIELD_MANAGER, Found, Plan, Step, StepKind, StepState, Write
from rollguard.model.documents import Json
from rollguard.undo.patch import RECEIPT, annotation, operation, parse, write

KEY = ("manager", "operation", "apiVersion")
ROOT = ("f:spec", "f:template")
Path = tuple[str, ...]
Paths = frozenset[Path]
"""Fields of `spec.template` that somebody owns, from there on."""
Key = tuple[str, str, str]
"""(manager, operation, apiVersion): what has an entry of its own in managedFields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """An entry of `metadata.managedFields`; `at` is its place in the list."""

    at: int
    raw: dict[str, Json]
    key: Key
    fields: Paths

    @property
    def applies(self) -> bool:
        return self.key[1] == "Apply"

    @property
    def ours(self) -> bool:
        return self.key[0] == FIELD_MANAGER


def owners(found: Found) -> str:
    """Who owned which fields of the bad template, as JSON: what a later `hand_over` goes by.

    Of those who apply server-side, else of all. Empty where nobody owned any, and where only kubectl's client-side
    apply did: it does not ask who owns what, and where it moves on to the server's side it takes over all fields of
    whoever wrote the annotation of the last configuration, so the guard's as well.
    """
    entries = [entry for entry in _entries(found) if entry.fields and not entry.ours]
    heirs = [entry for entry in entries if entry.applies]
    if not heirs and not found.last_applied:
        heirs = entries
    if not heirs:
        return ""
    listed: list[Json] = [{"key": list(entry.key), "fields": _tree(entry.fields)} for entry in heirs]
    whole: Json = {"owners": listed, "others": [entry.key[0] for entry in entries if entry not in heirs]}
    return json.dumps(whole, separators=(",", ":"), ensure_ascii=False)


def caveat(plan: Plan) -> str:
    """What a fix needs to go forward, for whoever is told of the undo; empty where it needs nothing."""
    for step in plan.steps:
        if step.kind is not StepKind.RESTORE_MANAGERS:
            continue
        if step.state is StepState.SKIPPED:
            return (
                "A fix by server-side apply (kubectl, Helm 4) may answer 409 and then needs `--force-conflicts`:"
                f" the restored fields could not be given back to who applies them ({step.detail})"
            )
        if any(key[:2] == ("helm", "Update") for key in _read(step.body)[0]):
            return (
                "Helm applies this workload client-side: a plain `helm upgrade` to a fix keeps fields that only the"
                " restored version has; `helm upgrade --server-side=true` or a `helm rollback` before it does not"
            )
    return ""


def hand_over(step: Step, found: Found, *, receipt: str) -> Write | None:
    """A JSON Patch that takes the guard's name off the template's fields and gives them to their appliers; None where
    it is on none of them.

    A field goes to who applied it in the bad version; one that only the restored version has, to who applied the bad
    one. So the next apply changes it without a conflict, and removes it where the fix does not have it. A manager
    never gets a field that it may not know of, for its next apply would remove it: nobody owns that field then.
    It passes only on the template that was read, on the first step's `receipt` and on the entries that it changes. It
    leaves none of its own, for annotations move the generation and the status with it: that the guard's name is off the
    template is what it leaves.
    """
    entries = _entries(found)
    ours = next((entry for entry in entries if entry.fields and entry.ours), None)
    if ours is None:
        return None
    now = {entry.key: entry for entry in entries}
    changes, missing = [_with(ours, frozenset())], []
    for key, gets in _shares(step.body, ours.fields, {key: entry.fields for key, entry in now.items()}).items():
        if key in now:
            changes.append(_with(now[key], now[key].fields | gets))
        else:
            missing.append(_new(key, gets, ours))
    gone: list[Json] = [{"op": "remove", "path": _place(entry)} for entry, changed in changes if not changed]
    operations = [
        operation("test", "/metadata/uid", found.uid),
        operation("test", "/spec/template", parse(found.raw_template)),
        operation("test", annotation(RECEIPT), receipt),
        *(operation("test", _place(entry), entry.raw) for entry, _ in changes),
        *(operation("replace", _place(entry), changed) for entry, changed in changes if changed),
        *(operation("add", "/metadata/managedFields/-", entry) for entry in missing),
        *gone,  # after the others: it moves the places behind it
    ]
    return write(step.target, operations)


def _shares(body: str, ours: Paths, now: dict[Key, Paths]) -> dict[Key, Paths]:
    """Which of our fields each owner gets."""
    before, others = _read(body)
    shares = {key: ours & fields for key, fields in before.items()}
    heir = _heir(before, now, alone=not others)
    if heir is not None:
        shares[heir] |= ours.difference(*before.values())
    return {key: fields for key, fields in shares.items() if fields}


def _heir(before: dict[Key, Paths], now: dict[Key, Paths], *, alone: bool) -> Key | None:
    """Who applied the bad version: the only one who owned anything, else the only one who lost a field by the undo."""
    if alone and len(before) == 1:
        return next(iter(before))
    lost = [key for key, fields in before.items() if fields - now.get(key, frozenset())]
    return lost[0] if len(lost) == 1 else None


def _read(body: str) -> tuple[dict[Key, Paths], bool]:
    """The owners' fields as `owners` wrote them, and whether there were other owners."""
    whole = parse(body)
    if not isinstance(whole, dict):
        return {}, True
    listed, known = whole.get("owners"), dict[Key, Paths]()
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and isinstance(key := entry.get("key"), list) and len(key) == len(KEY):
            manager, operation, version = (str(part) for part in key)
            known[manager, operation, version] = frozenset(_paths(entry.get("fields")))
    return known, bool(whole.get("others"))


def _entries(found: Found) -> list[_Entry]:
    """All entries but those of subresources, which own nothing of a template."""
    listed = parse(found.managed_fields) if found.managed_fields else None
    return [
        _Entry(
            at=at,
            raw=raw,
            key=(str(raw.get("manager", "")), str(raw.get("operation", "")), str(raw.get("apiVersion", ""))),
            fields=frozenset(_paths(_below(raw.get("fieldsV1"), ROOT))),
        )
        for at, raw in enumerate(listed if isinstance(listed, list) else ())
        if isinstance(raw, dict) and not raw.get("subresource")
    ]


def _with(entry: _Entry, fields: Paths) -> tuple[_Entry, dict[str, Json]]:
    """The entry, and how it is to be: with these fields of the template; empty where it then owns nothing at all."""
    rest = {path for path in _paths(entry.raw.get("fieldsV1")) if path[: len(ROOT)] != ROOT}
    tree = _tree(rest | {(*ROOT, *path) for path in fields})
    return entry, {**entry.raw, "fieldsV1": tree} if tree else {}


def _new(key: Key, fields: Paths, ours: _Entry) -> dict[str, Json]:
    """An entry that the undo had left nothing of."""
    tree = _tree({(*ROOT, *path) for path in fields})
    return {**ours.raw, **dict(zip(KEY, key, strict=True)), "fieldsV1": tree}


def _place(entry: _Entry) -> str:
    return f"/metadata/managedFields/{entry.at}"


def _below(tree: Json, path: Path) -> Json:
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _paths(tree: Json, above: Path = ()) -> Iterable[Path]:
    """The members of a FieldsV1: a key without children, and one that has `.` among them."""
    for key, below in tree.items() if isinstance(tree, dict) else ():
        if key == ".":
            yield above
        elif below:
            yield from _paths(below, (*above, key))
        else:
            yield (*above, key)


def _tree(paths: Iterable[Path]) -> dict[str, Json]:
    """The FieldsV1 with these members."""
    groups: dict[str, set[Path]] = {}
    for path in sorted(paths):
        groups.setdefault(path[0] if path else ".", set()).add(path[1:])
    tree: dict[str, Json] = {}
    for key, below in groups.items():
        tree[key] = {} if below == {()} else _tree(below)
    return tree
