"""The CustomResourceDefinitions, with the CEL rules by which the API server itself keeps state from going back.

Rules use `has()` on both sides: else removing a field and adding it again would pass.
"""

from __future__ import annotations

from rollguard import policy as policies
from rollguard.model.action import Plan
from rollguard.model.documents import Json
from rollguard.model.names import WorkloadKind
from rollguard.model.records import PolicyStatus, RolloutRecord, UnitRecord
from rollguard.model.requests import Freeze, HumanRequest
from rollguard.record.names import (
    GROUP,
    GUARD_POLICIES,
    GUARD_POLICY_KIND,
    ROLLOUT_KIND,
    ROLLOUTS,
    UNIT_KIND,
    UNITS,
    VERSION,
)
from rollguard.record.schema import Schema, schema_of
from rollguard.record.structural import structural

STEPS_MAX = 32
REQUESTS_MAX = 64
BODY_MAX = 262_144
NAME_MAX = 253
NAMED = ("id", "kind", "state", "goal", "precondition")

ROOT_RULES = (("!has(oldSelf.status) || has(self.status)", "status cannot be removed"),)

STATUS_RULES = (
    ("!has(oldSelf.epoch) || (has(self.epoch) && self.epoch >= oldSelf.epoch)", "the epoch never falls"),
    ("!has(oldSelf.uid) || (has(self.uid) && self.uid == oldSelf.uid)", "the workload's uid cannot change"),
    ("!has(oldSelf.target) || (has(self.target) && self.target == oldSelf.target)", "the target cannot change"),
    ("!has(oldSelf.closed) || (has(self.closed) && self.closed == oldSelf.closed)", "closed is final"),
    ("!has(oldSelf.state) || has(self.state)", "the state cannot be removed"),
    ("!has(oldSelf.plan) || has(self.plan)", "a plan cannot be removed"),
    (
        "!has(oldSelf.plan) || !has(self.plan) || !has(oldSelf.state) || self.plan.id == oldSelf.plan.id"
        " || !(oldSelf.state in ['planned', 'acting'])"
        # A plan that is given up has a failed step; a human may then order another.
        " || oldSelf.plan.steps.exists(s, s.state == 'failed')"
        " || oldSelf.plan.steps.all(s, s.state in ['done', 'skipped'])"
        # One whose time was up half way is followed by one that goes on with it.
        " || (has(self.plan.continues) && self.plan.continues > (has(oldSelf.plan.continues) ?"
        " oldSelf.plan.continues : 0))",
        "a live plan cannot be replaced by another",
    ),
    (
        "!has(oldSelf.plan) || !has(self.plan) || self.plan.epoch >= oldSelf.plan.epoch",
        "a plan's epoch never falls",
    ),
)

PLAN_RULES = (
    (
        "self.id != oldSelf.id || (self.epoch == oldSelf.epoch && self.expires == oldSelf.expires"
        " && self.created == oldSelf.created && self.actor == oldSelf.actor"
        " && self.reason == oldSelf.reason && self.target == oldSelf.target"
        " && self.drain == oldSelf.drain && self.continues == oldSelf.continues)",
        "a plan is immutable but for the states of its steps",
    ),
    (
        "self.id != oldSelf.id || (self.steps.map(s, s.body) == oldSelf.steps.map(s, s.body)"
        " && self.steps.map(s, s.goal) == oldSelf.steps.map(s, s.goal)"
        " && self.steps.map(s, s.precondition) == oldSelf.steps.map(s, s.precondition)"
        " && self.steps.map(s, s.revision) == oldSelf.steps.map(s, s.revision)"
        " && self.steps.map(s, s.kind) == oldSelf.steps.map(s, s.kind)"
        " && self.steps.map(s, s.target) == oldSelf.steps.map(s, s.target)"
        " && self.steps.map(s, has(s.member) ? s.member : '') == oldSelf.steps.map(s, has(s.member) ? s.member : '')"
        " && self.steps.map(s, s.n) == oldSelf.steps.map(s, s.n))",
        "a plan's steps are immutable but for their states",
    ),
    (
        "self.id != oldSelf.id || oldSelf.steps.all(o, self.steps.exists(s, s.n == o.n && (s.state == o.state"
        " || o.state == 'pending' || (o.state == 'trying' && s.state in ['done', 'skipped', 'failed']))))",
        "step states only advance: pending, trying, then done, skipped or failed",
    ),
)

