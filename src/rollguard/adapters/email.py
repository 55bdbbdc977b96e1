"""E-mail by SMTP: over TLS with a verified certificate, each notice with its id as Message-ID.

At least once: a mail that the server took though its answer was lost is sent again, under the same Message-ID. Whose
mailbox the server has taken a notice for does not get it again while this process lives.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from urllib.parse import quote

import aiosmtplib

from rollguard.adapters.secrets import EMPTY, Secrets
from rollguard.model.channels import EMAIL, SecretKey
from rollguard.model.destinations import EmailChannel, MailTls
from rollguard.model.notices import Notice
from rollguard.model.records import RolloutRecord
from rollguard.notify.summary import mail
from rollguard.ports import Accepted, NotConfigured, Refused, Retry

RETRY_SECONDS = 30.0
ANSWER_SHOWN = 200
REMEMBERED = 500
"""Notices of which it is known who has them."""
PERMANENT = 500
"""The first code of an answer that will not change."""
FAREWELL_SECONDS = 1.0

Outcome = Accepted | Refused | Retry | NotConfigured


class _Misconfigured(Exception):
    """The mail cannot be sent as things stand; the text says what to do."""


class Email:
    """The `Notifier` of the policy's mail server."""

    name = EMAIL

    def __init__(
        self, channel: EmailChannel, secrets: Secrets, *, time_zone: str, named: tuple[SecretKey, ...] = ()
    ) -> None:
        """`named`: the keys of `notify.secrets`; one of a user name or password that is empty is none but there."""
        self._named = named
        self._channel = channel
        self._secrets = secrets
        self._time_zone = time_zone
        self._taken: OrderedDict[str, frozenset[str]] = OrderedDict()

    async def send(self, notice: Notice, rollout: RolloutRecord | None, *, timeout: float) -> Outcome:
        """Sends one mail to all who do not have it yet.

        A 4xx, no answer and a broken connection are to be tried again; a 5xx, a server without STARTTLS and a
        certificate that nobody vouches for are refusals. Whom the server refuses is named.
        """
        credentials = self._credentials()
        if isinstance(credentials, NotConfigured):
            return credentials
        taken = self._taken.get(notice.id, frozenset())
        waiting = tuple(to for to in self._channel.recipients(notice.team) if to not in taken)
        if not waiting:
            return Accepted(detail="all have it")
        try:
            async with asyncio.timeout(timeout), self._connected(credentials) as client:
                refused, answer = await _sent(client, self._channel.sender, waiting, self._message(notice, rollout))
                self._remember(notice, frozenset(waiting) - refused.keys())
        except TimeoutError:
            return Retry(after=RETRY_SECONDS, detail=f"{self._place()}: no whole answer within {timeout:g} s")
        except _Misconfigured as problem:
            return Refused(detail=str(problem))
        except (aiosmtplib.SMTPException, OSError) as error:
            return self._failed(error)
        return self._outcome(notice, refused, answer)

    async def close(self) -> None:
        """Each mail has a connection of its own, which has ended."""

    def _credentials(self) -> tuple[str, str] | NotConfigured | None:
        """User name and password, read anew; None where the server wants none."""
        for key in unusable(self._secrets, self._named):
            named = ", but `notify.secrets` names it" if key in self._named else ""
            return NotConfigured(detail=f"{self._secrets.missing(key)}{named}: no mail goes without it")
        username = self._secrets.read(SecretKey.SMTP_USERNAME)
        password = self._secrets.read(SecretKey.SMTP_PASSWORD)
        if username is None and password is None:
            return None
        if username is None or password is None:
            missing = SecretKey.SMTP_USERNAME if username is None else SecretKey.SMTP_PASSWORD
            return NotConfigured(detail=f"the Secret has no `{missing}` beside the other")
        if self._channel.tls is MailTls.NONE:
            return NotConfigured(detail="a password goes over TLS only: set notify.email.tls")
        return username, password

    @asynccontextmanager
    async def _connected(self, credentials: tuple[str, str] | None) -> AsyncIterator[aiosmtplib.SMTP]:
        """A connection that a mail may go by, ended with a farewell where there is time for one."""
        channel = self._channel
        client = aiosmtplib.SMTP(
            hostname=channel.host,
            port=channel.port,
            use_tls=channel.tls is MailTls.TLS,
            start_tls=False,
            tls_context=await asyncio.to_thread(self._context),
            timeout=None,
        )
        try:
            await client.connect()
            if channel.tls is MailTls.STARTTLS:
                await client.ehlo()
                if not client.supports_extension("starttls"):
                    raise _Misconfigured(f"{self._place()} does not offer STARTTLS: nothing is sent without TLS")
                await client.starttls()
            if credentials is not None:
                await client.ehlo()
                if not client.supports_extension("auth"):
                    raise _Misconfigured(f"{self._place()} takes no user name and password")
                await client.login(*credentials)
            yield client
            with suppress(aiosmtplib.SMTPException):
                await client.quit(timeout=FAREWELL_SECONDS)
        finally:
            client.close()

    def _context(self) -> ssl.SSLContext | None:
        """Reads the certificates anew; raises _Misconfigured."""
        if self._channel.tls is MailTls.NONE:
            return None
        try:
            return ssl.create_default_context(cafile=self._channel.ca_file or None)
        except OSError as problem:  # an SSLError too
            raise _Misconfigured(f"notify.email.caFile {self._channel.ca_file}: {problem.strerror}") from problem

    def _message(self, notice: Notice, rollout: RolloutRecord | None) -> bytes:
        words = mail(notice, rollout, time_zone=self._time_zone)
        message = EmailMessage(policy=SMTP)
        message["From"] = self._channel.sender
        message["To"] = ", ".join(self._channel.recipients(notice.team))
        message["Subject"] = words.subject
        message["Date"] = format_datetime(datetime.fromtimestamp(notice.at.seconds, UTC))
        message["Message-ID"] = self._id(notice.id)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(words.text, cte="quoted-printable")
        message.add_alternative(words.html, subtype="html", cte="quoted-printable")
        # One thread for each rollout in mail programs. `email` would write a long id as encoded words, which is none.
        thread = f"References: {self._id(rollout.id)}\r\n" if rollout is not None else ""
        return thread.encode() + message.as_bytes()

    def _id(self, text: str) -> str:
        domain = self._channel.sender.rpartition("@")[2]
        return f"<{quote(text, safe='')}@{domain}>"

    def _remember(self, notice: Notice, taken: frozenset[str]) -> None:
        self._taken[notice.id] = self._taken.pop(notice.id, frozenset()) | taken
        while len(self._taken) > REMEMBERED:
            self._taken.popitem(last=False)

    def _outcome(self, notice: Notice, refused: dict[str, tuple[int, str]], answer: str) -> Outcome:
        """What came of it for all: to be tried again while one may still get it; refused where nobody got it."""
        told = "; ".join(f"{address} refused: {code} {said}" for address, (code, said) in refused.items())
        taken = self._taken.get(notice.id, frozenset())
        if any(code < PERMANENT for code, _ in refused.values()):
            return Retry(after=RETRY_SECONDS, detail=self._shown(told))
        if not taken:
            return Refused(detail=self._shown(told))
        said = f"{answer} for {', '.join(to for to in self._channel.recipients(notice.team) if to in taken)}"
        return Accepted(detail=self._shown("; ".join(part for part in (said, told) if part)))

    def _failed(self, error: aiosmtplib.SMTPException | OSError) -> Refused | Retry:
        """Of a mail that went to nobody."""
        certificate = error if isinstance(error, ssl.SSLCertVerificationError) else error.__cause__
        if isinstance(certificate, ssl.SSLCertVerificationError):
            why = certificate.verify_message
            return Refused(detail=f"{self._place()}: its certificate is not good: {why}; see notify.email.caFile")
        if isinstance(error, aiosmtplib.SMTPResponseException):
            detail = self._shown(f"{self._place()}: {error.code} {error.message}")
            return Refused(detail=detail) if error.code >= PERMANENT else Retry(after=RETRY_SECONDS, detail=detail)
        return Retry(after=RETRY_SECONDS, detail=self._shown(f"{self._place()}: {error or type(error).__name__}"))

    def _place(self) -> str:
        return f"{self._channel.host}:{self._channel.port}"

    def _shown(self, text: str) -> str:
        """A server need not speak UTF-8: its other bytes come as halves of pairs, which no record can keep."""
        said = text.encode(errors="surrogateescape").decode(errors="replace")
        return self._secrets.redact(" ".join(said.split()))[:ANSWER_SHOWN]


def unusable(secrets: Secrets, named: tuple[SecretKey, ...]) -> list[SecretKey]:
    """Of user name and password those that are there without a value: an empty one only where `notify.secrets` names
    it, for else it says that the server wants none."""
    faults = {key: secrets.fault(key) for key in (SecretKey.SMTP_USERNAME, SecretKey.SMTP_PASSWORD)}
    return [key for key, fault in faults.items() if fault and (key in named or fault != EMPTY)]


async def _sent(
    client: aiosmtplib.SMTP, sender: str, to: tuple[str, ...], message: bytes
) -> tuple[dict[str, tuple[int, str]], str]:
    """Whom the server refused, with its answers, and what it said to the whole; empty where it refused all."""
    try:
        refused, answer = await client.sendmail(sender, to, message)
    except aiosmtplib.SMTPRecipientsRefused as error:
        return {each.recipient: (each.code, each.message) for each in error.recipients}, ""
    return {address: (said.code, said.message) for address, said in refused.items()}, answer
