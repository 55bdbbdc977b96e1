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
        (f"{MAIL}, port: 70000", "expected a number of at most 65535"),
        (f"{MAIL}, port: 0", "expected a number of at least 1"),
        (f'{MAIL}, port: "587"', "expected a whole number, without quotes"),
        (MAIL.replace("[ops@example.com]", "[]"), "`[]`: expected at least 1 in it"),
        (MAIL.replace("[ops@example.com]", "ops@example.com"), "expected a list, such as [ops@example.com]"),
    ],
)
def test_what_cannot_be_mailed_is_a_mistake(keys: str, words: str) -> None:
    assert words in only(added(f"notify: {{email: {{{keys}}}}}"))


def test_a_password_does_not_go_over_a_way_that_others_can_read() -> None:
    text = f"notify: {{email: {{{MAIL}, tls: none}}, secrets: [smtp-username, smtp-password]}}"
    assert "they go over TLS only" in only(added(text))


def test_a_user_name_without_its_password_is_a_mistake() -> None:
    assert "both `smtp-username` and `smtp-password`" in only(added("notify: {secrets: [smtp-username]}"))
