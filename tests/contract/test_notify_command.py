"""`rollguard notify test` against the stand-ins of the services, and with the platform's three keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from rollguard.cli import exits
from rollguard.cli.main import call
from tests.unit.policy.test_teams import of_video
from tests.unit.policy.texts import added


@pytest.fixture
def policy(httpserver: HTTPServer, tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    hook, api = httpserver.url_for("/chat/pLaNtEd"), httpserver.url_for("/api")
    notify = f"webhooks: [{{name: chat, url: '{hook}'}}], pagerduty: {{from: ops@example.com, api: '{api}'}}"
    file.write_text(added(f"notify: {{{notify}}}"))
    return file


@pytest.fixture
def values(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    return folder


def outcome(policy: Path, values: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, str]]:
    code = call(["notify", "test", *more, "--policy", str(policy), "--secrets", str(values), "-o", "json"])
    return code, {each["channel"]: each["result"] for each in json.loads(capsys.readouterr().out)}


def test_without_a_secret_only_the_webhook_is_tested_and_the_others_are_not_configured(
    httpserver: HTTPServer, policy: Path, values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    httpserver.expect_request("/chat/pLaNtEd", method="POST").respond_with_data("ok")
    code, found = outcome(policy, values, capsys)
    assert code == exits.OK
    assert found.pop("chat") == "accepted"
    assert found and set(found.values()) == {"not configured"}
    body = httpserver.log[0][0].get_json()
    assert (body["topic"], body["class"]) == ("test", "info")
    assert "TEST" in body["title"]


def test_with_the_platforms_three_keys_slack_has_one_place_and_the_pager_opens_an_incident(
    httpserver: HTTPServer, policy: Path, values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (values / "pagerduty-api-key").write_text("pLaNtEdKeY")
    (values / "pagerduty-service-id").write_text("PSERVICE")
    (values / "slack-webhook-url").write_text("https://127.0.0.1:9/services/pLaNtEd")
    httpserver.expect_request("/chat/pLaNtEd").respond_with_data("ok")
    httpserver.expect_request("/api/incidents", method="POST").respond_with_json({"incident": {"id": "Q1"}}, status=201)
    code, found = outcome(policy, values, capsys)
    assert code == exits.PROBLEM
    assert found == {
        "slack-deployments": "no good answer",
        "slack-warnings": "shared",
        "slack-incidents": "shared",
        "pagerduty": "accepted",
        "pagerduty-events": "not configured",
        "email": "not configured",
        "tickets": "not configured",
        "chat": "accepted",
    }


def test_what_a_service_repeats_of_a_secret_is_not_shown(
    httpserver: HTTPServer, policy: Path, values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (values / "pagerduty-api-key").write_text("pLaNtEdKeY")
    (values / "pagerduty-service-id").write_text("PSERVICE")
    httpserver.expect_request("/api/incidents").respond_with_json({"error": {"message": "no pLaNtEdKeY"}}, status=401)
    code = call(["notify", "test", "pagerduty", "--policy", str(policy), "--secrets", str(values)])
    shown = capsys.readouterr()
    assert code == exits.PROBLEM
    assert "refused" in shown.out
    assert "HTTP 401 no [pagerduty-api-key]" in shown.out
    assert "pLaNtEd" not in shown.out + shown.err


def test_one_channel_that_is_not_configured_is_a_no(
    policy: Path, values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = outcome(policy, values, capsys, "slack-warnings")
    assert (code, found) == (exits.PROBLEM, {"slack-warnings": "not configured"})


def test_a_channel_that_there_is_not_is_wrong_usage_and_the_ones_there_are_are_named(
    policy: Path, values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = call(["notify", "test", "slak", "--policy", str(policy), "--secrets", str(values)])
    assert code == exits.USAGE
    assert "expected one of slack-deployments" in capsys.readouterr().err


def test_a_teams_own_channel_is_tested_by_its_name_and_needs_the_bots_token(
    policy: Path, values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    team = "secrets: [slack-bot-token], teams: {video: {slack: {incidents: '#video-fire'}}}"
    policy.write_text(of_video(added(f"notify: {{{team}}}")))
    code = call(["notify", "test", "slack-incidents@video", "--policy", str(policy), "--secrets", str(values)])
    assert code == exits.PROBLEM
    said = capsys.readouterr().out
    assert "slack-incidents@video" in said
    assert "needs `slack-bot-token`" in said


def test_tickets_are_not_tested_for_a_test_would_make_one(
    httpserver: HTTPServer, tmp_path: Path, values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hook = httpserver.url_for("/chat")
    file = tmp_path / "policy.yaml"
    file.write_text(added(f"notify: {{webhooks: [{{name: chat, url: '{hook}'}}], tickets: {{url: '{hook}/tickets'}}}}"))
    httpserver.expect_request("/chat").respond_with_data("ok")
    code, found = outcome(file, values, capsys)
    assert (code, found["tickets"], found["chat"]) == (exits.OK, "not tested", "accepted")
    code, found = outcome(file, values, capsys, "tickets")
    assert (code, found) == (exits.PROBLEM, {"tickets": "not tested"})
    assert [request.path for request, _ in httpserver.log] == ["/chat"]


@pytest.mark.parametrize(("name", "said"), [("absent", "no such directory"), ("policy.yaml", "not a directory")])
def test_a_directory_of_secrets_that_is_none_is_told_once(
    policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    code = call(["notify", "test", "--policy", str(policy), "--secrets", str(tmp_path / name)])
    shown = capsys.readouterr()
    assert code == exits.USAGE
    assert f"--secrets {tmp_path / name}: {said}" in " ".join(shown.err.split())
    assert shown.out == ""


def test_a_webhook_that_cannot_be_signed_is_not_sent_and_names_the_key(
    policy: Path, values: Path, capsys: pytest.CaptureFixture[str], httpserver: HTTPServer
) -> None:
    (values / "webhook-hmac-key").write_text("")
    code, found = outcome(policy, values, capsys)
    assert (code, found["chat"]) == (exits.PROBLEM, "not sent")
    assert httpserver.log == []
