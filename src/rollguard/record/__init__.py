"""GuardedUnit and GuardedRollout as JSON, their definitions and admission policy. Pure: no cluster is spoken to."""

from __future__ import annotations

from rollguard.model.documents import Json
from rollguard.record.admission import admission
from rollguard.record.alerts import is_over, key_of, last_ends, with_alerts
from rollguard.record.budget import BUDGET_BYTES, fit_rollout, fit_unit, thinned
from rollguard.record.codec import Unreadable, from_json, to_json
from rollguard.record.crds import crds
from rollguard.record.objects import (
    freeze_to_json,
    request_to_json,
    rollout_from_json,
    rollout_to_json,
    unit_from_json,
    unit_to_json,
)

__all__ = [
    "BUDGET_BYTES",
    "Unreadable",
    "fit_rollout",
    "fit_unit",
    "freeze_to_json",
    "from_json",
    "is_over",
    "key_of",
    "last_ends",
    "manifests",
    "request_to_json",
    "rollout_from_json",
    "rollout_to_json",
    "thinned",
    "to_json",
    "unit_from_json",
    "unit_to_json",
    "with_alerts",
]


def manifests() -> tuple[dict[str, Json], ...]:
    """What a cluster needs before the guard runs, in the order to apply it: definitions, then the admission policy."""
    return (*crds(), *admission())
