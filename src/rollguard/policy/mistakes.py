"""What is wrong with a policy's text, and where."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

SHOWN = 80


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
