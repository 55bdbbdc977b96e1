"""The JSON Schema comes from the same table as the checks."""

from __future__ import annotations

import json

from rollguard.policy import schema


def test_the_schema_refuses_unknown_keys_and_knows_every_part() -> None:
    made = schema()
    parts = made["$defs"]
    assert made["additionalProperties"] is False
    assert all(part["additionalProperties"] is False for part in parts.values())
    assert {"metrics", "watch", "signals", "window", "timing", "limits", "onTimeout", "notify", "links"} <= set(
        parts["Spec"]["properties"]
    )
    assert set(parts["Spec"]["required"]) == {"metrics", "watch"}
    assert "for" in parts["LevelPart"]["properties"]
    json.dumps(made)
