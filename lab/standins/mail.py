"""A real mail server on loopback: it keeps what it takes, and answers as a test says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from lab import pki

USER, PASSWORD = "guard@example.com", "p4ss-phrase-of-the-mail-server"


@dataclass(slots=True, kw_only=True)
class Taken:
    """A mail that the server took, and how it came."""

    sender: str
    to: tuple[str, ...]
    mail: EmailMessage
    tls: bool
    authenticated: bool


@dataclass(slots=True, kw_only=True)
class Server:
    """What it has taken, and the next answers."""

    user: str = USER
    password: str = PASSWORD
    port: int = 0
    certificate: Path = Path("/nonexistent")
    taken: list[Taken] = field(default_factory=list)
    recipients: dict[str, str] = field(default_factory=dict)
    """Address -> what is answered to it instead of 250."""
    data: str = "250 2.0.0 queued as 4711"
    silent: bool = False
    """It keeps the mail and does not answer."""
    gone: bool = False
    """It keeps the mail and goes away without an answer."""

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Takes the address, unless the test says otherwise."""
        answer = self.recipients.get(address, "250 2.1.5 ok")
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keeps the mail."""
        if not self.data.startswith("2"):
            return self.data
        content, transport = envelope.original_content, server.transport
        assert content is not None
        assert isinstance(transport, asyncio.Transport)
        mail = message_from_bytes(content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.taken.append(
            Taken(
                sender=envelope.mail_from or "",
                to=tuple(envelope.rcpt_tos),
                mail=mail,
                # after STARTTLS it is told of the session, else of the connection
                tls=session.ssl is not None or transport.get_extra_info("sslcontext") is not None,
                authenticated=bool(session.authenticated),
            )
        )
        if self.silent:
            await asyncio.Event().wait()
        if self.gone:
            transport.abort()
        return self.data

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object
    ) -> AuthResult:
        """Knows one user."""
        assert isinstance(data, LoginPassword)
        good = (data.login, data.password) == (self.user.encode(), self.password.encode())
        return AuthResult(success=good, handled=False)


@asynccontextmanager
async def serving(
    directory: Path,
    *,
    starttls: bool = True,
    tls: bool = False,
    authentication: bool = False,
    user: str = USER,
    password: str = PASSWORD,
) -> AsyncIterator[Server]:
    """A server that offers STARTTLS, or speaks TLS from the first byte, or neither; it may demand a password."""
    keys = pki.create(directory)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(keys.certificate, keys.key)
    server = Server(certificate=keys.certificate, user=user, password=password)

    def protocol() -> SMTP:
        return SMTP(
            server,
            hostname="mail.example.com",
            tls_context=context if starttls and not tls else None,
            authenticator=server.authenticate if authentication else None,
            auth_required=authentication,
            auth_require_tls=not tls,
        )

    listener = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=context if tls else None)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
