"""`rollback --bad`: the only bad rollout is meant, and where there is none or several nothing is ordered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from rollguard.cli import exits
from rollguard.cli.bad import chosen
from rollguard.cli.main import call
from rollguard.cli.output import Format
from rollguard.cli.rollback import Wanted
from rollguard.model.judgement import VerdictKind
from rollguard.model.names import RolloutId, UnitName, WorkloadKind, WorkloadName
from rollguard.model.records import LifecycleState, Outcome, RolloutRecord
from rollguard.record import rollout_to_json
from tests.unit.cli.clusters import Cluster
from tests.unit.cli.stories import ended, held, watched

Run = Callable[..., int]


def other(record: RolloutRecord, namespace: str, name: str) -> RolloutRecord:
    """The same of another workload."""
    workload = WorkloadName(namespace, WorkloadKind.DEPLOYMENT, name)
    return replace(record, id=RolloutId(f"{name}-r2"), workload=workload, unit=UnitName.of_workload(workload))


BAD, FINE = held(), other(watched(), "production", "api")


def test_the_only_bad_one_is_meant_whatever_else_rolls_out() -> None:
    assert chosen([FINE, BAD]) == BAD
    observed = replace(BAD, state=LifecycleState.WATCHING)
    assert chosen([observed, FINE]) == observed
    asked = replace(BAD, state=LifecycleState.AWAITING_APPROVAL)
    assert chosen([asked]) == asked


@pytest.mark.parametrize("verdict", [each for each in VerdictKind if each is not VerdictKind.BAD])
def test_what_is_not_judged_bad_is_never_meant(verdict: VerdictKind) -> None:
    with pytest.raises(exits.CommandError, match="no rollout under guard is bad"):
        chosen([replace(BAD, verdict=verdict)])


def test_with_none_or_several_they_are_listed_and_the_command_ends() -> None:
    with pytest.raises(exits.CommandError, match=r"nothing rolls out") as none:
        chosen([])
    with pytest.raises(exits.CommandError, match="no rollout under guard is bad") as well:
        chosen([FINE])
    assert "production/api" in str(well.value)
    with pytest.raises(exits.CommandError, match="2 rollouts are bad") as several:
        chosen([FINE, BAD, other(BAD, "team", "web")])
    assert "production/translation, revision 1->2: bad, held: " in str(several.value)
    assert "team/web" in str(several.value)
    assert "production/api" not in str(several.value)
    assert {none.value.code, well.value.code, several.value.code} == {exits.PROBLEM}


@pytest.mark.parametrize("state", [LifecycleState.PLANNED, LifecycleState.ACTING, LifecycleState.VERIFYING])
def test_one_that_goes_back_already_is_not_ordered_back_again(state: LifecycleState) -> None:
    with pytest.raises(exits.CommandError, match=f"bad, {state.value}"):
        chosen([replace(BAD, state=state)])


def test_what_is_ordered_is_for_the_bad_rollout_alone() -> None:
    wanted = Wanted(text="", reason="r", to_revision=None, force=False, only=False, patience=0.0, format_=Format.TABLE)
    meant = wanted.of(BAD)
    assert (meant.text, meant.rollout) == ("production/translation", BAD.id)


@pytest.fixture
def run(httpserver: HTTPServer, tmp_path: Path) -> tuple[Run, list[str]]:
    """Runs the command against rollouts of two namespaces, of which nobody may look at all; what was asked."""
    asked: list[str] = []
    records = [BAD, FINE, other(BAD, "team", "web"), ended(9, Outcome.ROLLED_BACK, verdict=VerdictKind.BAD)]

    def answer(request: Request) -> Response:
        asked.append(f"{request.method} {request.path}")
        found = re.fullmatch(r".*/v1alpha1/namespaces/([^/]+)/guardedrollouts", request.path)
        if found is None:
            return Response('{"message": "forbidden"}', status=403, content_type="application/json")
        items = [json.loads(rollout_to_json(each, version="7")) for each in records]
        there = [each for each in items if each["metadata"]["namespace"] == found[1]]
        return Response(json.dumps({"metadata": {}, "items": there}), content_type="application/json")

    httpserver.expect_request(re.compile(r"/apis?/.*")).respond_with_handler(answer)
    kubeconfig = str(Cluster(httpserver).kubeconfig(tmp_path))
    return (lambda *words: call(["rollback", *words, "--kubeconfig", kubeconfig])), asked


def test_among_namespaces_no_right_to_look_at_all_is_needed(
    run: tuple[Run, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    rollback, asked = run
    both = ("--among", "production", "--among", "team")
    assert rollback("--bad", *both, "--reason", "r") == exits.PROBLEM
    assert "2 rollouts are bad" in capsys.readouterr().err
    assert all("/namespaces/" in each for each in asked)
    assert not any(each.startswith(("PATCH", "POST")) for each in asked)
    rollback("--bad", "--among", "production", "--reason", "r")
    assert "the bad rollout is that of production/translation" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [(), ("production", "api", "--bad"), ("api", "--among", "x"), ("--bad", "--only"), ("--bad", "--to-revision", "3")],
)
def test_what_does_not_go_together_is_wrong_usage(words: tuple[str, ...], run: tuple[Run, list[str]]) -> None:
    rollback, asked = run
    assert rollback(*words, "--reason", "r") == exits.USAGE
    assert asked == []
