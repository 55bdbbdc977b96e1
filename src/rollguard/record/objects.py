"""GuardedUnit and GuardedRollout as the API server's JSON, and back."""

from __future__ import annotations

import typing

import msgspec

from rollguard.model.documents import Json
from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.records import RolloutRecord, StoredRollout, StoredUnit, UnitRecord
from rollguard.model.requests import Freeze, HumanRequest
from rollguard.model.time import Instant
from rollguard.record.budget import clip, fit_rollout, fit_unit
from rollguard.record.codec import Unreadable, from_json, to_json
from rollguard.record.names import API_VERSION, LABEL_UNIT, ROLLOUT_KIND, UNIT_KIND, label_value

SPEC_FIELDS = ("requests", "freeze")
"""Of a GuardedUnit: people's. The guard writes the rest, in `status`."""
UNTIL_CORRECTED = Instant.parse("2999-12-31T00:00:00Z")

Object = dict[str, Json]


def unit_to_json(record: UnitRecord, *, version: str = "") -> str:
    """The GuardedUnit's whole JSON; with `version` for a compare-and-swap."""
    whole = _object(clip(to_json(fit_unit(record))))
    spec: Object = {field: whole[field] for field in SPEC_FIELDS if field in whole}
    spec["workload"] = {"kind": record.workload.kind.value, "name": record.workload.name}
    status: Object = {key: value for key, value in whole.items() if key not in (*SPEC_FIELDS, "name", "workload")}
    metadata = _metadata(record.name.namespace, record.name.object_name, version)
    return _text({"kind": UNIT_KIND, "metadata": metadata, "spec": spec, "status": status})


def unit_from_json(text: str | bytes) -> StoredUnit:
    """The unit as read. One without status (a human's order came before the guard) has none of the guard's fields.

    A freeze that cannot be read holds until it is corrected: somebody wanted the unit left alone.
    Raises Unreadable, which says where, for JSON that is not a GuardedUnit.
    """
    whole = _decode(text)
    metadata = _object(whole.get("metadata"))
    name = UnitName(str(metadata.get("namespace", "")), str(metadata.get("name", "")))
    spec, status = _object(whole.get("spec")), _object(whole.get("status"))
    fields: Object = {key: value for key, value in status.items() if key not in SPEC_FIELDS}
    fields |= {field: spec[field] for field in SPEC_FIELDS if field in spec}
    if fields.get("freeze") is not None:
        fields["freeze"] = _freeze(fields["freeze"])
    fields["name"] = to_json(name)
    fields["workload"] = to_json(_workload(name, _object(spec.get("workload"))))
    record = typing.cast(UnitRecord, from_json(UnitRecord, fields))
    return StoredUnit(record=record, version=str(metadata.get("resourceVersion", "")))


def rollout_to_json(record: RolloutRecord, *, version: str = "") -> str:
    """The GuardedRollout's whole JSON, cut to its budget; with `version` for a compare-and-swap."""
    status = _object(clip(to_json(fit_rollout(record))))
    del status["id"]
    metadata = _metadata(record.unit.namespace, record.id, version)
    metadata["labels"] = {LABEL_UNIT: label_value(record.unit.object_name)}
    return _text({"kind": ROLLOUT_KIND, "metadata": metadata, "status": status})


def rollout_from_json(text: str | bytes) -> StoredRollout | None:
    """The rollout as read; None where its creation was cut short before its status was written.

    Raises Unreadable, which says where, for JSON that is not a GuardedRollout.
    """
    whole = _decode(text)
    metadata = _object(whole.get("metadata"))
    status = _object(whole.get("status"))
    if not status:
        return None
    record = typing.cast(RolloutRecord, from_json(RolloutRecord, {**status, "id": str(metadata.get("name", ""))}))
    return StoredRollout(record=record, version=str(metadata.get("resourceVersion", "")))


def request_to_json(request: HumanRequest) -> str:
    """The JSON of one entry of `spec.requests`, for the patch that adds it."""
    return _dump(clip(to_json(request)))


def freeze_to_json(freeze: Freeze) -> str:
    """The JSON of `spec.freeze`, for the patch that sets it."""
    return _dump(clip(to_json(freeze)))


def _freeze(value: Json) -> Json:
    try:
        from_json(Freeze, value, "freeze")
    except Unreadable as error:
        return to_json(Freeze(until=UNTIL_CORRECTED, actor="unknown", reason=f"not readable: {error}"))
    return value


def _workload(name: UnitName, spec: Object) -> WorkloadName:
    try:
        kind = WorkloadKind(str(spec["kind"])) if spec.get("kind") else WorkloadKind.DEPLOYMENT
    except ValueError:
        raise Unreadable(f"spec.workload.kind: {spec['kind']!r} is not a kind that can be guarded") from None
    plain = str(spec.get("name") or name.object_name.removeprefix(f"{kind.value.lower()}-"))
    return WorkloadName(name.namespace, kind, plain)


def _metadata(namespace: str, name: str, version: str) -> Object:
    metadata: Object = {"namespace": namespace, "name": name}
    return {**metadata, "resourceVersion": version} if version else metadata


def _object(value: Json) -> Object:
    return dict(value) if isinstance(value, dict) else {}


def _decode(text: str | bytes) -> Object:
    try:
        return _object(typing.cast(Json, msgspec.json.decode(text)))
    except msgspec.DecodeError as error:
        raise Unreadable(f"not JSON: {error}") from None


def _text(body: Object) -> str:
    return _dump({"apiVersion": API_VERSION, **body})


def _dump(value: Json) -> str:
    return msgspec.json.encode(value).decode()
