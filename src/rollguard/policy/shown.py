"""A policy with everything written out: its preset's signals and all defaults, in the form that loads again."""

from __future__ import annotations

from typing import get_args, get_origin

from pydantic import BaseModel

from rollguard.model.policy import Policy, Timing, Watch
from rollguard.model.signals import Signal
from rollguard.policy import durations
from rollguard.policy.annotations import Model, key_of, members, models
from rollguard.policy.document import Document
from rollguard.policy.mistakes import Mistakes
from rollguard.policy.resolve import load, merged
from rollguard.policy.yaml_text import read

Data = dict[str, object]
_TIMING = {
    "tick": "tick",
    "slot": "slot",
    "lateness": "lateness",
    "adoptedAfter": "adopted_after",
    "planExpiry": "plan_expiry",
    "approvalWithin": "approval_within",
    "repeatNotice": "repeat_notice",
    "clockOffset": "clock_offset_max",
}
_RECOVERY = {"within": "recovery_within", "for": "recovery_for"}
_SETS = {"joinWindow": "join_within", "drain": "drain"}
_WINDOW = {"startup": "startup", "stabilization": "stabilization", "automatic": "automatic", "close": "close"}


def written_out(text: str, file: str) -> Data | Mistakes:
    """The document of a text with what it leaves out, without `preset`; or all that is wrong with the text.

    Loaded again it is the same policy, of the same digest. What is left out there too has no default.
    """
    policy = load(text, file)
    if not isinstance(policy, Policy):
        return policy
    document = _filled(Document, merged(read(text, file)))
    spec = _mapping(document, "spec")
    spec.pop("preset", None)
    _put(_mapping(spec, "window"), _seconds(policy.timing, _WINDOW))
    _put(spec, _seconds(policy.timing, _SETS))
    timing = _mapping(spec, "timing")
    _put(timing, _seconds(policy.timing, _TIMING))
    _put(_mapping(timing, "recovery"), _seconds(policy.timing, _RECOVERY))
    for watch, part in zip(policy.watches, _items(spec, "watch"), strict=True):
        _put_set(part, watch)
    _put_limits(_mapping(spec, "limits"), policy)
    for signal in policy.signals:
        _put(_mapping(_mapping(spec, "signals"), signal.name), _of_signal(signal))
    return document


def _filled(model: Model, data: object) -> Data:
    """A mapping with the defaults of its keys, in the order of the table."""
    given = data if isinstance(data, dict) else {}
    found: Data = {}
    for name, field in model.model_fields.items():
        key = key_of(name, field)
        if key in given:
            found[key] = _below(field.annotation, given[key])
            continue
        value: object = None if field.is_required() else field.get_default(call_default_factory=True)
        if isinstance(value, BaseModel):
            found[key] = _filled(type(value), {})
        elif value is not None:
            found[key] = durations.format_(value) if isinstance(value, float) else value
    return found


def _below(kind: object, value: object) -> object:
    """A value of the text with what its own mappings leave out."""
    inner = [argument for member in members(kind) for argument in get_args(member)[-1:]]
    if isinstance(value, list):
        return [_below(kind_, item) for item in value for kind_ in inner[:1]] if inner else value
    if not isinstance(value, dict):
        return value
    parts = models(kind)
    if parts:
        return _filled(parts[0], value)
    if any(get_origin(member) is dict for member in members(kind)):
        return {key: _below(inner[0], item) for key, item in value.items()}
    return value


def _mapping(data: Data, key: str) -> Data:
    found = data.setdefault(key, {})
    return found if isinstance(found, dict) else {}


def _items(data: Data, key: str) -> list[Data]:
    found = data.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _put_set(data: Data, watch: Watch) -> None:
    """Names the Deployments of a release set that go by its members' names."""
    if watch.release_set is None:
        return
    written = _items(_mapping(data, "releaseSet"), "members")
    for member, part in zip(watch.release_set.members, written, strict=True):
        _put(part, {"workloads": dict(member.workloads)})


def _put(data: Data, more: Data) -> None:
    """Adds what is missing."""
    for key, value in more.items():
        data.setdefault(key, value)


def _seconds(timing: Timing, names: dict[str, str]) -> Data:
    found: Data = {}
    for key, name in names.items():
        seconds = float(getattr(timing, name))
        text = durations.format_(seconds)
        # a third of something has no exact text: it stays a default
        if durations.parse(text) == seconds:
            found[key] = text
    return found


def _put_limits(limits: Data, policy: Policy) -> None:
    of = policy.limits
    _put(limits, {"rollbacks": of.rollbacks, "within": durations.format_(of.rollbacks_within)})
    _put(_mapping(limits, "fleet"), {"units": of.fleet_units, "within": durations.format_(of.fleet_within)})


def _of_signal(signal: Signal) -> Data:
    traffic: Data = {"minimumTraffic": signal.minimum_traffic} if signal.minimum_traffic else {}
    return {"required": signal.required, **traffic}
