"""What the commands that order something record and print."""

from __future__ import annotations

import json

import pytest

from rollguard.cli import freeze, rollback, story, watch
from rollguard.cli.connect import recorded
from rollguard.cli.main import call
from rollguard.cli.output import Format
from rollguard.model.names import UnitName
from rollguard.model.requests import Freeze, HumanRequest, RequestKind
from rollguard.model.time import Instant
from tests.unit.decide.situations import watched_rollout
from tests.unit.records import PLAN, START, WORKLOAD, set_record

UNIT = UnitName("production", "deployment-api")
FREEZE = Freeze(until=Instant(1_800_000_000.0), actor="ana", reason="launch day")


def test_behind_a_service_account_the_record_says_where_the_person_is_found() -> None:
    text = recorded("it is slow", "system:serviceaccount:tools:runner")
    assert text == "it is slow (through ServiceAccount tools/runner; see the API audit log)"
    assert recorded("it is slow", "ana@example.org") == "it is slow"


def test_a_freeze_and_its_release_are_told_as_json() -> None:
    told = json.loads(freeze.told(UNIT, FREEZE, Format.JSON))
    assert (told["frozen"], told["until"], told["actor"]) == (True, FREEZE.until.iso(), "ana")
    assert json.loads(freeze.told(UNIT, None, Format.JSON)) == {"unit": str(UNIT), "frozen": False}
    assert freeze.told(UNIT, None, Format.TABLE) == f"{UNIT} is released"


def test_a_rollback_is_told_as_json() -> None:
    request = HumanRequest(id="r1", kind=RequestKind.ROLLBACK, actor="ana", at=START, reason="slow")
    told = json.loads(story.restored(watched_rollout(), PLAN, request, Format.JSON))
    assert (told["order"], told["plan"], told["revision"]) == ("r1", PLAN.id, PLAN.target.number)
    tried = json.loads(rollback.would(WORKLOAD, PLAN, Format.JSON))
    assert (tried["dry_run"], tried["revision"]) == (True, PLAN.target.number)


def test_of_a_release_set_the_members_that_go_back_are_told() -> None:
    request = HumanRequest(id="r1", kind=RequestKind.ROLLBACK, actor="ana", at=START, reason="slow", only="backend")
    record = set_record()
    assert record.plan is not None
    told = json.loads(story.restored(record, record.plan, request, Format.JSON))
    assert (told["colour"], told["members"]) == ("blue", ["backend"])
    assert [passage.member for passage in record.passages] == ["backend", "workers"]


def test_a_change_that_is_watched_is_one_json_object() -> None:
    cells = ("production", "api", "automatic", "watching", "startup", "undecided", "1->2", "it has begun")
    change = json.loads(watch.line(cells, Format.JSON))
    assert (change["workload"], change["revision"], change["why"]) == ("api", "1->2", "it has begun")


@pytest.mark.parametrize("command", ["rollback", "freeze", "release", "watch"])
def test_each_of_them_takes_the_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call([command, "--help"]) == 0
    assert "--output" in capsys.readouterr().out
