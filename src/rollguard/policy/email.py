"""`spec.notify.email`: its keys, what is wrong between them, and what they come to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rollguard.model.channels import SecretKey
from rollguard.model.destinations import EmailChannel, MailTls
from rollguard.policy.part import File, Host, MailAddress, Part, Port
from rollguard.policy.yaml_text import Marked

EMAIL = ("spec", "notify", "email")
STARTTLS_PORT = 587
_CREDENTIALS = (SecretKey.SMTP_USERNAME, SecretKey.SMTP_PASSWORD)


class EmailPart(Part):
    """To whom a summary goes when a rollout ends, and by which server."""

    to: Annotated[list[MailAddress], Field(min_length=1, max_length=50)]
    """Who gets them."""
    from_: MailAddress = Field(alias="from")
    """From whom they come."""
    host: Host
    """The mail server."""
    port: Port = STARTTLS_PORT
    """Its port; 465 is the usual one for `tls: tls`."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """How the way there is kept from others: by TLS after a first word, by TLS from the first byte, or not at all."""
    ca_file: File | None = None
    """A file with the certificates that vouch for the server; those of the system where it is not given."""


def check_email(part: EmailPart | None, secrets: tuple[SecretKey, ...], marked: Marked) -> None:
    """What is wrong within `spec.notify.email`."""
    if part is not None:
        _check_server(part, secrets, marked)


def check_once(addresses: list[str], place: tuple[str, ...], marked: Marked) -> None:
    """An address that stands twice in a list."""
    for index, address in enumerate(addresses):
        if address.lower() in (other.lower() for other in addresses[:index]):
            marked.wrong((*place, index), address, "each address once")


def _check_server(part: EmailPart, secrets: tuple[SecretKey, ...], marked: Marked) -> None:
    path = EMAIL
    check_once(part.to, (*path, "to"), marked)
    if part.tls == "tls" and part.port == STARTTLS_PORT:
        words = f"the port that speaks TLS from the first byte, mostly 465: on {STARTTLS_PORT} it is `tls: starttls`"
        key = "port" if marked.has((*path, "port")) else "tls"
        marked.wrong((*path, key), part.port if key == "port" else part.tls, words)
    if part.tls == "none" and part.ca_file:
        marked.wrong((*path, "caFile"), part.ca_file, "`tls: starttls` or `tls: tls`, for certificates are given")
    if part.tls == "none" and any(key in secrets for key in _CREDENTIALS):
        words = "`starttls` or `tls`, for `notify.secrets` names a user name and password: they go over TLS only"
        marked.wrong((*path, "tls"), part.tls, words)


def email_of(part: EmailPart | None, teams: tuple[tuple[str, tuple[str, ...]], ...]) -> EmailChannel | None:
    """The channel of a part without mistakes; `teams`: who else gets what is about a team's workloads, sorted."""
    if part is None:
        return None
    return EmailChannel(
        to=tuple(part.to),
        sender=part.from_,
        host=part.host,
        port=part.port,
        tls=MailTls(part.tls),
        ca_file=part.ca_file or "",
        teams=teams,
    )
