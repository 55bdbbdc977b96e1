"""Policy text -> policy: parsed, checked with line and column, completed by defaults and presets.

What parses is loaded at its first use: a command that only reads a duration does not wait for it.
"""

from __future__ import annotations

import importlib
import typing

from rollguard.policy import durations, values
from rollguard.policy.mistakes import Mistake, Mistakes
from rollguard.policy.selection import watch_of

if typing.TYPE_CHECKING:
    from rollguard.policy.document import schema
    from rollguard.policy.object import load_object
    from rollguard.policy.preset import NAMES as PRESETS
    from rollguard.policy.resolve import canonical, digest, load, restored

__all__ = [
    "PRESETS",
    "Mistake",
    "Mistakes",
    "canonical",
    "digest",
    "durations",
    "load",
    "load_object",
    "restored",
    "schema",
    "values",
    "watch_of",
]

_AT_FIRST_USE = {
    "PRESETS": ("preset", "NAMES"),
    "canonical": ("resolve", "canonical"),
    "digest": ("resolve", "digest"),
    "load": ("resolve", "load"),
    "load_object": ("object", "load_object"),
    "restored": ("resolve", "restored"),
    "schema": ("document", "schema"),
}


def __getattr__(name: str) -> object:
    if name not in _AT_FIRST_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _AT_FIRST_USE[name]
    found: object = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
    return found
