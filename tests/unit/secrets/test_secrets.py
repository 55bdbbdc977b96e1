"""The Secret for notices: read anew at each use, and never told."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollguard.adapters.secrets import Secrets
from rollguard.model.channels import SLACK_DEPLOYMENTS, SLACK_INCIDENTS, SLACK_WARNINGS, SecretKey

WEBHOOK = "https://hooks.slack.test/services/T0/B0/planted-secret"


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return Secrets(tmp_path)


def test_a_value_is_read_without_the_line_end_that_files_have(secrets: Secrets, tmp_path: Path) -> None:
    (tmp_path / "slack-bot-token").write_text(" xoxb-1\n")
    assert secrets.read(SecretKey.SLACK_BOT_TOKEN) == "xoxb-1"


def test_a_secret_that_comes_or_changes_later_is_taken_up_at_the_next_use(secrets: Secrets, tmp_path: Path) -> None:
    assert secrets.read(SecretKey.PAGERDUTY_API_KEY) is None
    for value in ("first", "second"):
        (tmp_path / "pagerduty-api-key").write_text(value)
        assert secrets.read(SecretKey.PAGERDUTY_API_KEY) == value


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"], ids=["empty", "blank", "not text"])
def test_a_file_without_a_value_is_as_good_as_none(content: bytes, secrets: Secrets, tmp_path: Path) -> None:
    (tmp_path / "smtp-password").write_bytes(content)
    assert secrets.read(SecretKey.SMTP_PASSWORD) is None


def test_a_value_that_only_looks_like_an_address_hinders_no_other(secrets: Secrets, tmp_path: Path) -> None:
    (tmp_path / "slack-webhook-url").write_text("https://[planted-secret")
    (tmp_path / "pagerduty-api-key").write_text("another-secret")
    assert secrets.present() == {SecretKey.SLACK_WEBHOOK_URL, SecretKey.PAGERDUTY_API_KEY}
    assert "planted-secret" not in secrets.redact("no such host: https://[planted-secret")


def test_a_directory_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert Secrets(tmp_path / "absent").present() == frozenset()


def test_what_a_server_repeats_of_a_secret_is_replaced_by_its_name(secrets: Secrets, tmp_path: Path) -> None:
    (tmp_path / "slack-webhook-url").write_text(WEBHOOK)
    (tmp_path / "journal-dsn").write_text("postgresql://guard:hunter22@db/journal")
    said = secrets.redact(f"no service at {WEBHOOK}: /services/T0/B0/planted-secret; wrong password hunter22")
    assert said == "no service at [slack-webhook-url]: /[slack-webhook-url]; wrong password [journal-dsn]"


def test_a_secret_that_was_replaced_meanwhile_is_not_told_either(secrets: Secrets, tmp_path: Path) -> None:
    (tmp_path / "slack-bot-token").write_text("xoxb-old-one")
    secrets.read(SecretKey.SLACK_BOT_TOKEN)
    (tmp_path / "slack-bot-token").write_text("xoxb-new-one")
    assert "xoxb" not in secrets.redact("xoxb-old-one xoxb-new-one")


def test_one_webhook_carries_all_channels_of_slack_until_one_has_its_own(secrets: Secrets, tmp_path: Path) -> None:
    channels = (SLACK_DEPLOYMENTS, SLACK_WARNINGS, SLACK_INCIDENTS)
    assert {secrets.slack(channel) for channel in channels} == {None}
    (tmp_path / "slack-webhook-url").write_text(WEBHOOK)
    assert {secrets.slack(channel) for channel in channels} == {SecretKey.SLACK_WEBHOOK_URL}
    (tmp_path / "slack-webhook-url-incidents").write_text(WEBHOOK + "-2")
    assert secrets.slack(SLACK_INCIDENTS) is SecretKey.SLACK_WEBHOOK_URL_INCIDENTS
    assert secrets.slack(SLACK_WARNINGS) is SecretKey.SLACK_WEBHOOK_URL
    (tmp_path / "slack-bot-token").write_text("xoxb-1")
    assert {secrets.slack(channel) for channel in channels} == {SecretKey.SLACK_BOT_TOKEN}
