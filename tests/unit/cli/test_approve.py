"""Approving and rejecting: only what is asked, for the rollout that was seen, and told what came of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rollguard.cli import exits
from rollguard.cli.approve import refuse_unless_asked, refuse_unless_taken, rejected
from rollguard.cli.main import call
from rollguard.cli.output import Format
from rollguard.model.records import LifecycleState
from rollguard.model.requests import HumanRequest, RequestKind
from tests.unit.cli.stories import held, watched
from tests.unit.records import PLAN, START, rollout_record

REJECT = HumanRequest(id="reject-1", kind=RequestKind.REJECT, actor="ana", at=START, reason="we look into it")


def test_what_is_asked_may_be_answered() -> None:
    asked = watched(state=LifecycleState.AWAITING_APPROVAL)
    refuse_unless_asked(asked, RequestKind.APPROVE)
    refuse_unless_asked(asked, RequestKind.REJECT)


@pytest.mark.parametrize(
    ("kind", "instead"),
    [
        (RequestKind.APPROVE, "`rollguard rollback production translation --reason"),
        (RequestKind.REJECT, "`rollguard freeze production/translation`"),
    ],
)
def test_where_nothing_is_asked_it_says_how_it_stands_and_what_to_do_instead(kind: RequestKind, instead: str) -> None:
    with pytest.raises(exits.CommandError) as refused:
        refuse_unless_asked(held(), kind)
    assert "nothing is asked: production/translation, revision 1 -> 2 is held, verdict bad" in str(refused.value)
    assert instead in str(refused.value)
    assert refused.value.code == exits.PROBLEM


def test_what_is_over_or_under_way_is_not_answered() -> None:
    with pytest.raises(exits.CommandError, match=r"is over \(recovered\); `rollguard history` tells"):
        refuse_unless_asked(rollout_record(), RequestKind.APPROVE)
    with pytest.raises(exits.CommandError, match="is being rolled back already"):
        refuse_unless_asked(watched(state=LifecycleState.ACTING), RequestKind.REJECT)


def test_an_approval_that_led_to_nothing_came_too_late() -> None:
    refuse_unless_taken(watched(state=LifecycleState.PLANNED))
    refuse_unless_taken(watched(plan=PLAN, state=LifecycleState.HELD))
    with pytest.raises(exits.CommandError, match=r"it came too late: .* is watching: nothing is reached"):
        refuse_unless_taken(watched())


def test_a_rejection_is_told_and_one_that_came_too_late_is_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    assert rejected(held(), REJECT, Format.TABLE) == exits.OK
    assert capsys.readouterr().out.startswith("rejected: production/translation, revision 1 -> 2 stays as it is")
    assert rejected(held(), REJECT, Format.JSON) == exits.OK
    told = json.loads(capsys.readouterr().out)
    assert (told["answer"], told["actor"], told["state"]) == ("reject-1", "ana", "held")
    with pytest.raises(exits.CommandError, match="it came too late"):
        rejected(replace(held(), state=LifecycleState.ACTING), REJECT, Format.TABLE)


@pytest.mark.parametrize("command", ["approve", "reject"])
def test_they_take_a_reason(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call([command, "--help"]) == 0
    assert "--reason" in capsys.readouterr().out
