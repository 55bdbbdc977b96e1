"""Policy text -> policy: parsed, checked with line and column, completed by defaults and presets."""

from rollguard.policy import durations, values
from rollguard.policy.document import schema
from rollguard.policy.mistakes import Mistake, Mistakes
from rollguard.policy.preset import NAMES as PRESETS
from rollguard.policy.resolve import digest, load
from rollguard.policy.selection import watch_of

__all__ = ["PRESETS", "Mistake", "Mistakes", "digest", "durations", "load", "schema", "values", "watch_of"]
