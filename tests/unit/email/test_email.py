"""Mails reach a real SMTP server, over TLS alone, and every answer of the server is told as what it is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from lab.standins.mail import PASSWORD, USER, Server, serving
from rollguard.adapters.email import Email
from rollguard.adapters.secrets import Secrets
from rollguard.model.channels import SecretKey
from rollguard.model.destinations import EmailChannel, MailTls
from rollguard.model.names import RolloutId
from rollguard.model.notices import Notice, NoticeClass
from rollguard.ports import Accepted, NotConfigured, Refused, Retry
from tests.unit.records import START, rollout_record

OPS, BOSS = "ops-team@example.com", "boss@example.com"
NOTICE = Notice(
    id="translation-r2-bbb-uid1.recovered.1a2b3c4d.1",
    class_=NoticeClass.INFO,
    topic="recovered",
    title="Recovered after the rollback: production/translation",
    text="Recovered: error-rate 0.2%, for 2m\nTime: 2026-11-03 02:08:00 UTC",
    at=START.plus(480),
)


def channel(server: Server, *, tls: MailTls = MailTls.STARTTLS, to: tuple[str, ...] = (OPS,)) -> EmailChannel:
    return EmailChannel(
        to=to,
        sender="rollguard@example.com",
        host="127.0.0.1",
        port=server.port,
        tls=tls,
        ca_file="" if tls is MailTls.NONE else str(server.certificate),
    )


def secrets(directory: Path, *, username: str = "", password: str = "") -> Secrets:
    folder = directory / "secrets"
    folder.mkdir(exist_ok=True)
    for key, value in ((SecretKey.SMTP_USERNAME, username), (SecretKey.SMTP_PASSWORD, password)):
        (folder / key).write_text(value)
    return Secrets(folder)


def email(server: Server, directory: Path, *, tls: MailTls = MailTls.STARTTLS, to: tuple[str, ...] = (OPS,)) -> Email:
    return Email(channel(server, tls=tls, to=to), secrets(directory), time_zone="UTC")


async def test_a_password_that_the_policy_names_and_that_is_empty_is_told_and_no_mail_goes_without_it(
    tmp_path: Path,
) -> None:
    named = (SecretKey.SMTP_USERNAME, SecretKey.SMTP_PASSWORD)
    async with serving(tmp_path) as server:
        mail = Email(channel(server), secrets(tmp_path), time_zone="UTC", named=named)
        outcome = await mail.send(NOTICE, None, timeout=5)
    assert server.taken == []
    assert isinstance(outcome, NotConfigured)
    assert outcome.detail == (
        "the Secret's `smtp-username` is empty, but `notify.secrets` names it: no mail goes without it"
    )


async def test_a_summary_arrives_over_starttls_as_text_and_html_under_its_own_id(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        outcome = await email(server, tmp_path, to=(OPS, BOSS)).send(NOTICE, rollout_record(), timeout=5)
    assert outcome == Accepted(detail=f"2.0.0 queued as 4711 for {OPS}, {BOSS}")
    (taken,) = server.taken
    assert (taken.tls, taken.sender, taken.to) == (True, "rollguard@example.com", (OPS, BOSS))
    assert taken.mail["To"] == f"{OPS}, {BOSS}"
    assert taken.mail["Subject"] == "[Rollguard] Recovered after the rollback: production/translation"
    assert taken.mail["Message-ID"] == f"<{NOTICE.id}@example.com>"
    assert taken.mail["Date"] == "Tue, 03 Nov 2026 02:08:00 +0000"
    text, html = taken.mail.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    for part in (text, html):
        assert "template of revision 1 restored" in part.get_content()


async def test_the_team_of_the_workload_gets_it_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        teams = (("audio", ("audio@example.com",)), ("video", ("video@example.com",)))
        mail = Email(replace(channel(server), teams=teams), secrets(tmp_path), time_zone="UTC")
        await mail.send(replace(NOTICE, team="video"), None, timeout=5)
    assert [taken.to for taken in server.taken] == [(OPS, "video@example.com")]
    assert server.taken[0].mail["To"] == f"{OPS}, video@example.com"


async def test_all_mails_of_a_rollout_are_one_thread(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        for number in ("1", "2"):
            await email(server, tmp_path).send(replace(NOTICE, id=f"n.{number}"), rollout_record(), timeout=5)
    assert {taken.mail["References"] for taken in server.taken} == {"<translation-r2-bbb-uid1@example.com>"}


async def test_a_mail_goes_over_tls_from_the_first_byte_with_user_name_and_password(tmp_path: Path) -> None:
    async with serving(tmp_path, tls=True, authentication=True) as server:
        mail = Email(
            channel(server, tls=MailTls.TLS), secrets(tmp_path, username=USER, password=PASSWORD), time_zone="UTC"
        )
        outcome = await mail.send(NOTICE, None, timeout=5)
    assert isinstance(outcome, Accepted)
    assert [(taken.tls, taken.authenticated) for taken in server.taken] == [(True, True)]


async def test_a_password_that_comes_later_is_taken_up(tmp_path: Path) -> None:
    async with serving(tmp_path, authentication=True) as server:
        held = secrets(tmp_path)
        mail = Email(channel(server), held, time_zone="UTC")
        before = await mail.send(NOTICE, None, timeout=5)
        secrets(tmp_path, username=USER, password=PASSWORD)
        after = await mail.send(NOTICE, None, timeout=5)
    assert isinstance(before, Refused)
    assert "530" in before.detail
    assert isinstance(after, Accepted)


async def test_a_wrong_password_is_refused_and_not_told(tmp_path: Path) -> None:
    wrong = "wr0ng-phrase"
    async with serving(tmp_path, authentication=True) as server:
        mail = Email(channel(server), secrets(tmp_path, username=USER, password=wrong), time_zone="UTC")
        outcome = await mail.send(NOTICE, None, timeout=5)
    assert isinstance(outcome, Refused)
    assert "535" in outcome.detail
    assert wrong not in outcome.detail
    assert server.taken == []


async def test_what_a_server_repeats_of_a_password_is_not_told(tmp_path: Path) -> None:
    async with serving(tmp_path, authentication=True) as server:
        server.data = f"554 5.7.1 {USER} with {PASSWORD} may not"
        mail = Email(channel(server), secrets(tmp_path, username=USER, password=PASSWORD), time_zone="UTC")
        outcome = await mail.send(NOTICE, None, timeout=5)
    assert isinstance(outcome, Refused)
    assert "554" in outcome.detail
    assert PASSWORD not in outcome.detail


async def test_half_a_credential_is_no_credential(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        outcome = await Email(channel(server), secrets(tmp_path, username=USER), time_zone="UTC").send(
            NOTICE, None, timeout=5
        )
    assert isinstance(outcome, NotConfigured)
    assert "smtp-password" in outcome.detail
    assert server.taken == []


async def test_a_password_never_goes_over_a_way_that_others_can_read(tmp_path: Path) -> None:
    async with serving(tmp_path, starttls=False) as server:
        held = secrets(tmp_path, username=USER, password=PASSWORD)
        outcome = await Email(channel(server, tls=MailTls.NONE), held, time_zone="UTC").send(NOTICE, None, timeout=5)
    assert isinstance(outcome, NotConfigured)
    assert server.taken == []


async def test_without_starttls_nothing_is_sent(tmp_path: Path) -> None:
    async with serving(tmp_path, starttls=False) as server:
        outcome = await email(server, tmp_path).send(NOTICE, None, timeout=5)
    assert isinstance(outcome, Refused)
    assert "does not offer STARTTLS" in outcome.detail
    assert server.taken == []


async def test_only_where_the_policy_says_so_a_mail_goes_without_tls(tmp_path: Path) -> None:
    async with serving(tmp_path, starttls=False) as server:
        outcome = await email(server, tmp_path, tls=MailTls.NONE).send(NOTICE, None, timeout=5)
    assert isinstance(outcome, Accepted)
    assert [taken.tls for taken in server.taken] == [False]


@pytest.mark.parametrize("tls", [MailTls.STARTTLS, MailTls.TLS])
async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, tls: MailTls) -> None:
    async with serving(tmp_path, tls=tls is MailTls.TLS) as server:
        unknown = replace(channel(server, tls=tls), ca_file="")
        outcome = await Email(unknown, secrets(tmp_path), time_zone="UTC").send(NOTICE, None, timeout=5)
    assert isinstance(outcome, Refused)
    assert "its certificate is not good: self-signed certificate" in outcome.detail
    assert server.taken == []


async def test_a_certificate_of_another_host_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        other = replace(channel(server), host="127.0.0.2")
        listener = await asyncio.start_server(lambda r, w: _pass_on(r, w, server.port), "127.0.0.2", 0)
        other = replace(other, port=listener.sockets[0].getsockname()[1])
        outcome = await Email(other, secrets(tmp_path), time_zone="UTC").send(NOTICE, None, timeout=5)
        listener.close()
    assert isinstance(outcome, Refused)
    assert "IP address mismatch" in outcome.detail
    assert server.taken == []


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    there, back = await asyncio.open_connection("127.0.0.1", port)

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.close()

    await asyncio.gather(copy(reader, back), copy(there, writer))


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_file_of_certificates_that_is_none_is_named(tmp_path: Path, content: str | None) -> None:
    async with serving(tmp_path) as server:
        path = tmp_path / "ours.pem"
        if content is not None:
            path.write_text(content)
        broken = replace(channel(server), ca_file=str(path))
        outcome = await Email(broken, secrets(tmp_path), time_zone="UTC").send(NOTICE, None, timeout=5)
    assert isinstance(outcome, Refused)
    assert f"notify.email.caFile {path}" in outcome.detail


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("451 4.3.0 try later", Retry),
        ("452 4.3.1 full", Retry),
        ("552 5.3.4 too big", Refused),
        ("554 5.7.1 no", Refused),
    ],
)
async def test_what_the_server_says_of_the_mail_decides(
    tmp_path: Path, answer: str, kind: type[Refused] | type[Retry]
) -> None:
    async with serving(tmp_path) as server:
        server.data = answer
        outcome = await email(server, tmp_path).send(NOTICE, None, timeout=5)
    assert isinstance(outcome, kind)
    assert answer in outcome.detail


async def test_who_is_refused_is_named_though_the_others_got_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        server.recipients[BOSS] = "550 5.1.1 no such user"
        outcome = await email(server, tmp_path, to=(OPS, BOSS)).send(NOTICE, None, timeout=5)
    assert isinstance(outcome, Accepted)
    assert outcome.detail == f"2.0.0 queued as 4711 for {OPS}; {BOSS} refused: 550 5.1.1 no such user"


async def test_where_all_are_refused_the_mail_is(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        server.recipients = {OPS: "550 5.1.1 no such user", BOSS: "551 5.7.1 not here"}
        outcome = await email(server, tmp_path, to=(OPS, BOSS)).send(NOTICE, None, timeout=5)
    assert isinstance(outcome, Refused)
    assert f"{OPS} refused: 550" in outcome.detail
    assert f"{BOSS} refused: 551" in outcome.detail


async def test_who_is_put_off_gets_it_later_and_the_others_do_not_get_it_twice(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        mail = email(server, tmp_path, to=(OPS, BOSS))
        server.recipients[BOSS] = "450 4.2.0 greylisted"
        first = await mail.send(NOTICE, None, timeout=5)
        server.recipients.clear()
        second = await mail.send(NOTICE, None, timeout=5)
        third = await mail.send(NOTICE, None, timeout=5)
    assert isinstance(first, Retry)
    assert f"{BOSS} refused: 450" in first.detail
    assert isinstance(second, Accepted)
    assert isinstance(third, Accepted)
    assert [taken.to for taken in server.taken] == [(OPS,), (BOSS,)]


async def test_a_server_that_does_not_answer_is_asked_again_under_the_same_id(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        mail = email(server, tmp_path)
        server.silent = True
        first = await mail.send(NOTICE, None, timeout=0.5)
        server.silent = False
        second = await mail.send(NOTICE, None, timeout=5)
    assert isinstance(first, Retry)
    assert "no whole answer within 0.5 s" in first.detail
    assert isinstance(second, Accepted)
    assert {taken.mail["Message-ID"] for taken in server.taken} == {f"<{NOTICE.id}@example.com>"}


async def test_a_server_that_goes_away_is_asked_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        server.gone = True
        outcome = await email(server, tmp_path).send(NOTICE, None, timeout=5)
    assert isinstance(outcome, Retry)


async def test_a_server_that_is_not_there_is_asked_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        pass
    outcome = await email(server, tmp_path).send(NOTICE, None, timeout=5)
    assert isinstance(outcome, Retry)
    assert f"127.0.0.1:{server.port}" in outcome.detail


@pytest.mark.parametrize("breaks", ["\r\n", "\n", "\r", "\u2028", "\x00"])
async def test_no_text_becomes_a_header_or_an_address(tmp_path: Path, breaks: str) -> None:
    evil = f"x{breaks}Bcc: everybody@example.com{breaks}{breaks}.{breaks}RCPT TO:<everybody@example.com>"
    notice = replace(NOTICE, id=evil, title=evil, text=evil)
    record = replace(rollout_record(), id=type(rollout_record().id)(evil), why=evil)
    async with serving(tmp_path) as server:
        outcome = await email(server, tmp_path).send(notice, record, timeout=5)
    assert isinstance(outcome, Accepted)
    (taken,) = server.taken
    assert taken.to == (OPS,)
    assert set(taken.mail.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "References", "Auto-Submitted"),
        *("MIME-Version", "Content-Type"),
    }


async def _answers_in_latin_1(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that refuses whoever sends, in its own language."""
    writer.write(b"220 mail\r\n")
    while line := await reader.readline():
        writer.write(
            b"250 mail\r\n" if line.upper().startswith((b"EHLO", b"QUIT")) else b"550 5.7.1 f\xfcr Sie nicht\r\n"
        )
    writer.close()


