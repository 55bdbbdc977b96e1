"""Records survive the way to the cluster and back, whatever they hold."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import typing
from enum import Enum

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.policy import Mode
from rollguard.model.records import RolloutRecord, StoredRollout, StoredUnit, UnitRecord
from rollguard.model.requests import Freeze, HumanRequest, RequestKind
from rollguard.model.time import Instant
from rollguard.record import (
    Unreadable,
    rollout_from_json,
    rollout_to_json,
    unit_from_json,
    unit_to_json,
)
from rollguard.record.codec import fields_of, item_of, optional_of, pair_of, plain
from rollguard.record.schema import INSTANT_PATTERN
from tests.unit.records import rollout_record

NOW = Instant.parse("2026-11-03T02:15:04.250Z")
NAME = UnitName("production", "deployment-translation")
WORKLOAD = WorkloadName("production", WorkloadKind.DEPLOYMENT, "translation")

WORDS = st.text(st.characters(categories=("L", "N", "P", "S")), max_size=12)
PLAIN: dict[object, st.SearchStrategy[object]] = {
    Instant: st.integers(min_value=0, max_value=4_000_000_000_000).map(lambda ms: Instant(ms / 1000)),
    str: WORDS,
    int: st.integers(min_value=-(2**53), max_value=2**53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
}


def anything(type_: object) -> st.SearchStrategy[object]:
    """Any value of a noun's type."""
    inner, pair, item = optional_of(type_), pair_of(type_), item_of(type_)
    if inner is not None:
        return st.none() | anything(inner)
    if pair is not None:
        return st.lists(st.tuples(anything(pair[0]), anything(pair[1])), max_size=3).map(tuple)
    if item is not None:
        return st.lists(anything(item), max_size=2).map(tuple)
    bare = plain(type_)
    if isinstance(bare, type) and issubclass(bare, Enum):
        return st.sampled_from(list(bare))
    if isinstance(bare, type) and dataclasses.is_dataclass(bare) and bare is not Instant:
        return any_of(bare)
    return PLAIN[bare]


def any_of(noun: type, **fixed: object) -> st.SearchStrategy[object]:
    """Any instance of a noun, some fields fixed."""
    free = {field.name: anything(field.type) for field in fields_of(noun) if field.name not in fixed}
    return st.fixed_dictionaries(free).map(lambda values: noun(**values, **fixed))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_of(RolloutRecord, id="translation-2-abc", unit=NAME))
def test_any_rollout_within_its_bounds_reads_as_it_was_written(record: RolloutRecord) -> None:
    assert rollout_from_json(rollout_to_json(record, version="7")) == StoredRollout(record=record, version="7")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_of(UnitRecord, name=NAME, workload=WORKLOAD))
def test_any_unit_within_its_bounds_reads_as_it_was_written(record: UnitRecord) -> None:
    assert unit_from_json(unit_to_json(record, version="7")) == StoredUnit(record=record, version="7")


def test_what_people_write_lies_in_spec_and_the_rest_in_status() -> None:
    request = HumanRequest(id="r1", kind=RequestKind.ROLLBACK, actor="alice", at=NOW, reason="bad")
    freeze = Freeze(until=NOW, actor="bob", reason="sale")
    record = UnitRecord(name=NAME, workload=WORKLOAD, requests=(request,), freeze=freeze, mode=Mode.APPROVE)
    whole = json.loads(unit_to_json(record))
    assert whole["spec"]["requests"] == [
        {
            "id": "r1",
            "kind": "rollback",
            "actor": "alice",
            "at": "2026-11-03T02:15:04.250Z",
            "reason": "bad",
            "force": False,
        }
    ]
    assert whole["spec"]["freeze"] == {"until": "2026-11-03T02:15:04.250Z", "actor": "bob", "reason": "sale"}
    assert whole["status"] == {"mode": "approve", "switches": 0}
    assert whole["metadata"] == {"namespace": "production", "name": "deployment-translation"}


def test_a_unit_that_a_human_made_before_the_guard_is_read_with_the_guards_defaults() -> None:
    bare = {"metadata": {"namespace": "production", "name": "rollguard-all", "resourceVersion": "3"}}
    stored = unit_from_json(json.dumps(bare))
    assert stored.version == "3"
    assert stored.record.name == UnitName("production", "rollguard-all")
    assert stored.record.mode is Mode.OBSERVE


