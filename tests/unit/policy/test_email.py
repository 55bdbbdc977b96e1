"""Who gets mail, and by which server, in the text of a policy."""

from __future__ import annotations

import pytest

from rollguard.model.destinations import EmailChannel, MailTls
from tests.unit.policy.texts import GOOD, added, good, only

MAIL = "to: [ops@example.com], from: guard@example.com, host: smtp.example.com"


def test_mail_goes_by_starttls_at_587_where_the_policy_says_no_more() -> None:
    channel = good(added(f"notify: {{email: {{{MAIL}}}}}")).email
    assert channel == EmailChannel(
        to=("ops@example.com",), sender="guard@example.com", host="smtp.example.com", port=587, tls=MailTls.STARTTLS
    )


def test_without_a_word_of_mail_there_is_none() -> None:
    assert good(GOOD).email is None


def test_a_servers_own_certificates_and_its_port_of_tls_are_taken() -> None:
    channel = good(added(f"notify: {{email: {{{MAIL}, port: 465, tls: tls, caFile: /etc/ssl/ours.pem}}}}")).email
    assert channel is not None
    assert (channel.port, channel.tls, channel.ca_file) == (465, MailTls.TLS, "/etc/ssl/ours.pem")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (MAIL.replace("ops@example.com", "'ops@example.com, boss@example.com'"), "a mail address such as"),
        (MAIL.replace("ops@example.com", '"ops@example.com\\nBcc: x@example.com"'), "a mail address such as"),
        (MAIL.replace("ops@example.com", "'Ops <ops@example.com>'"), "a mail address such as"),
        (MAIL.replace("guard@example.com", "guard"), "a mail address such as"),
        (MAIL.replace("[ops@example.com]", "[a@example.com, A@example.com]"), "each address once"),
        (MAIL.replace("smtp.example.com", "'smtp.example.com:587'"), "the name of a host such as"),
        (f"{MAIL}, tls: tls", "the port that speaks TLS from the first byte, mostly 465"),
        (f"{MAIL}, tls: none, caFile: /etc/ssl/ours.pem", "for certificates are given"),
        (f"{MAIL}, port: 70000", "65535"),
    ],
)
def test_what_cannot_be_mailed_is_a_mistake(keys: str, words: str) -> None:
    assert words in only(added(f"notify: {{email: {{{keys}}}}}"))


def test_a_password_does_not_go_over_a_way_that_others_can_read() -> None:
    text = f"notify: {{email: {{{MAIL}, tls: none}}, secrets: [smtp-username, smtp-password]}}"
    assert "they go over TLS only" in only(added(text))


def test_a_user_name_without_its_password_is_a_mistake() -> None:
    assert "both `smtp-username` and `smtp-password`" in only(added("notify: {secrets: [smtp-username]}"))


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


def test_each_address_of_a_team_stands_once() -> None:
    text = f"notify: {{email: {{{MAIL}}}, teams: {{video: {{email: [v@example.com, V@example.com]}}}}}}"
    assert "each address once" in only(of_video(added(text)))


def test_a_team_that_no_watch_names_would_never_be_told() -> None:
    text = f"notify: {{email: {{{MAIL}}}, teams: {{vidoe: {{email: [v@example.com]}}}}}}"
    assert "the `team` of a watch; did you mean `video`?" in only(of_video(added(text)))
