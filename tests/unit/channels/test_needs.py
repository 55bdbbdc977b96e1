"""What each channel still needs is told by the names of keys and settings, as it is now, and never by a value."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from rollguard import report
from rollguard.adapters.channels import PolicyChannels
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.secrets import Secrets
from rollguard.model.channels import SecretKey
from rollguard.model.destinations import EmailChannel, Paging, Tickets, WebhookChannel
from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.records import EVERYTHING, UnitRecord
from tests.unit.judge.building import policy

PLATFORM = {
    "slack-webhook-url": "https://hooks.example.com/XYZ",
    "pagerduty-api-key": "k3y",
    "pagerduty-service-id": "P1",
}


def needs(secrets: Path, **changes: Any) -> dict[str, str]:
    """By channel, of a policy that is changed like this."""
    return dict(PolicyChannels(Secrets(secrets), SystemClock()).needs(replace(policy(), **changes)))


def test_with_the_three_keys_of_the_platform_slack_is_set_up_and_the_rest_says_what_it_needs(tmp_path: Path) -> None:
    for key, value in PLATFORM.items():
        (tmp_path / key).write_text(value)
    hook = WebhookChannel(name="ops", url="https://ops.example.com")
    assert needs(tmp_path, webhooks=(hook,), paging=Paging(), email=None) == {
        "slack-deployments": "",
        "slack-warnings": "",
        "slack-incidents": "",
        "pagerduty": "`notify.pagerduty.from` in the policy",
        "pagerduty-events": "`pagerduty-routing-key` in the Secret",
        "email": "`notify.email` in the policy",
        "ops": "",
    }
    assert needs(tmp_path, paging=Paging(sender="oncall@example.com"))["pagerduty"] == ""


def test_a_secret_that_comes_is_seen_at_the_next_look_and_tickets_where_they_have_an_address(
    tmp_path: Path,
) -> None:
    tickets = Tickets(channel=WebhookChannel(name="tickets", url="https://tickets.example.com"))
    before = needs(tmp_path, tickets=tickets)
    assert before["pagerduty-events"] == "`pagerduty-routing-key` in the Secret"
    assert before["tickets"] == ""
    assert "tickets" not in needs(tmp_path)
    (tmp_path / "pagerduty-routing-key").write_text("R123")
    assert needs(tmp_path)["pagerduty-events"] == ""


def test_a_key_that_is_there_without_a_value_is_told_from_one_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "pagerduty-routing-key").write_text("")
    (tmp_path / "pagerduty-api-key").write_bytes(b"\xff\xfe")
    (tmp_path / "slack-webhook-url").mkdir()
    found = needs(tmp_path, paging=Paging(sender="oncall@example.com"))
    assert found["pagerduty-events"] == "`pagerduty-routing-key` in the Secret (it is empty)"
    assert found["pagerduty"] == (
        "`pagerduty-api-key` in the Secret (it is not text), `pagerduty-service-id` in the Secret"
    )
    assert found["slack-warnings"].endswith(" in the Secret (`slack-webhook-url` is a directory)")


def test_mail_is_not_set_up_while_a_user_name_that_the_policy_names_is_empty(tmp_path: Path) -> None:
    both = (SecretKey.SMTP_USERNAME, SecretKey.SMTP_PASSWORD)
    for key in both:
        (tmp_path / key.value).write_text("")
    mail = EmailChannel(to=("ops@example.com",), sender="guard@example.com", host="mail.example.com", port=587)
    assert needs(tmp_path, email=mail)["email"] == ""
    named = needs(tmp_path, email=mail, notification_secrets=both)["email"]
    assert named.startswith("`smtp-username` in the Secret (it is empty), `smtp-password`")


def everything(*channels: tuple[str, str]) -> UnitRecord:
    name = UnitName("monitoring", EVERYTHING)
    workload = WorkloadName("monitoring", WorkloadKind.DEPLOYMENT, EVERYTHING)
    return UnitRecord(name=name, workload=workload, channels=channels)


def test_the_line_for_people_names_what_is_set_up_and_what_the_others_need() -> None:
    lacking = ("email", "`notify.email` in the policy")
    both = report.channels(everything(("slack-incidents", ""), ("hook", ""), lacking))
    alone = report.channels(everything(lacking))
    assert both == "Notices go out by slack-incidents, hook. Not set up: email (needs `notify.email` in the policy)."
    assert alone == "Notices go to the guard's log alone. Not set up: email (needs `notify.email` in the policy)."
    assert report.channels(everything(("hook", ""))) == "Notices go out by hook."
    assert report.channels(everything()) == ""


def test_many_channels_that_need_the_same_are_told_together_and_counted() -> None:
    teams = tuple((f"slack-warnings/team-{number}", "`slack-bot-token` in the Secret") for number in range(300))
    line = report.channels(everything(("hook", ""), *teams))
    assert line.startswith("Notices go out by hook. Not set up: slack-warnings/team-0, slack-warnings/team-1, ")
    assert line.endswith(" and 292 more (needs `slack-bot-token` in the Secret).")
