"""How teams are told, in the text of a policy."""

from __future__ import annotations

import pytest

from rollguard.model.destinations import TeamChannels
from rollguard.policy.remarks import remarks
from tests.unit.policy.test_email import MAIL
from tests.unit.policy.texts import added, good, mistakes, only


def of_video(text: str) -> str:
    """The policy with a team for its watch."""
    assert text.count("namespace: production") >= 1
    return text.replace("namespace: production", "namespace: production\n      team: video", 1)


def test_a_team_gets_mail_about_its_own_workloads_beside_everybody_else() -> None:
    text = f"notify: {{email: {{{MAIL}}}, teams: {{video: {{email: [v@example.com, OPS@example.com]}}}}}}"
    channel = good(of_video(added(text))).email
    assert channel is not None
    assert channel.recipients("video") == ("ops@example.com", "v@example.com")
    assert channel.recipients("") == channel.recipients("audio") == ("ops@example.com",)


def test_a_teams_list_without_a_server_is_a_mistake() -> None:
    text = added("notify: {teams: {video: {email: [v@example.com]}}}")
    assert "by which server mails go" in only(of_video(text))


@pytest.mark.parametrize("email", ["{to: ops@example.com}", f"{{{MAIL}, port: 0}}", f"{{{MAIL}, tsl: none}}"])
def test_a_server_with_a_mistake_in_it_is_not_said_to_be_absent(email: str) -> None:
    text = of_video(added(f"notify: {{email: {email}, teams: {{video: {{email: [v@example.com]}}}}}}"))
    assert not [each for each in mistakes(text) if "by which server" in str(each)]


def test_each_address_of_a_team_stands_once() -> None:
    text = f"notify: {{email: {{{MAIL}}}, teams: {{video: {{email: [v@example.com, V@example.com]}}}}}}"
    assert "each address once" in only(of_video(added(text)))


def test_a_team_that_no_watch_names_would_never_be_told() -> None:
    text = f"notify: {{email: {{{MAIL}}}, teams: {{vidoe: {{email: [v@example.com]}}}}}}"
    assert "the `team` of a watch; did you mean `video`?" in only(of_video(added(text)))


def test_a_team_has_channels_of_slack_of_its_own_by_name_or_id() -> None:
    text = "notify: {teams: {video: {slack: {warnings: '#video-warn', incidents: C0123456789}}}}"
    slack = good(of_video(added(text))).slack
    assert slack.teams == (TeamChannels(team="video", warnings="#video-warn", incidents="C0123456789"),)
    assert slack.named("slack-incidents@video") == "C0123456789"
    assert slack.named("slack-incidents") == "#production-incidents"
    assert sorted(slack.of_teams()) == ["slack-incidents@video", "slack-warnings@video"]


def test_a_team_with_channels_alone_gets_no_mail_of_its_own() -> None:
    text = f"notify: {{email: {{{MAIL}}}, teams: {{video: {{slack: {{warnings: '#video'}}}}}}}}"
    channel = good(of_video(added(text))).email
    assert channel is not None
    assert channel.recipients("video") == ("ops@example.com",)


@pytest.mark.parametrize("team", ["{}", "{slack: {}}"])
def test_a_team_that_nothing_tells_is_a_mistake(team: str) -> None:
    assert "`email` or `slack` in it" in only(of_video(added(f"notify: {{teams: {{video: {team}}}}}")))


def test_a_channel_of_a_team_is_a_channel() -> None:
    text = added("notify: {teams: {video: {slack: {incidents: '#Video Team'}}}}")
    assert "a Slack channel in quotes" in only(of_video(text))


@pytest.mark.parametrize(("secrets", "said"), [("slack-webhook-url", 1), ("slack-bot-token", 0)])
def test_channels_of_a_team_without_a_bots_token_are_remarked_on_where_they_stand(secrets: str, said: int) -> None:
    text = of_video(added(f"notify: {{secrets: [{secrets}], teams: {{video: {{slack: {{warnings: '#video'}}}}}}}}"))
    found = remarks(good(text), text, "policy.yaml")
    assert len(found) == said
    assert all("a webhook cannot choose its channel" in remark.expected and remark.line > 1 for remark in found)