UNIT_COLUMNS = (
    ("Mode", "string", ".status.mode"),
    ("Rollout", "string", ".status.currentRollout"),
    ("Frozen-Until", "string", ".spec.freeze.until"),
    ("Age", "date", ".metadata.creationTimestamp"),
)
ROLLOUT_COLUMNS = (
    ("State", "string", ".status.state"),
    ("Phase", "string", ".status.phase"),
    ("Verdict", "string", ".status.verdict"),
    ("Target", "string", ".status.target"),
    ("Outcome", "string", ".status.outcome"),
    ("Age", "date", ".metadata.creationTimestamp"),
    ("Why", "string", ".status.why"),
)
POLICY_COLUMNS = (
    ("Mode", "string", ".spec.mode"),
    ("Valid", "boolean", ".status.valid"),
    ("Age", "date", ".metadata.creationTimestamp"),
)


def crds() -> tuple[Schema, Schema, Schema]:
    """The three CustomResourceDefinitions, as JSON-able objects."""
    units = _crd(UNIT_KIND, UNITS, "gu", _unit_schema(), UNIT_COLUMNS)
    rollouts = _crd(ROLLOUT_KIND, ROLLOUTS, "gr", _rollout_schema(), ROLLOUT_COLUMNS)
    policies = _crd(GUARD_POLICY_KIND, GUARD_POLICIES, "gp", _policy_schema(), POLICY_COLUMNS)
    return units, rollouts, policies


def _crd(kind: str, plural: str, short: str, schema: Schema, columns: tuple[tuple[str, str, str], ...]) -> Schema:
    printed: list[Json] = [{"name": name, "type": type_, "jsonPath": path} for name, type_, path in columns]
    version: Schema = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": printed,
    }
    names: Schema = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": [short],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def _unit_schema() -> Schema:
    requests: Schema = {
        "type": "array",
        "maxItems": REQUESTS_MAX,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["id"],
        "items": schema_of(HumanRequest),
    }
    workload: Schema = {"kind": schema_of(WorkloadKind), "name": {"type": "string", "maxLength": NAME_MAX}}
    spec: Schema = {
        "requests": requests,
        "freeze": schema_of(Freeze),
        "workload": {"type": "object", "properties": workload},
    }
    status = _without(schema_of(UnitRecord), ("name", "workload", "requests", "freeze"))
    return _root({"type": "object", "properties": spec}, status)


def _rollout_schema() -> Schema:
    status = _without(schema_of(RolloutRecord), ("id",))
    properties = _child(status, "properties")
    properties["plan"] = _plan_schema()
    return _root(None, {**status, "x-kubernetes-validations": _rules(STATUS_RULES)})


def _policy_schema() -> Schema:
    """From the same table as the file's: the API server refuses wrong types, the guard's own check finds the rest."""
    whole = structural(policies.schema())
    return {
        "type": "object",
        "required": ["spec"],
        "properties": {"spec": _child(_child(whole, "properties"), "spec"), "status": schema_of(PolicyStatus)},
    }


def _plan_schema() -> Schema:
    plan = schema_of(Plan)
    steps = _child(_child(plan, "properties"), "steps")
    step = _child(steps, "items")
    fields = _child(step, "properties")
    for name in NAMED:
        if name in fields:
            _child(fields, name)["maxLength"] = NAME_MAX
    for field in _child(_child(fields, "target"), "properties").values():
        if isinstance(field, dict):
            field["maxLength"] = NAME_MAX
    _child(fields, "body")["maxLength"] = BODY_MAX
    step["required"] = [*_list(step["required"]), "state"]
    fields["state"] = {**_child(fields, "state"), "default": "pending"}
    steps |= {"maxItems": STEPS_MAX, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]}
    required = [*_list(plan["required"]), "steps", "drain", "continues"]
    return {**plan, "required": required, "x-kubernetes-validations": _rules(PLAN_RULES)}


def _root(spec: Schema | None, status: Schema) -> Schema:
    properties: Schema = {"spec": spec or {"type": "object"}, "status": status}
    return {
        "type": "object",
        "x-kubernetes-validations": _rules(ROOT_RULES),
        "properties": properties,
    }


def _rules(rules: tuple[tuple[str, str], ...]) -> Json:
    return [{"rule": rule, "message": message} for rule, message in rules]


def _without(schema: Schema, names: tuple[str, ...]) -> Schema:
    properties = {key: value for key, value in _child(schema, "properties").items() if key not in names}
    required: list[Json] = [name for name in _list(schema.get("required")) if name not in names]
    rest = {key: value for key, value in schema.items() if key not in ("properties", "required")}
    return {**rest, "properties": properties, **({"required": required} if required else {})}


def _child(schema: Schema, key: str) -> Schema:
    found = schema[key]
    if not isinstance(found, dict):
        raise TypeError(f"{key} is not a schema")
    return found


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
