"""Policy text -> policy: parsed, checked with line and column, completed by defaults and presets."""

from rollguard.policy import durations, values
from rollguard.policy.document import schema
from rollguard.policy.mistakes import Mistake, Mistakes
from rollguard.policy.object import load_object
from rollguard.policy.preset import NAMES as PRESETS
from rollguard.policy.resolve import canonical, digest, load, restored
from rollguard.policy.selection import watch_of

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
