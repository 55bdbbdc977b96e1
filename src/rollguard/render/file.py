"""A rendered file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rollguard.model.documents import Json
from rollguard.render.yaml_text import to_yaml

HEADER = "# Rendered by `rollguard render` from the policy: change the policy, not this file.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A text with its place."""

    path: str
    """Relative to the directory that is rendered into, with `/` between its parts."""
    text: str
    """Ends with a line break."""


def yaml_file(path: str, documents: Iterable[Json]) -> File:
    """The documents as a YAML file that says where it is from."""
    return File(path=path, text=HEADER + to_yaml(documents))
