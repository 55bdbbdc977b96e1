"""What a cluster gets: golden, and complete by construction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rollguard import record
from rollguard.model.records import RolloutRecord, UnitRecord
from rollguard.policy.document import Spec
from rollguard.record.codec import fields_of

GOLDEN = Path(__file__).parents[2] / "golden" / "crds.json"


@pytest.mark.golden
def test_the_manifests_are_the_golden_ones(renew_golden: bool) -> None:
    text = json.dumps(list(record.manifests()), indent=2) + "\n"
    if renew_golden:
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), "read the difference, then renew by --renew-golden"


def test_every_field_of_the_records_has_its_place_in_the_schema() -> None:
    units, rollouts = (
        crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for crd in map(as_json, record.manifests()[:2])
    )
    unit_fields = {**units["properties"]["spec"]["properties"], **units["properties"]["status"]["properties"]}
    assert {field.json_name for field in fields_of(UnitRecord)} - {"name"} == set(unit_fields)
    rollout_fields = set(rollouts["properties"]["status"]["properties"])
    assert {field.json_name for field in fields_of(RolloutRecord)} - {"id"} == rollout_fields


def test_no_table_of_the_schemas_is_empty() -> None:
    """The server leaves such a one out, and each `kubectl apply` would then say that something has changed."""

    def empty(part: Any, place: str) -> Iterator[str]:
        for key, value in part.items() if isinstance(part, dict) else ():
            if key == "properties" and not value:
                yield place
            yield from empty(value, f"{place}.{key}")

    assert [place for crd in map(as_json, record.manifests()[:3]) for place in empty(crd["spec"], "spec")] == []


def test_printer_columns_and_short_names() -> None:
    for crd, short in zip(map(as_json, record.manifests()[:3]), ("gu", "gr", "gp"), strict=True):
        assert crd["spec"]["names"]["shortNames"] == [short]
        assert crd["spec"]["versions"][0]["subresources"] == {"status": {}}
    columns = [c["name"] for c in as_json(record.manifests()[1])["spec"]["versions"][0]["additionalPrinterColumns"]]
    assert columns == ["State", "Phase", "Verdict", "Target", "Outcome", "Age", "Why"]


def test_a_guard_policys_schema_is_structural_and_holds_every_key_of_the_document() -> None:
    schema = as_json(record.manifests()[2])["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    spec = schema["properties"]["spec"]
    assert {field.alias or name for name, field in Spec.model_fields.items()} == set(spec["properties"])
    assert "signals" not in spec["required"], "a preset may give them"
    text = json.dumps(schema)
    assert all(word not in text for word in ("$ref", "anyOf", "oneOf", '"default"', '"title"', '"const"'))
    for part in parts(schema):
        assert "type" in part or part == {"x-kubernetes-preserve-unknown-fields": True}
        assert not ("properties" in part and "additionalProperties" in part)


def parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    inner = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    for each in inner:
        if each is not None:
            yield from parts(each)


def as_json(manifest: object) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(json.dumps(manifest))
    return loaded
