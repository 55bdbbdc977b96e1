"""Answering a page from the command line: what is written, for which rollout, and what is said of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from rollguard.cli import exits
from rollguard.cli.main import call
from rollguard.cli.status import questions, unacknowledged
from rollguard.model.documents import Json
from rollguard.model.handling import Acknowledgement
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.records import LifecycleState, RolloutRecord, UnitRecord
from rollguard.record import rollout_to_json, unit_to_json
from tests.unit.cli.clusters import Cluster
from tests.unit.cli.stories import held, unit, watched
from tests.unit.records import START, set_record
from tests.unit.sets import PLATFORM

TARGET = "production/translation"
INCIDENT = "INC-translation-r2"


@dataclass
class Guarded:
    """A cluster with one unit and its rollout; whose controller takes each request at once, unless it is away."""

    unit: UnitRecord
    rollout: RolloutRecord
    kubeconfig: Path = Path()
    written: list[dict[str, Json]] = field(default_factory=list)
    unheard: str = ""
    """What the controller answers instead of doing it."""

    def answer(self, request: Request) -> Response:
        """As the API server does."""
        if request.path.endswith("selfsubjectreviews"):
            return _json({"status": {"userInfo": {"username": "ana"}}}, 201)
        kind, _, name = request.path.partition("guarded")[2].partition("/")
        if request.method == "PATCH":
            entry = json.loads(request.get_data())[-1]["value"][-1]
            self.written.append(entry)
            self.unit = replace(self.unit, handled_requests=(*self.unit.handled_requests, entry["id"]))
            if self.unheard:
                text = f"ana's answer {entry['id']} ({entry['kind']}): {self.unheard}\nTime: 02:00"
                told = Notice(id="n", class_=NoticeClass.INFO, topic="answer-unasked", title="t", text=text, at=START)
                self.rollout = replace(self.rollout, notices=(told,))
        texts = {"units": unit_to_json(self.unit, version="7"), "rollouts": rollout_to_json(self.rollout, version="7")}
        found = json.loads(texts[kind]) if kind in texts else None
        return _json({"metadata": {}, "items": [found]} if not name else found)

    def call(self, *command: str) -> int:
        """Runs a command line against it."""
        return call([*command, "--kubeconfig", str(self.kubeconfig)])

    @property
    def entry(self) -> dict[str, Json]:
        """The one request that was written, without its name and time."""
        (entry,) = self.written
        return {key: value for key, value in entry.items() if key not in ("id", "at", "force")}


def _json(body: object, status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")


@pytest.fixture
def guarded(httpserver: HTTPServer, tmp_path: Path) -> Guarded:
    made = Guarded(unit=unit(), rollout=replace(held(), incident=INCIDENT))
    made.kubeconfig = Cluster(httpserver).kubeconfig(tmp_path, "production")
    httpserver.clear()
    httpserver.expect_request(re.compile(r"/apis?/.*")).respond_with_handler(made.answer)
    return made


@pytest.mark.parametrize("target", [(TARGET,), ("production", "translation"), (INCIDENT,), (str(held().id),)])
def test_a_page_is_acknowledged_for_the_very_rollout_by_whichever_name(
    target: tuple[str, ...], guarded: Guarded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded.call("ack", *target, "--reason", "I look at it") == exits.OK
    rollout = str(guarded.rollout.id)
    assert guarded.entry == {"kind": "acknowledge", "actor": "ana", "reason": "I look at it", "rollout": rollout}
    assert capsys.readouterr().out == "acknowledged by ana: production/translation, revision 1 -> 2\n"


def test_one_finding_is_acknowledged_by_its_signal(guarded: Guarded, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded.call("ack", TARGET, "--signal", "error-rate") == exits.OK
    assert guarded.entry["signal"] == "error-rate"
    assert capsys.readouterr().out.endswith("revision 1 -> 2, error-rate\n")


def test_of_a_release_set_the_member_whose_deployment_is_named_is_meant(
    guarded: Guarded, capsys: pytest.CaptureFixture[str]
) -> None:
    guarded.rollout = set_record()
    guarded.unit = replace(unit(), name=PLATFORM.unit, workload=PLATFORM.workload, release_set=PLATFORM)
    assert guarded.call("ack", "production/backend-green", "--signal", "error-rate") == exits.OK
    assert (guarded.entry["signal"], guarded.entry["only"]) == ("error-rate", "backend")
    assert capsys.readouterr().out.endswith(", backend error-rate\n")


def test_what_the_guard_does_not_take_ends_the_command_with_its_words(
    guarded: Guarded, capsys: pytest.CaptureFixture[str]
) -> None:
    guarded.unheard = "the policy of rollout r has no signal eror-rate"
    assert guarded.call("ack", TARGET, "--signal", "eror-rate") == exits.PROBLEM
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.endswith("(acknowledge): the policy of rollout r has no signal eror-rate\n")


def test_who_looks_into_it_says_so_and_programs_read_it(guarded: Guarded, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded.call("investigate", TARGET, "--reason", "logs", "-o", "json") == exits.OK
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["actor"], told["incident"], told["handled"]) == ("investigate", "ana", INCIDENT, True)
    assert guarded.entry["kind"] == "investigate"


def test_a_note_is_written_and_closes_its_finding_where_that_is_said(
    guarded: Guarded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded.call("note", INCIDENT, "a missing index") == exits.OK
    assert guarded.entry["kind"] == "note"
    assert guarded.entry["reason"] == "a missing index"
    guarded.written.clear()
    assert guarded.call("note", TARGET, "index added", "--signal", "error-rate", "--close") == exits.OK
    assert (guarded.entry["kind"], guarded.entry["signal"]) == ("resolve", "error-rate")
    assert (
        capsys.readouterr().out.splitlines()[1] == "closed by ana: production/translation, revision 1 -> 2, error-rate"
    )


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("note", TARGET, " "), "the note is empty: expected what you found out"),
        (("note", TARGET, "done", "--close"), "--close closes one finding: name it with --signal"),
    ],
)
def test_a_note_that_says_nothing_is_wrong_usage(
    command: tuple[str, ...], said: str, guarded: Guarded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded.call(*command) == exits.USAGE
    assert said in capsys.readouterr().err
    assert guarded.written == []


def test_an_incident_is_resolved_with_a_reason(guarded: Guarded, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded.call("incident", "resolve", INCIDENT, "--reason", "traffic is back") == exits.OK
    assert guarded.entry["kind"] == "resolve"
    assert "signal" not in guarded.entry
    assert capsys.readouterr().out == "resolved by ana: production/translation, revision 1 -> 2\n"


def test_a_report_is_what_show_prints_and_goes_to_a_new_file_alone(
    guarded: Guarded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded.call("incident", "show", INCIDENT) == exits.OK
    shown = capsys.readouterr().out
    assert guarded.call("incident", "report", INCIDENT) == exits.OK
    assert capsys.readouterr().out == shown
    file = tmp_path / "incident.md"
    assert guarded.call("incident", "report", INCIDENT, "--to", str(file)) == exits.OK
    assert file.read_text() == shown
    assert guarded.call("incident", "report", INCIDENT, "--to", str(file)) == exits.USAGE
    assert "incident.md: cannot be written: File exists" in capsys.readouterr().err


def test_status_names_the_page_that_nobody_has_acknowledged_and_who_looks_into_a_question() -> None:
    ana = Acknowledgement(actor="ana", at=START.plus(60))
    paged = replace(held(), called=START.plus(30))
    rollouts = {TARGET: paged}
    assert unacknowledged([unit()], rollouts) == [
        "! production/translation: paged at 2026-11-03T02:00:30Z, not acknowledged:"
        " `rollguard ack production/translation`"
    ]
    assert unacknowledged([unit()], {TARGET: replace(paged, acknowledged=ana)}) == []
    asked = watched(state=LifecycleState.AWAITING_APPROVAL, investigating=ana)
    (line,) = questions([unit()], {TARGET: asked})
    assert line.endswith("(or reject); ana looks into it since 2026-11-03T02:01:00Z")


def test_a_note_takes_the_namespace_and_the_workload_as_two_words_too(guarded: Guarded) -> None:
    assert guarded.call("note", *TARGET.split("/"), "a missing index") == exits.OK
    assert (guarded.entry["kind"], str(guarded.entry["reason"]).split(" (")[0]) == ("note", "a missing index")


@pytest.mark.parametrize(
    "words", [(TARGET, "a", "index"), (INCIDENT, "a", "index"), ("production", "translation", "a", "missing", "index")]
)
def test_a_note_without_quotes_is_refused_with_the_forms_that_are_right(
    words: tuple[str, ...], guarded: Guarded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded.call("note", *words) == exits.USAGE
    assert 'the text in quotes: NAMESPACE WORKLOAD "TEXT"' in capsys.readouterr().err
    assert not guarded.written


def test_an_incident_is_resolved_by_its_workload_in_two_words(guarded: Guarded) -> None:
    assert guarded.call("incident", "resolve", *TARGET.split("/")) == exits.OK
    assert guarded.entry["kind"] == "resolve"
