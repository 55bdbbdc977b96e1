"""The Secret for notices, as files of one mounted directory: read at each use, for it may come and change later."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, urlsplit

from rollguard.model.channels import SecretKey, slack_key

BOT_TOKEN = re.compile(r"(xoxe\.)?xoxb-[A-Za-z0-9-]+", re.ASCII)
EMPTY = "is empty"
SHORTEST = 4
"""Characters of what is worth hiding: a shorter piece would take words apart that have nothing to do with it."""


class Unusable(Exception):
    """A key that is there has no value that can be used; the text says why, with the key's name alone."""


class Secrets:
    """The values by key. They never leave by a log, an error, a record or a report: `redact` what a server said."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, SecretKey] = {}

    def read(self, key: SecretKey) -> str | None:
        """The value of now, without spaces around it; None where the file is not there, is empty, or cannot be read."""
        try:
            return self._text(key)
        except Unusable:
            return None

    def signing(self, key: SecretKey) -> bytes | None:
        """The bytes of a key that signs, which need be no text; None where it is not there. Raises Unusable."""
        self.read(key)
        return self._bytes(key)

    def fault(self, key: SecretKey) -> str:
        """Why a key that is there has no value, as `is empty`; empty where it has one, or is not there."""
        try:
            self._text(key)
        except Unusable as problem:
            return str(problem)
        return ""

    def missing(self, key: SecretKey) -> str:
        """In words, of a key without a value: that it is not there, or what is wrong with it."""
        fault = self.fault(key)
        return f"the Secret's `{key}` {fault}" if fault else f"the Secret has no `{key}`"

    def needed(self, *keys: SecretKey) -> str:
        """One of those keys, as what is needed; with what is wrong with one that is there."""
        names = [f"`{key}`" for key in keys]
        faults = [f"`{key}` {fault}" if len(keys) > 1 else f"it {fault}" for key in keys if (fault := self.fault(key))]
        listed = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
        return f"{listed} in the Secret" + (f" ({', '.join(faults)})" if faults else "")

    def _text(self, key: SecretKey) -> str | None:
        """Raises Unusable."""
        content = self._bytes(key)
        try:
            value = content.decode().strip() if content is not None else None
        except UnicodeDecodeError:
            raise Unusable("is not text") from None
        if value == "":
            raise Unusable(EMPTY)
        for piece in _pieces(value) if value is not None else ():
            self._known[piece] = key
        return value

    def _bytes(self, key: SecretKey) -> bytes | None:
        """Raises Unusable."""
        try:
            content = (self._directory / key.value).read_bytes().strip()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except IsADirectoryError:
            raise Unusable("is a directory") from None
        except OSError as problem:
            raise Unusable(f"cannot be read: {problem.strerror}") from None
        if not content:
            raise Unusable(EMPTY)
        return content

    def present(self) -> frozenset[SecretKey]:
        """The keys that have a value now."""
        return frozenset(key for key in SecretKey if self.read(key) is not None)

    def slack(self, channel: str) -> SecretKey | None:
        """The key by which that channel of Slack is reached now; None where there is no way to it. A bot's token that
        is none hinders no webhook, and is named where there is none."""
        present = self.present()
        if SecretKey.SLACK_BOT_TOKEN in present and not self.is_bot():
            return slack_key(channel, present - {SecretKey.SLACK_BOT_TOKEN}) or SecretKey.SLACK_BOT_TOKEN
        return slack_key(channel, present)

    def is_bot(self) -> bool:
        """Whether the token of Slack's bot is there, and has the form of one."""
        return BOT_TOKEN.fullmatch(self.read(SecretKey.SLACK_BOT_TOKEN) or "") is not None

    def redact(self, text: str) -> str:
        """The text with the name of the key in brackets where the value of one stood: of now, or read before."""
        self.present()
        if not self._known:
            return text
        longest_first = sorted(self._known, key=len, reverse=True)
        pieces = re.compile("|".join(re.escape(piece) for piece in longest_first))
        return pieces.sub(lambda found: f"[{self._known[found[0]].value}]", text)


def _pieces(value: str) -> tuple[str, ...]:
    """What gives the value away: the whole as it is and as part of an address, of a web address its path,
    and of any address its password."""
    try:
        address = urlsplit(value) if "://" in value else None
    except ValueError:
        address = None
    path = address.path.strip("/") if address is not None and address.scheme in ("http", "https") else ""
    password = (address.password or "") if address is not None else ""
    found = {value, quote(value, safe=""), path, password}
    return tuple(piece for piece in found if len(piece) >= SHORTEST)