def test_a_rollout_without_status_is_none_yet() -> None:
    assert rollout_from_json('{"metadata": {"namespace": "n", "name": "x"}}') is None


def test_a_rollout_of_before_people_could_answer_has_been_answered_by_nobody() -> None:
    whole = json.loads(rollout_to_json(rollout_record()))
    assert not whole["status"].keys() & {"called", "acknowledged", "investigating", "handling"}
    stored = rollout_from_json(json.dumps(whole))
    assert stored is not None
    assert stored.record.acknowledged is None
    assert stored.record.handling == ()


def test_a_status_cannot_forge_a_humans_request() -> None:
    forged = {
        "metadata": {"namespace": "n", "name": "deployment-x"},
        "status": {"requests": [{"id": "r"}], "freeze": {"actor": "eve"}},
    }
    record = unit_from_json(json.dumps(forged)).record
    assert record.requests == ()
    assert record.freeze is None


@pytest.mark.parametrize(
    "freeze",
    [
        {"until": "2026-12-01T00:00:00+24:00", "actor": "ana", "reason": "sale"},
        {"until": "2026-12-01T00:00:00Z", "actor": "ana"},
        "until further notice",
    ],
)
def test_a_freeze_that_cannot_be_read_holds_until_it_is_corrected(freeze: object) -> None:
    whole = {"metadata": {"namespace": "n", "name": "rollguard-all"}, "spec": {"freeze": freeze}}
    found = unit_from_json(json.dumps(whole)).record.freeze
    assert found is not None
    assert found.until > Instant.parse("2900-01-01T00:00:00Z")
    assert found.reason.startswith("not readable: freeze")


def test_no_freeze_is_none_also_where_it_is_null() -> None:
    whole = {"metadata": {"namespace": "n", "name": "rollguard-all"}, "spec": {"freeze": None}}
    assert unit_from_json(json.dumps(whole)).record.freeze is None


def test_a_workload_of_an_unknown_kind_is_unreadable() -> None:
    whole = {"metadata": {"namespace": "n", "name": "x"}, "spec": {"workload": {"kind": "CronJob", "name": "x"}}}
    with pytest.raises(Unreadable, match="CronJob"):
        unit_from_json(json.dumps(whole))


@pytest.mark.parametrize("zone", ["+24:00", "-99:99", "+12:60", ""])
def test_the_api_server_takes_no_time_whose_zone_is_none(zone: str) -> None:
    assert re.fullmatch(INSTANT_PATTERN, f"2026-12-01T00:00:00{zone}") is None


@given(st.datetimes(), st.integers(-1439, 1439))
def test_the_api_server_takes_every_time_that_is_one(moment: datetime.datetime, minutes: int) -> None:
    zone = datetime.timezone(datetime.timedelta(minutes=minutes))
    text = moment.replace(year=max(1000, min(moment.year, 2998)), day=min(moment.day, 28), tzinfo=zone).isoformat()
    assert re.fullmatch(INSTANT_PATTERN, text)
    Instant.parse(text)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("status", "epoch"), "three", "epoch: expected int, found text"),
        (("status", "state"), "sleeping", "state: expected one of watching, awaiting_approval"),
        (("status", "started"), "yesterday", "started: expected a time such as"),
        (("status", "target"), None, "target: missing"),
        (("status", "pods"), {}, "pods: expected a list, found an object"),
    ],
)
def test_an_unreadable_object_says_where_and_what_was_expected(
    path: tuple[str, str], value: object, words: str
) -> None:
    whole = json.loads(rollout_to_json(rollout_record()))
    whole[path[0]][path[1]] = value
    with pytest.raises(Unreadable, match=words):
        rollout_from_json(json.dumps(whole))


def test_a_number_that_is_none_is_never_written() -> None:
    finding = dataclasses.replace(rollout_record().findings[0], value=float("nan"))
    with pytest.raises(TypeError, match="never evidence"):
        rollout_to_json(dataclasses.replace(rollout_record(), findings=(finding,)))


def test_fields_of_a_newer_version_are_passed_over() -> None:
    whole = json.loads(rollout_to_json(rollout_record()))
    whole["status"]["somethingNew"] = {"a": 1}
    assert rollout_from_json(json.dumps(whole)) == typing.cast(
        StoredRollout, rollout_from_json(rollout_to_json(rollout_record()))
    )
