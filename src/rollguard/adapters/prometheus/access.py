"""How the store is reached: TLS, user, token and fixed headers, from files that are read again when they change."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import httpx2

from rollguard.model.policy import StoreAccess

LONGEST_SECRET = 64 * 1024


class NoAccess(Exception):
    """A file of the authentication cannot be used; the text names the file and never what it holds."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What goes with a request; `secrets` are the values that no message may show."""

    headers: tuple[tuple[str, str], ...]
    basic: tuple[str, str] | None
    secrets: tuple[str, ...]

    def masked(self, text: str) -> str:
        """The text without any of the secrets."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def credentials(auth: StoreAccess) -> Credentials:
    """What the files hold now. Raises NoAccess where one cannot be read or is empty."""
    headers = list(auth.headers)
    basic: tuple[str, str] | None = None
    secrets: list[str] = []
    if auth.bearer_token_file:
        token = _secret(auth.bearer_token_file)
        headers.append(("Authorization", f"Bearer {token}"))
        secrets.append(token)
    elif auth.username:
        password = _secret(auth.password_file)
        basic = (auth.username, password)
        secrets.append(password)
    return Credentials(tuple(headers), basic, tuple(secrets))


def _secret(file: str) -> str:
    try:
        text = Path(file).read_bytes()[:LONGEST_SECRET].decode("ascii").strip()
    except OSError as error:
        raise NoAccess(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise NoAccess(f"{file} does not hold ASCII text") from error
    if not text or any(sign in text for sign in "\r\n\x00"):
        raise NoAccess(f"{file} does not hold one line of text")
    return text


def tls_state(auth: StoreAccess) -> tuple[tuple[str, int, int], ...]:
    """What changes when a TLS file changes: its name, time and size. Raises NoAccess where one is missing."""
    states: list[tuple[str, int, int]] = []
    for file in (auth.ca_file, auth.certificate_file, auth.key_file):
        if file:
            try:
                found = Path(file).stat()
            except OSError as error:
                raise NoAccess(f"cannot read {file}: {error.strerror}") from error
            states.append((file, found.st_mtime_ns, found.st_size))
    return tuple(states)


def client(auth: StoreAccess) -> httpx2.AsyncClient:
    """A client with the TLS files as they are now; the environment (proxies, CA bundles) is ignored.

    Raises NoAccess where a file does not hold what it should.
    """
    try:
        context = ssl.create_default_context(cafile=auth.ca_file or None)
        if auth.certificate_file:
            context.load_cert_chain(auth.certificate_file, auth.key_file, password=_no_password)
    except (OSError, ValueError) as error:
        files = ", ".join(file for file in (auth.ca_file, auth.certificate_file, auth.key_file) if file)
        raise NoAccess(f"cannot use the TLS files {files}: {type(error).__name__}") from error
    return httpx2.AsyncClient(
        verify=context,
        trust_env=False,
        follow_redirects=False,
        limits=httpx2.Limits(max_connections=16, max_keepalive_connections=16),
    )


def _no_password() -> str:
    # without this, OpenSSL would ask the terminal
    raise ValueError("the key is encrypted")