async def test_an_answer_that_is_no_utf_8_can_be_kept_in_a_record(tmp_path: Path) -> None:
    async with await asyncio.start_server(_answers_in_latin_1, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        told = EmailChannel(to=(OPS,), sender=OPS, host="127.0.0.1", port=port, tls=MailTls.NONE)
        outcome = await Email(told, secrets(tmp_path), time_zone="UTC").send(NOTICE, None, timeout=5)
    assert isinstance(outcome, Refused)
    assert "550 5.7.1 f\N{REPLACEMENT CHARACTER}r Sie nicht" in outcome.detail


async def test_mails_about_a_rollout_with_a_long_name_are_one_thread_too(tmp_path: Path) -> None:
    """A header that a mail program cannot read makes none."""
    record = replace(rollout_record(), id=RolloutId("translation-and-other-things-of-the-media-pipeline-r2-bbb-uid1"))
    async with serving(tmp_path) as server:
        await email(server, tmp_path).send(replace(NOTICE, id=f"{record.id}.recovered.1"), record, timeout=5)
    (taken,) = server.taken
    assert taken.mail["References"] == f"<{record.id}@example.com>"
    assert taken.mail["Message-ID"] == f"<{record.id}.recovered.1@example.com>"
    assert "=?" not in taken.mail.as_string().partition("\n\n")[0]
