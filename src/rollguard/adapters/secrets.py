"""The Secret for notices, as files of one mounted directory: read at each use, for it may come and change later."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, urlsplit

from rollguard.model.channels import SecretKey, slack_key

SHORTEST = 4
"""Characters of what is worth hiding: a shorter piece would take words apart that have nothing to do with it."""


class Secrets:
    """The values by key. They never leave by a log, an error, a record or a report: `redact` what a server said."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, SecretKey] = {}

    def read(self, key: SecretKey) -> str | None:
        """The value of now, without spaces around it; None where the file is not there, is empty, or cannot be read."""
        try:
            value = (self._directory / key.value).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None
        for piece in _pieces(value):
            self._known[piece] = key
        return value or None

    def present(self) -> frozenset[SecretKey]:
        """The keys that have a value now."""
        return frozenset(key for key in SecretKey if self.read(key) is not None)

    def slack(self, channel: str) -> SecretKey | None:
        """The key by which that channel of Slack is reached now; None where there is no way to it."""
        return slack_key(channel, self.present())

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
