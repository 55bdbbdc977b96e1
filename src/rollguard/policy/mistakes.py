"""What is wrong with a policy's text, and where."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from rollguard.model.channels import SecretKey

SHOWN = 80
HIDDEN = "…"
BEGINNING = 4
"""Characters by which a person knows again what was written."""
_KEYS = frozenset(key.value for key in SecretKey)
_ADDRESSES = frozenset({"address", "url", "dashboard", "runbook"})
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(.*)", re.ASCII | re.DOTALL)
_PARTS = re.compile(r"([^/?#@\s]*@)?(\[[0-9A-Fa-f:.]+\]|[^/?#@:\s]*)(:[0-9]{1,5})?([/?#][^@\s]*)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake. Lines and columns count from 1; `nearest` is empty where no valid name is near."""

    file: str
    line: int
    column: int
    offending: str
    expected: str
    nearest: str = ""
    path: str = ""
    """The key in an object of the cluster, which has no lines; else empty."""

    def __str__(self) -> str:
        hint = f"; did you mean `{self.nearest}`?" if self.nearest else ""
        place = self.path or f"{self.line}:{self.column}"
        return f"{self.file}:{place}: `{self.offending}`: expected {self.expected}{hint}"


Mistakes = tuple[Mistake, ...]


def nearest(name: str, valid: Iterable[str]) -> str:
    """The valid name that is most like `name`, or empty."""
    by_lower = {word.lower(): word for word in valid}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else ""


def shown(value: object) -> str:
    """A value as one short line for a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        text = "{" + ", ".join(str(key) for key in list(value)[:8]) + "}"
    elif isinstance(value, list):
        # only one level: aliases can make a small text a large tree
        text = "[" + ", ".join("…" if isinstance(item, list | dict) else shown(item) for item in value[:8]) + "]"
    else:
        text = str(value)
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def masked(path: Iterable[str | int], value: object) -> object:
    """The value at a path of the document without what may be a secret: of an address scheme and host, of the name of
    a file and of headers nothing, for somebody may have put the secret itself there."""
    names = [step for step in path if isinstance(step, str)]
    name = names[-1] if names else ""
    if value is None or isinstance(value, bool):
        return value
    if names[-2:] == ["notify", "secrets"]:
        return [_key_of_secret(item) for item in value] if isinstance(value, list) else _key_of_secret(value)
    if name.endswith("File") or "headers" in names:
        return HIDDEN
    if name in _ADDRESSES and not (isinstance(value, str) and "://" in value):
        return HIDDEN
    if isinstance(value, list):
        return [without_secrets(item) if isinstance(item, str) else item for item in value]
    return without_secrets(value) if isinstance(value, str) else value


def _key_of_secret(value: object) -> str:
    """The name of a key; of anything else, for which somebody may have put the value in its place, how it begins."""
    text = str(value)
    if text in _KEYS:
        return text
    return HIDDEN if isinstance(value, dict | list) else text[:BEGINNING] + HIDDEN


def without_secrets(text: str) -> str:
    """The text; an address in it ends after its host, and so does the text."""
    return _ADDRESS.sub(lambda found: found[1] + _host(found[2]), text)


def _host(rest: str) -> str:
    parts = _PARTS.fullmatch(rest)
    if parts is None:
        return HIDDEN
    user, host, port, more = parts.groups(default="")
    return f"{HIDDEN}@" * bool(user) + host + port + f"/{HIDDEN}" * bool(more.strip("/"))
